// Budgets: 400 lines a file, 60 a function, complexity 15; what is over them stands in ARCHITECTURE.md with its reason.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertNone, listFiles, readTable, readText, ROOT } from './project.ts';

const MAX_LINES = 400;
const OXLINT = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint');

/** Lines of a text, the last newline not counted as one more. */
export function countLines(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** Files over the budget that have no reason, and reasons that no file needs. */
export function checkLengths(lengths: ReadonlyMap<string, number>, reasons: ReadonlyMap<string, string>): string[] {
  const long = [...lengths].filter(([, lines]) => lines > MAX_LINES);
  return [
    ...long.filter(([path]) => (reasons.get(path) ?? '').length < 20).map(([path, lines]) => `${path}: ${lines} lines are over ${MAX_LINES}, and ARCHITECTURE.md gives no reason`),
    ...[...reasons.keys()].filter((path) => (lengths.get(path) ?? 0) <= MAX_LINES).map((path) => `${path}: is not over ${MAX_LINES} lines: take it out of ARCHITECTURE.md`),
  ];
}

/** Complaints of the linter as `path:line: text [rule]`, without the rules that need types. */
function lint(...paths: string[]): string[] {
  const { stdout, status, error } = spawnSync(process.execPath, [OXLINT, '-c', join(ROOT, '.oxlintrc.json'), '-f', 'unix', ...paths], { cwd: ROOT, encoding: 'utf8', timeout: 30_000 });
  if (error !== undefined || status === null || status > 1) throw new Error(`oxlint did not run: ${error?.message ?? stdout}`);
  return stdout.split('\n').filter((line) => /\[Error\//.test(line));
}

test('the rule about files can fail', () => {
  assert.equal(checkLengths(new Map([['a.ts', 401]]), new Map()).length, 1);
  assert.equal(checkLengths(new Map([['a.ts', 401]]), new Map([['a.ts', 'short']])).length, 1, 'a reason is a sentence');
  assert.equal(checkLengths(new Map([['a.ts', 400]]), new Map([['a.ts', 'a reason that is long enough']])).length, 1, 'nothing needs the reason');
  assert.equal(checkLengths(new Map([['a.ts', 401]]), new Map([['a.ts', 'a reason that is long enough']])).length, 0);
  assert.equal(countLines('a\nb\n'), 2);
});

test('the linter sees what it is there for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-house-'));
  try {
    const branches = Array.from({ length: 16 }, (_, i) => `  if (a === ${i}) return ${i};`).join('\n');
    const lines = Array.from({ length: 61 }, (_, i) => `  console.log(${i});`).join('\n');
    writeFileSync(join(folder, 'a.ts'), `export function a(a: number): number {\n${branches}\n  return 0;\n}\nexport function b(): void {\n${lines}\n}\nexport const c: any = [][0]!;\nexport const d = (w: 1, x: 2, y: 3, z: 4): unknown => [w, x, y, z];\nexport default 1;\n`);
    const found = lint(folder).join('\n');
    for (const rule of ['complexity', 'max-lines-per-function', 'no-explicit-any', 'no-non-null-assertion', 'max-params', 'no-default-export']) assert.match(found, new RegExp(`\\(${rule}\\)`), rule);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('rules that need types are on', () => {
  const config = readText('.oxlintrc.json');
  for (const rule of ['no-floating-promises', 'no-misused-promises', 'switch-exhaustiveness-check']) assert.match(config, new RegExp(`"typescript/${rule}": \\["error"|"typescript/${rule}": "error"`));
  assert.match(config, /"correctness": "error"/);
});

test('no file is over 400 lines without a reason', () => {
  const paths = [...['src', 'test', 'bench'].flatMap((folder) => listFiles(folder, /\.ts$/)), ...listFiles('python', /\.py$/)];
  const reasons = readTable(readText('ARCHITECTURE.md'), 'Files over 400 lines').map(([path = '', reason = '']) => [path.replaceAll('`', ''), reason] as const);
  assertNone(checkLengths(new Map(paths.map((path) => [path, countLines(readText(path))])), new Map(reasons)));
});

test('no function is over its budget', () => assertNone(lint('src', 'test', 'bench').filter((line) => /\((complexity|max-[a-z-]+)\)/.test(line))));
