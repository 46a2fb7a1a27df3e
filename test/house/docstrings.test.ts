// Every exported identifier has a docstring, directly before it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, isTest, readSources, scan, type Source } from './project.ts';

const EXPORT = /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const\s+enum|const|let|var|function\*?|class|interface|type|enum|namespace)\s+([\w$]+)/;
/** A type that is read off a value: `type X = (typeof XS)[number]`, `type X = keyof typeof XS`, `type X = Static<typeof X>`. */
const DERIVED = /^export\s+type\s+\w+\s*=.*\btypeof\s+([\w$]+)\b[^;]*;\s*$/;

/** Shapes of Airflow's own API under the names of its OpenAPI document, which says what they are. */
const NAMED_ELSEWHERE = 'src/contract/airflow/';

/** Exported identifiers without a docstring. A type read off a value that is documented in the same file shares its docstring. */
export function checkDocstrings(source: Source): string[] {
  const lines = source.text.split('\n');
  const code = source.code.split('\n');
  const documented = new Set<string>();
  const missing: { name: string; line: number; of: string | null }[] = [];
  for (const [at, line] of code.entries()) {
    const name = EXPORT.exec(line)?.[1];
    if (name === undefined) continue;
    if (documented.has(name) || isAfterDocstring(lines, at)) documented.add(name);
    else missing.push({ name, line: at + 1, of: DERIVED.exec(line)?.[1] ?? null });
  }
  return missing.filter(({ of, name }) => !documented.has(name) && (of === null || !documented.has(of))).map(({ name, line }) => `${source.path}:${line}: ${name} has no docstring`);
}

function isAfterDocstring(lines: readonly string[], at: number): boolean {
  let end = at - 1;
  while (/^\s*\/\/ oxlint-/.test(lines[end] ?? '')) end -= 1;
  if (!(lines[end] ?? '').trimEnd().endsWith('*/')) return false;
  while (end >= 0 && !(lines[end] ?? '').includes('/*')) end -= 1;
  return (lines[end] ?? '').trimStart().startsWith('/**');
}

test('the rule can fail', () => {
  const namesOf = (text: string): string[] => checkDocstrings(scan('src/a.ts', text)).map((problem) => problem.split(' ')[1] ?? '');
  assert.deepEqual(namesOf('export const a = 1;\n/** b */\nexport function b() {}\n// c\nexport class c {}\n/* d */\nexport interface d {}'), ['a', 'c', 'd']);
  assert.deepEqual(namesOf('/** far */\n\nexport type a = 1;\nexport async function* b() {}'), ['a', 'b']);
  assert.deepEqual(namesOf('export const AS = [1] as const;\nexport type A = (typeof AS)[number];'), ['AS', 'A'], 'neither is documented');
});

test('what is documented passes', () => {
  const text = '/**\n * Several lines.\n */\nexport function a() {}\n/** All of them. */\nexport const BS = [1] as const;\nexport type B = (typeof BS)[number];\n/** C. */\nexport const C = T.Object({});\nexport type C = Static<typeof C>;\nconst text = `\nexport const inString = 1;\n`;\n';
  assert.deepEqual(checkDocstrings(scan('src/a.ts', text)), []);
});

test('every exported identifier is documented', () => assertNone(readSources('src').filter(({ path }) => !isTest(path) && !path.startsWith(NAMED_ELSEWHERE)).flatMap(checkDocstrings)));
