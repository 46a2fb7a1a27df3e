// Task SDKs that are too old: their supervisors are told what to install, start nothing and end.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EngineUnderTest } from '../../support/engine.ts';
import { serveExecutions } from '../../support/execution-server.ts';
import { dagOf, task } from '../../support/rows.ts';
import { logOf, startSupervisor } from '../../support/stock-supervisor.ts';

const PYTHONS = (process.env['LEOFLOW_TEST_REFUSED_PYTHONS'] ?? '').split(':').filter((path) => path !== '');
const FOLDER = join(import.meta.dirname, '..', '..', 'sdk', 'dags', 'stock');
const NAME = 'import importlib.metadata as m; from airflow.sdk.api.datamodels._generated import API_VERSION; print(m.version("apache-airflow-task-sdk"), API_VERSION)';

describe('a Task SDK that is too old', { skip: PYTHONS.length === 0 ? 'needs older environments: make prove-older-sdk' : false }, () => {
  for (const python of PYTHONS) {
    test(python.split('/').at(-3) ?? python, { timeout: 120_000 }, async (t) => {
      const [sdk, api] = execFileSync(python, ['-c', NAME], { encoding: 'utf8' }).trim().split('\n').at(-1)?.split(' ') ?? [];
      const home = mkdtempSync(join(tmpdir(), 'lf-stock-'));
      await using engine = await EngineUnderTest.open([dagOf('stock', [task('quick')])]);
      const run = await engine.trigger('stock', { logicalDate: '2026-01-03T00:00:00Z' });
      const server = await serveExecutions(engine, home);
      try {
        const spec = await engine.job('quick');
        const { code, out } = await startSupervisor(spec, { server, home, folder: FOLDER, dagFile: 'stock.py', python }).ended;
        const line = out.split('\n').find((one) => one.includes('is not served')) ?? assert.fail(out.slice(-4000));
        t.diagnostic(`apache-airflow-task-sdk ${sdk}, which speaks ${api}, ends with ${code}: ${line.trim()}`);
        assert.equal(code, 1);
        assert.match(line, new RegExp(`version ${api} of the Task Execution API is not served, only 2025-11-05 and later: install apache-airflow-task-sdk `));
        const log = join(home, logOf(spec));
        assert.ok(!existsSync(log) || !readFileSync(log, 'utf8').includes('connected to'), 'no code of the task ran');
        engine.executor.kill(spec, { status: code, signal: null });
        await engine.untilInstance(run, 'quick', 'failed');
      } finally {
        await server.close();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
