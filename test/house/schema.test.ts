// The column types in src/store/tables.ts against the tables that the migrations make.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, listFiles, readText, scan } from './project.ts';

interface Column { readonly nullable: boolean; readonly defaulted: boolean }
type Tables = ReadonlyMap<string, ReadonlyMap<string, Column>>;

/** Tables and columns that a text of SQL makes: `create table`, `alter table … add column`, `drop column`, `drop table`. */
export function readMigrations(sql: string): Tables {
  const text = sql.replace(/--.*$/gm, '');
  const tables = new Map<string, Map<string, Column>>();
  for (const statement of splitTop(text, ';')) {
    const created = /^\s*create table (?:if not exists )?(\w+)\s*\(([\s\S]*)\)[^)]*$/i.exec(statement);
    if (created !== null) tables.set(created[1] ?? '', readColumns(created[2] ?? ''));
    const dropped = /^\s*drop table (?:if exists )?(\w+)/i.exec(statement);
    if (dropped !== null) tables.delete(dropped[1] ?? '');
    const altered = /^\s*alter table (?:if exists )?(\w+)\s+([\s\S]+)$/i.exec(statement);
    if (altered !== null) alter(tables.get(altered[1] ?? ''), altered[2] ?? '');
  }
  return tables;
}

function alter(table: Map<string, Column> | undefined, actions: string): void {
  if (table === undefined) return;
  for (const action of splitTop(actions, ',')) {
    const [, verb = '', rest = ''] = /^\s*(add|drop|rename) column (?:if (?:not )?exists )?([\s\S]+)$/i.exec(action) ?? [];
    const [first = '', , second = ''] = rest.split(/\s+/);
    if (verb === 'add') for (const [name, column] of readColumns(rest)) table.set(name, column);
    const column = table.get(first);
    if (verb === 'rename' && column !== undefined) table.set(second, column);
    if (verb === 'rename' || verb === 'drop') table.delete(first);
  }
}

function readColumns(body: string): Map<string, Column> {
  const columns = new Map<string, Column>();
  const keys = new Set<string>();
  for (const part of splitTop(body, ',')) {
    const words = part.trim();
    const key = /^(?:constraint \w+ )?primary key \(([^)]*)\)/i.exec(words);
    if (key !== null) for (const name of (key[1] ?? '').split(',')) keys.add(name.trim());
    if (/^(constraint|primary|unique|foreign|check|exclude|like)\b/i.test(words) || words === '') continue;
    const name = /^\w+/.exec(words)?.[0] ?? '';
    columns.set(name, { nullable: !/\bnot null\b|\bprimary key\b|\bgenerated always\b/i.test(words), defaulted: /\bdefault\b|\bgenerated\b/i.test(words) });
  }
  return new Map([...columns].map(([name, column]) => [name, keys.has(name) ? { ...column, nullable: false } : column]));
}

/** Splits where no parenthesis and no quote is open. */
function splitTop(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  let quoted = false;
  for (const char of text) {
    if (char === "'") quoted = !quoted;
    if (!quoted && char === '(') depth += 1;
    if (!quoted && char === ')') depth -= 1;
    if (char === separator && depth === 0 && !quoted) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** The tables that `interface Tables` describes: whether a column may be null when read, and may be left out when written. */
export function readTypes(text: string): Tables {
  const { code } = scan('src/store/tables.ts', text);
  const body = /interface Tables \{([\s\S]*)\n\}/.exec(code)?.[1] ?? '';
  const tables = new Map<string, Map<string, Column>>();
  for (const table of body.matchAll(/(\w+): \{([^}]*)\}/g)) {
    const columns = new Map<string, Column>();
    for (const column of (table[2] ?? '').matchAll(/(\w+): ([^;]+);?/g)) {
      const type = column[2] ?? '';
      columns.set(column[1] ?? '', { nullable: /\bnull\b|OrNull\b/.test(type), defaulted: /\b(Defaulted|Generated)\b|\bJson$/.test(type.trim()) });
    }
    tables.set(table[1] ?? '', columns);
  }
  return tables;
}

/** Where the two differ. */
export function compareTables(made: Tables, typed: Tables): string[] {
  const problems = [...typed.keys()].filter((table) => !made.has(table)).map((table) => `${table}: no migration makes it`);
  for (const [table, columns] of made) {
    const types = typed.get(table);
    if (types === undefined) problems.push(`${table}: tables.ts has no such table`);
    else problems.push(...compareColumns(table, columns, types));
  }
  return problems;
}

function compareColumns(table: string, made: ReadonlyMap<string, Column>, typed: ReadonlyMap<string, Column>): string[] {
  const problems = [...typed.keys()].filter((name) => !made.has(name)).map((name) => `${table}.${name}: no migration makes it`);
  for (const [name, column] of made) {
    const type = typed.get(name);
    if (type === undefined) problems.push(`${table}.${name}: tables.ts has no such column`);
    else if (type.nullable !== column.nullable) problems.push(`${table}.${name}: ${column.nullable ? 'may be null' : 'is not null'} in the database, ${type.nullable ? 'may be' : 'is not'} in tables.ts`);
    else if (type.defaulted && !column.defaulted && !column.nullable) problems.push(`${table}.${name}: has no default in the database, but may be left out in tables.ts`);
  }
  return problems;
}

test('the rule can fail', () => {
  const made = readMigrations("-- c\ncreate table a (\n  x int not null default 1,\n  y numeric(3, 2), -- z int\n  k text,\n  primary key (k, x),\n  check (x in (1, 2))\n) with (fillfactor = 70);\ncreate table gone (x int);\ndrop table gone;\nalter table a add column w json default '{\"a;\": 1}', drop column y;");
  assert.deepEqual([...made.keys()], ['a']);
  assert.deepEqual([...(made.get('a') ?? [])], [['x', { nullable: false, defaulted: true }], ['k', { nullable: false, defaulted: false }], ['w', { nullable: true, defaulted: true }]]);
  const typesOf = (columns: string): Tables => readTypes(`export interface Tables {\n  a: { ${columns} };\n}\n`);
  assert.deepEqual(compareTables(made, typesOf('x: Defaulted<number>; k: string; w: JsonOrNull')), []);
  assert.equal(compareTables(made, typesOf('x: Defaulted<number>; k: string')).length, 1);
  assert.equal(compareTables(made, typesOf('x: Defaulted<number>; k: string; w: JsonOrNull; v: string')).length, 1);
  assert.equal(compareTables(made, typesOf('x: Defaulted<number>; k: string | null; w: JsonOrNull')).length, 1);
  assert.equal(compareTables(made, typesOf('x: Defaulted<number>; k: Defaulted<string>; w: JsonOrNull')).length, 1);
  assert.equal(compareTables(made, new Map()).length, 1);
  assert.equal(compareTables(new Map(), typesOf('x: number')).length, 1);
});

test('tables.ts describes what the migrations make', () => {
  const sql = listFiles('sql/migrations', /\.sql$/).map(readText).join('\n');
  assertNone(compareTables(readMigrations(sql), readTypes(readText('src/store/tables.ts'))));
});
