// The published form starts and runs a DAG: plain JavaScript, nothing of the checkout's sources.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { temporaryFolder } from '../support/cli.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const home = temporaryFolder();
after(() => home.remove());

test('the built package holds no TypeScript and runs the demo DAG', () => {
  const built = spawnSync(process.execPath, [join(ROOT, 'bin', 'build.ts')], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(built.status, 0, built.stderr);
  assert.deepEqual(globSync('**/*.{ts,pyc}', { cwd: join(ROOT, 'dist') }), []);
  const env = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEOFLOW_'))), LEOFLOW_HOME: home.path, LEOFLOW_PYTHON: join(ROOT, '.venv', 'bin', 'python') };
  const ran = spawnSync(process.execPath, [join(ROOT, 'dist', 'src', 'main', 'cli.js'), 'run', join(ROOT, 'dist', 'examples', 'demo', 'branch_retry_join.py')], { encoding: 'utf8', timeout: 60_000, env });
  assert.equal(ran.status, 0, ran.stderr);
  assert.match(ran.stdout, /branch_retry_join: success/);
});
