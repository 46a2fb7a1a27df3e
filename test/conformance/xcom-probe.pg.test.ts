// The XCom probe against a real PostgreSQL: generations of Airflow's schema, read-only layer by layer, injections. The cases are in Python, where the probe is.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '#platform/exec.ts';
import { ROOT } from '../house/project.ts';
import { withDatabase } from '../support/database.ts';

test('the probe reads every generation and can change none', async () => {
  await withDatabase(async (database) => {
    const env = { PATH: process.env['PATH'] ?? '', PYTHONPATH: join(ROOT, 'python'), PYTHONDONTWRITEBYTECODE: '1', XCOM_TEST_SERVER: database.url };
    const done = await run(join(ROOT, '.venv-probe', 'bin', 'python'), ['-m', 'unittest', 'python.tests.live_xcom_probe'], { cwd: ROOT, env, timeoutMs: 100_000 });
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stderr, /^Ran 2[0-9] tests[^]*\nOK\n$/m);
  });
});
