// The published form starts and runs a DAG: plain JavaScript, nothing of the checkout's sources.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { temporaryFolder } from '../support/cli.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const home = temporaryFolder();
after(() => home.remove());

test('the built package holds no TypeScript and runs the demo DAG', () => {
  const built = spawnSync(process.execPath, [join(ROOT, 'bin', 'build.ts')], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(built.status, 0, built.stderr);
  assert.deepEqual(globSync('airflow-*.txt', { cwd: join(ROOT, 'dist', 'python', 'constraints') }), ['airflow-3.2.1.txt']);
  assert.deepEqual(globSync('**/*.{ts,pyc}', { cwd: join(ROOT, 'dist') }).filter((path) => !path.endsWith('.d.ts')), []);
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEOFLOW_'))), LEOFLOW_HOME: home.path, LEOFLOW_PYTHON: join(ROOT, '.venv', 'bin', 'python') };
  const ran = spawnSync(process.execPath, [join(ROOT, 'dist', 'src', 'main', 'cli.js'), 'run', join(ROOT, 'dist', 'examples', 'demo', 'branch_retry_join.py')], { encoding: 'utf8', timeout: 60_000, env });
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stdout, /branch_retry_join: success/);
});

test('a project with the package installed imports it, is checked with its types, and runs', () => {
  const project = join(home.path, 'project');
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  symlinkSync(join(ROOT, 'dist'), join(project, 'node_modules', 'leoflow'));
  writeFileSync(join(project, 'dag.ts'), "import { dag, task } from 'leoflow';\nconst one = task('one', () => 20);\nexport const d = dag('installed', {}, () => {\n  task('two', ({ n }: { n: number }) => n + 1)({ n: one() });\n});\n");
  writeFileSync(join(project, 'dag.test.ts'), "import assert from 'node:assert/strict';\nimport { runDag } from 'leoflow/testing';\nimport { d } from './dag.ts';\nassert.equal((await runDag(d)).results['two'], 21);\n");
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEOFLOW_') && name !== 'NODE_TEST_CONTEXT')), LEOFLOW_HOME: join(home.path, 'h'), LEOFLOW_PYTHON: join(ROOT, '.venv', 'bin', 'python') };
  const run = (args: readonly string[]): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [...args], { encoding: 'utf8', timeout: 60_000, env, cwd: project });
  const tested = run(['dag.test.ts']);
  assert.equal(tested.status, 0, String(tested.stderr));
  const cli = join(ROOT, 'dist', 'src', 'main', 'cli.js');
  const ran = run([cli, 'run', 'dag.ts']);
  assert.equal(ran.status, 0, String(ran.stderr));
  assert.match(String(ran.stdout), /two\.return_value = 21/);
  writeFileSync(join(project, 'wrong.ts'), "import { dag, task } from 'leoflow';\nconst one = task('one', () => 'x');\ndag('wrong', {}, () => void task('two', ({ n }: { n: number }) => n)({ n: one() }));\n");
  assert.match(String(run([cli, 'validate', 'wrong.ts']).stderr), /wrong\.ts:3:\d+: TS2322: Type 'Output<string>' is not assignable/);
});
