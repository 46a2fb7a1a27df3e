// The documents against the code: generated ones are up to date, links lead somewhere, named files, functions and tests exist.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { findStale, readEventFields, readMetrics, renderDagSchema } from './generate-docs.ts';
import { assertNone, lineAt, listFiles, readTable, readText, ROOT } from './project.ts';

type Exists = (path: string) => boolean;
const exists: Exists = (path) => existsSync(join(ROOT, path));

/** Markdown of the project: its root, docs and .github. */
function listDocuments(): string[] {
  return [...listFiles('.', /\.md$/).filter((path) => !path.includes('/')), ...listFiles('docs', /\.md$/), ...listFiles('.github', /\.md$/), ...listFiles('test', /\.md$/)]
    .filter((path) => !/^(AGENTS|CLAUDE|GEMINI)\.md$/.test(path));
}

/** Links to files of the project that are not there, and links to headings that their file does not have. */
export function checkLinks(path: string, text: string, files: { readonly exists: Exists; readonly read: (path: string) => string }): string[] {
  const plain = text.replace(/```[\s\S]*?```/g, (block) => block.replace(/[^\n]/g, ' '));
  return [...plain.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].flatMap((match) => {
    const [target = '', heading] = (match[1] ?? '').split('#');
    if (/^[a-z]+:/.test(match[1] ?? '')) return [];
    const file = target === '' ? path : normalize(join(dirname(path), target));
    const place = `${path}:${lineAt(plain, match.index)}: ${match[1]}`;
    if (!files.exists(file)) return [`${place} leads nowhere`];
    const isFound = heading === undefined || headingsOf(files.read(file)).includes(heading);
    return isFound ? [] : [`${place}: there is no such heading`];
  });
}

function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) => (match[1] ?? '').toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-'));
}

const CODE_FILE = /`((?:src|python|sql|test|bench|bin)\/[\w./-]+\.(?:ts|py|sql|sh|json))(?:#([\w.]+))?`( \(planned[^)]*\))?/g;

/** Files of code that a document names in backticks and that are not there, functions that their file does not hold, and `(planned)` marks on what exists. */
export function checkNamedCode(path: string, text: string, files: { readonly exists: Exists; readonly read: (path: string) => string }): string[] {
  return [...text.matchAll(CODE_FILE)].flatMap((match) => {
    const [, file = '', name, planned] = match;
    const place = `${path}:${lineAt(text, match.index)}: ${file}${name === undefined ? '' : `#${name}`}`;
    const last = name?.split('.').at(-1) ?? '';
    const isThere = files.exists(file) && (name === undefined || new RegExp(`(^|[^\\w$])#?${last}\\b`, 'm').test(files.read(file)));
    if (planned !== undefined) return isThere ? [`${place} exists: take the planned mark out`] : [];
    if (isThere) return [];
    return [`${place} ${files.exists(file) ? 'is not in that file' : 'does not exist'}`];
  });
}

test('the rule about links can fail', () => {
  const files = { exists: (path: string) => path === 'docs/a.md', read: () => '# Title\n\n## Some heading: `x`\n' };
  assert.deepEqual(checkLinks('docs/b.md', '[x](a.md) [x](a.md#some-heading-x) [y](https://example.org/a) ```\n[z](gone.md)\n```', files), []);
  assert.equal(checkLinks('docs/b.md', '[x](gone.md)', files).length, 1);
  assert.equal(checkLinks('docs/b.md', '[x](a.md#gone)', files).length, 1);
});

test('the rule about named code can fail', () => {
  const files = { exists: (path: string) => path === 'src/core/a.ts', read: () => 'export function decide() {}\n  #report() {}\n' };
  const problemsOf = (text: string): number => checkNamedCode('A.md', text, files).length;
  assert.equal(problemsOf('`src/core/a.ts#decide` and `src/core/a.ts#report` and `src/core/b.ts` (planned, #4)'), 0);
  assert.equal(problemsOf('`src/core/b.ts`'), 1);
  assert.equal(problemsOf('`src/core/a.ts#gone`'), 1);
  assert.equal(problemsOf('`src/core/a.ts` (planned, #4)'), 1, 'what exists is not planned');
});

test('generated documents are up to date', () => assertNone(findStale()));

test('the generators read what they are there for', () => {
  const text = "interface InstanceIds { readonly dag_id: string }\n  | { readonly event: 'a.b'; readonly url: string }\n  | ({ readonly event: 'c'; readonly ms: number } & InstanceIds)\n";
  assert.deepEqual([...readEventFields(text)], [['a.b', ['url']], ['c', ['dag_id', 'ms']]]);
  assert.deepEqual(readMetrics("new Counter({ name: 'x', help: 'An x.', labelNames: ['a', 'b'], registers }); new Gauge({ name: 'y', help: 'A y.', registers })"), [['`x`', 'counter', '`a`, `b`', 'An x.'], ['`y`', 'gauge', '–', 'A y.']]);
});

test('the JSON Schema of dag.json stands alone', () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(renderDagSchema()) as object);
  const expand = { kind: 'product', arguments: { x: { kind: 'map', of: { kind: 'xcom', task_id: 'a', key: 'return_value' } } } };
  const task = { task_id: 'b', operator: 'EmptyOperator', body: { kind: 'empty' }, depends_on: [], expand };
  const dag = { schema_version: '1.0', dag_id: 'd', fileloc: 'dag.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [task] };
  assert.ok(validate(dag), JSON.stringify(validate.errors));
  assert.ok(!validate({ ...dag, surprise: true }), 'unknown keys are refused');
  assert.ok(!validate({ ...dag, tasks: [{ ...task, expand: { kind: 'rows', rows: { kind: 'map', of: { kind: 'no such kind' } } } }] }), 'references are followed');
});

test('links lead somewhere', () => assertNone(listDocuments().flatMap((path) => checkLinks(path, readText(path), { exists, read: readText }))));

test('files and functions that a document names exist', () =>
  assertNone(listDocuments().filter((path) => path !== 'docs/map.md').flatMap((path) => checkNamedCode(path, readText(path), { exists, read: readText }))));

test('each of the ten invariants names the test that holds it', () => {
  const rows = readTable(readText('ARCHITECTURE.md'), 'Invariants');
  assert.deepEqual(rows.map(([number]) => number), Array.from({ length: 10 }, (_, at) => String(at + 1)));
  assertNone(rows.flatMap(([number = '', , held = '']) => {
    const tests = [...held.matchAll(/`([\w./-]+)`( \(planned[^)]*\))?/g)];
    if (tests.length === 0) return [`invariant ${number} names no test`];
    return tests.filter((match) => !/\.test\.ts$|^python\/.*test.*\.py$|^test\/.*\.py$/.test(match[1] ?? '')).map((match) => `invariant ${number}: ${match[1]} is no test`);
  }));
});
