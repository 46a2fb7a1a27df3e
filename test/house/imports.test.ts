// Who may import whom, and how an import is written: the folders are the architecture.
import assert from 'node:assert/strict';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { assertNone, isTest, lineAt, listImports, readSources, readTable, readText, scan, type Source } from './project.ts';

const BASE = ['contract', 'core', 'platform'];

/** A room and the rooms it may import beside itself. ARCHITECTURE.md shows the same table. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  core: ['contract'],
  platform: ['contract', 'core'],
  compile: BASE,
  store: BASE,
  xcom: BASE,
  logs: BASE,
  secrets: [...BASE, 'store'],
  executor: BASE,
  devloop: BASE,
  sdk: ['contract', 'core'],
  node: ['contract', 'core', 'sdk'],
  scheduler: [...BASE, 'store', 'executor'],
  api: [...BASE, 'store', 'xcom', 'logs'],
  cli: [...BASE, 'compile', 'devloop', 'store'],
  main: [...BASE, 'compile', 'store', 'secrets', 'xcom', 'logs', 'executor', 'devloop', 'sdk', 'node', 'scheduler', 'api', 'cli'],
};

function checkSpecifier(path: string, specifier: string): string | null {
  if (specifier.startsWith('node:') || /^[@a-z]/.test(specifier)) return isBuiltin(specifier) && !specifier.startsWith('node:') ? 'is a module of Node: write node:' : null;
  if (specifier.startsWith('#')) return checkRoom(path, specifier);
  if (/^\.{1,2}\/.*\.(ts|json)$/.test(specifier) && roomOf(normalize(join(dirname(path), specifier))) === roomOf(path)) return null;
  if (isTest(path) && /^(\.\.\/)+(test\/)?(support|oracle|house)\/[^.][^:]*\.(ts|json)$/.test(specifier)) return null;
  if (/^test|^bench/.test(path) && /^(\.{1,2}\/)+[^.][^:]*\.(ts|json)$/.test(specifier)) return null;
  return specifier.startsWith('.') ? 'leaves its room, or has no extension: write #room/file.ts' : 'is neither a package, ./file.ts nor #folder/file.ts';
}

/** `src/api` of `src/api/v2/a.ts`: inside a room, paths may be relative. */
function roomOf(path: string): string {
  return path.split('/').slice(0, 2).join('/');
}

function checkRoom(path: string, specifier: string): string | null {
  const [, target = '', rest = ''] = /^#([^/]+)\/(.+)$/.exec(specifier) ?? [];
  if (!(target in MAY_IMPORT) || !rest.endsWith('.ts')) return 'names no room and file: write #folder/file.ts';
  const [top, room = ''] = path.split('/');
  if (top !== 'src') return null;
  if (path.split('/').slice(1, -1).join('/') === specifier.slice(1).split('/').slice(0, -1).join('/')) return 'is of the same folder: write ./file.ts';
  if (room === target || (MAY_IMPORT[room] ?? []).includes(target)) return null;
  return `crosses a wall: ${room} may import ${(MAY_IMPORT[room] ?? []).join(', ') || 'nothing'}`;
}

/** What is wrong with a source's imports and exports. */
export function checkImports(source: Source): string[] {
  const problems: string[] = [];
  const [top, room = ''] = source.path.split('/');
  if (top === 'src' && !(room in MAY_IMPORT)) problems.push(`${source.path}: ${room} is no room of the house`);
  for (const { specifier, line, isReexport } of listImports(source)) {
    const wrong = isReexport ? 're-exports: import from where it is written' : checkSpecifier(source.path, specifier);
    if (wrong !== null) problems.push(`${source.path}:${line}: ${specifier} ${wrong}`);
  }
  for (const match of source.code.matchAll(/\bexport\s+default\b|\bas\s+default\b/g)) problems.push(`${source.path}:${lineAt(source.text, match.index)}: a default export has no name to look for`);
  return problems;
}

test('the rule can fail', () => {
  const problemsOf = (path: string, text: string): number => checkImports(scan(path, text)).length;
  assert.equal(problemsOf('src/core/a.ts', "import { b } from '#store/b.ts';"), 1, 'core may not know the store');
  assert.equal(problemsOf('src/scheduler/a.ts', "import { b } from '#api/b.ts';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "const b = await import('#scheduler/b.ts');"), 1, 'dynamic imports count');
  assert.equal(problemsOf('src/api/a.ts', "import { b } from '../store/b.ts';"), 1);
  assert.equal(problemsOf('src/api/v2/a.ts', "import { b } from '../../store/b.ts';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "import { b } from './b';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "import { b } from '#api/b.ts';"), 1, 'same folder');
  assert.equal(problemsOf('src/api/a.ts', "import {\n  type b,\n} from 'fs';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "export * from './b.ts';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "export { b } from './b.ts';"), 1);
  assert.equal(problemsOf('src/api/a.ts', 'export default 1;'), 1);
  assert.equal(problemsOf('src/shared/a.ts', ''), 1, 'no room of the house');
});

test('what is allowed passes', () => {
  const text = "// import { x } from '#main/x.ts'\nimport { a } from '#contract/a.ts';\nimport type { b } from './b.ts';\nimport c from 'pg';\nimport { d } from 'node:fs';\nimport { e } from '#store/sub/e.ts';\nexport const f = 'export default';";
  assert.deepEqual(checkImports(scan('src/scheduler/a.ts', text)), []);
  assert.deepEqual(checkImports(scan('src/contract/airflow/a.ts', "import { b } from '#contract/b.ts'; import { c } from '../c.ts'; import { d } from './sub/d.ts';")), []);
});

test('every import keeps to the house', () => {
  assertNone(readSources('src', 'test', 'bench').flatMap(checkImports));
});

/** Packages that a file loads when it is imported, directly or through others; types load nothing. */
function packagesLoadedBy(path: string, sources: ReadonlyMap<string, Source>, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const specifiers = [...(sources.get(path)?.code ?? '').matchAll(/^import (?!type\b)[^;]*?from /gm)].map((match) => /'([^']+)'/.exec(sources.get(path)?.text.slice(match.index + match[0].length) ?? '')?.[1] ?? '');
  return specifiers.flatMap((specifier) => {
    if (specifier.startsWith('node:')) return [];
    if (!/^[#.]/.test(specifier)) return [`${path} loads ${specifier}`];
    return packagesLoadedBy(specifier.startsWith('#') ? `src/${specifier.slice(1)}` : normalize(join(dirname(path), specifier)), sources, seen);
  });
}

test('what runs in processes of user code loads no package', () => {
  const sources = new Map(readSources('src').filter((source) => !isTest(source.path)).map((source) => [source.path, source]));
  assert.notDeepEqual(packagesLoadedBy('src/core/check-dag.ts', sources), [], 'the rule can fail');
  assertNone([...sources.keys()].filter((path) => /^src\/(sdk|node)\//.test(path)).flatMap((path) => packagesLoadedBy(path, sources)));
});

test('ARCHITECTURE.md shows the same rooms', () => {
  const rooms = readTable(readText('ARCHITECTURE.md'), 'Rooms').map(([room = '', , imports = '']) => [room.replaceAll('`', ''), imports.match(/[a-z]+/g) ?? []]);
  const shown = Object.fromEntries(rooms.map(([room, imports]) => [room, [...(imports as string[])].sort()]));
  const rule = Object.fromEntries(Object.entries(MAY_IMPORT).map(([room, imports]) => [room, [...(room === 'main' ? ['everyone'] : imports.length === 0 ? ['nothing'] : imports)].sort()]));
  assert.deepEqual(shown, rule);
});
