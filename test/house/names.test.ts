// File and folder names: kebab-case (Python: snake_case), and no drawers whose name tells nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertNone, listFiles } from './project.ts';

const DRAWERS = /^(utils?|helpers?|common|types?|interfaces?|index|misc|lib|shared|constants?|tools?|stuff)$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const SNAKE = /^(__[a-z]+__|[a-z0-9]+(_[a-z0-9]+)*)$/;
/** What a test needs stands before `.test.ts`. */
const NEEDS = /\.(pg|redis|container|e2e|crash|sdk)$/;

/** What is wrong with a path; null when nothing is. */
export function checkName(path: string): string | null {
  const parts = path.split('/');
  const file = parts.pop() ?? '';
  const isPython = file.endsWith('.py');
  const stem = file.replace(/\.(ts|py|sql|json|sh)$/, '').replace(/\.test$/, '').replace(NEEDS, '');
  const drawer = [...parts.slice(1), stem].find((part) => DRAWERS.test(part));
  if (drawer !== undefined) return `${path}: ${drawer} is a drawer: name what is in it`;
  // Programs that people call may have a dash; a module may not.
  const isModule = isPython && parts[0] === 'python';
  if (isModule ? !SNAKE.test(stem) : !(KEBAB.test(stem) || (isPython && SNAKE.test(stem)))) return `${path}: ${isModule ? 'a Python module is snake_case' : 'a file is kebab-case'}`;
  const folder = parts.slice(1).find((part) => !(isModule ? SNAKE : KEBAB).test(part));
  return folder === undefined ? null : `${path}: the folder ${folder} is not ${isModule ? 'snake_case' : 'kebab-case'}`;
}

test('the rule can fail', () => {
  for (const path of ['src/core/utils.ts', 'src/core/index.ts', 'src/core/index.test.ts', 'src/helpers/cron.ts', 'src/core/planRun.ts', 'src/core/Plan.ts', 'src/core/a.unit.test.ts', 'python/leoflow/run/fork-server.py', 'python/leoflow/common/a.py', 'src/Core/a.ts']) assert.notEqual(checkName(path), null, path);
  for (const path of ['src/core/plan-run.ts', 'src/store/dags.pg.test.ts', 'python/leoflow/__init__.py', 'python/leoflow/agent/fork_server.py', 'test/oracle/record-crons.py', 'test/oracle/airflow_oracle.py']) assert.equal(checkName(path), null, path);
});

test('every file has a name that tells what is in it', () => {
  const paths = [...['src', 'test', 'bench'].flatMap((folder) => listFiles(folder, /\.(ts|py)$/)), ...listFiles('python', /\.py$/)]
    .filter((path) => !path.startsWith('test/fixtures/'));
  assertNone(paths.flatMap((path) => checkName(path) ?? []));
});

test('migrations are numbered without gaps', () => {
  const names = listFiles('sql/migrations', /\.sql$/).map((path) => path.split('/').at(-1) ?? '');
  assertNone(names.flatMap((name, at) => (name.startsWith(`${String(at + 1).padStart(4, '0')}_`) && /^\d{4}_[a-z0-9_]+\.sql$/.test(name) ? [] : [`${name}: expected ${String(at + 1).padStart(4, '0')}_name.sql`])));
});
