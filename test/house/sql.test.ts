// SQL: every statement says where it comes from (`/* store/file.function */`), and one function writes a task instance's state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, isTest, readSources, scan, type Source } from './project.ts';

/** Statements that carry no mark: they name nothing to look for. */
const EXEMPT = /^\s*(begin|commit|rollback|listen [a-z_$]|unlisten)/i;
const STATEMENT = /^\s*(with\b[\s\S]*\bas\b|select\s|insert\s+into\s|update\s[\s\S]*\bset\s|delete\s+from\s|create\s+(table|index|unique|database|schema)\s|alter\s+(table|database)\s|drop\s+(table|database|schema)\s|notify\s|truncate\s)/i;
const MARK = /^\/\* store\/([a-z0-9-]+)\.[A-Za-z0-9]+ \*\/\s/;

/** Statements of a store file without their mark, or with another file's. A piece of SQL that is no statement needs none. */
export function checkMarks(source: Source): string[] {
  const file = source.path.split('/').at(-1)?.replace(/\.ts$/, '') ?? '';
  return source.literals.flatMap(({ text, line, start }) => {
    const mark = MARK.exec(text);
    if (mark !== null) return mark[1] === file ? [] : [`${source.path}:${line}: the mark names ${mark[1]}.ts`];
    const before = source.code.slice(Math.max(0, start - 200), start - 1);
    const isSent = /\.query\s*(<[^()]*>)?\(\s*$/.test(before) || /\btext:\s*$/.test(before);
    if (EXEMPT.test(text) || !(isSent || STATEMENT.test(text) || text.includes('/* store/'))) return [];
    return [`${source.path}:${line}: the statement does not start with /* store/${file}.function */`];
  });
}

test('the rule can fail', () => {
  const problemsOf = (text: string): number => checkMarks(scan('src/store/dag-runs.ts', text)).length;
  assert.equal(problemsOf('await sql`select 1`.execute(db)'), 1);
  assert.equal(problemsOf("await client.query('vacuum')"), 1);
  assert.equal(problemsOf("await client.query<{ a: number }>('vacuum')"), 1);
  assert.equal(problemsOf('const TEXT = `/* store/dags.read */ select 1`;'), 1, 'the mark of another file');
  assert.equal(problemsOf('const TEXT = `\n  /* store/dag-runs.read */ select 1`;'), 1, 'the mark comes first');
  assert.equal(problemsOf('const TEXT = `with a as (select 1) select * from a`;'), 1);
});

test('marked statements, pieces and what is exempt pass', () => {
  const text = "const TEXT = `/* store/dag-runs.read */\nselect 1`;\nawait client.query('begin'); await client.query(`listen ${a}`);\nconst piece = sql`clock_timestamp()`; const message = 'select another DAG';\nthrow new Error('update the row first');";
  assert.deepEqual(checkMarks(scan('src/store/dag-runs.ts', text)), ["src/store/dag-runs.ts:4: the statement does not start with /* store/dag-runs.function */"], 'words that look like SQL are asked to look different');
});

/** Statements that write the state of a task instance, anywhere but in moveTask. */
export function checkStateWriters(source: Source): string[] {
  if (source.path === 'src/store/task-attempts.ts') return [];
  const statements = source.literals.filter(({ text }) => /\binsert\s+into\s+task_instances\b|\bupdate\s+task_instances\b[\s\S]*?\bset\b[\s\S]*?\bstate\s*=/i.test(text));
  const built = source.literals.filter(({ text, start }) => {
    const call = /\b(updateTable|insertInto)\(.$/.exec(source.code.slice(0, start))?.[1];
    return text === 'task_instances' && (call === 'insertInto' || (call === 'updateTable' && /^[^;]*\bstate\s*:/.test(source.code.slice(start))));
  });
  return [...statements, ...built].map(({ line }) => `${source.path}:${line}: a task instance's state is written by moveTask only`);
}

test('the rule about state writers can fail', () => {
  const problemsOf = (text: string): number => checkStateWriters(scan('src/store/a.ts', text)).length;
  assert.equal(problemsOf("sql`update task_instances t set note = 1, state = 'success' where true`"), 1);
  assert.equal(problemsOf('const A = `with a as (insert into task_instances (run) values ($1)) select 1`;'), 1);
  assert.equal(problemsOf("db.updateTable('task_instances').set({ state: null }).execute();"), 1);
  assert.equal(problemsOf("db.insertInto('task_instances').values(row);"), 1);
  assert.equal(problemsOf("sql`update task_instances set note = $1 where state is null`; db.updateTable('task_instances').set({ note }).execute(); const a = { state: 1 };"), 0);
});

test('the state of a task instance is written by moveTask only', () => assertNone(readSources('src').filter(({ path }) => !isTest(path)).flatMap(checkStateWriters)));

test('every statement of the store is marked', () => assertNone(readSources('src/store').filter(({ path }) => !isTest(path)).flatMap(checkMarks)));
