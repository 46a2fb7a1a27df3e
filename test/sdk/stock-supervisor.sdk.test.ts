// Airflow's own `execute_workload`, unmodified, as its executors start it, over TCP against our public server.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionSpec } from '#contract/attempt.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../support/engine.ts';
import { serveExecutions } from '../support/execution-server.ts';
import { dagOf, task } from '../support/rows.ts';
import { logOf, startSupervisor } from '../support/stock-supervisor.ts';
import { withoutSdk } from '../support/task-sdk.ts';

const FOLDER = join(import.meta.dirname, 'dags', 'stock');
const DAG = dagOf('stock', [task('quick'), task('slow'), task('cleared'), task('unknown')]);

/** Its code runs, and its handler of signals is there. */
async function untilAsleep(log: string): Promise<void> {
  while (!existsSync(log) || !readFileSync(log, 'utf8').includes('asleep')) await sleep(200);
}

describe('the stock supervisor', { skip: withoutSdk }, () => {
  test('runs a task, is refused a second start, obeys a server that wants it to stop, and asks again for a task that it does not know', { timeout: 200_000 }, async () => {
    const home = mkdtempSync(join(tmpdir(), 'lf-stock-'));
    await using engine = await EngineUnderTest.open([DAG]);
    const run = await engine.trigger('stock', { logicalDate: '2026-01-03T00:00:00Z' });
    const server = await serveExecutions(engine, home);
    const at = { server, home, folder: FOLDER, dagFile: 'stock.py', env: { STOCK_NOTES: join(home, 'notes') } };
    const logFile = (spec: ExecutionSpec): string => join(home, logOf(spec));
    try {
      const job = await engine.job('quick');
      const quick = await startSupervisor(job, at).ended;
      assert.equal(quick.code, 0, quick.out.slice(-3000));
      await engine.untilInstance(run, 'quick', 'success');
      assert.match(readFileSync(logFile(job), 'utf8'), /"event":"connected to h"/);
      assert.equal(Buffer.from((await engine.one("select value from xcom_values where task_id = 'quick' and key = 'return_value'"))?.['value'] as Buffer).toString(), '7');

      const slow = await engine.job('slow');
      const first = startSupervisor(slow, at);
      await untilAsleep(logFile(slow));
      const second = await startSupervisor(slow, at).ended;
      assert.equal(second.code, 1, 'a second process of the same execution is refused');
      assert.match(second.out, /already running|ServerResponseError: Server returned error/i);
      await applyAction(engine.database, { ...NO_ACTION, mark: [{ run, taskId: 'slow', mapIndex: -1, state: 'failed' }], by: 'ann' });
      const stopped = await first.ended;
      assert.equal(stopped.code, 0, 'its exit code says nothing about the task');
      assert.equal(readFileSync(join(home, 'notes'), 'utf8'), 'on_kill\n');

      const cleared = await engine.job('cleared');
      const third = startSupervisor(cleared, at);
      await untilAsleep(logFile(cleared));
      await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'cleared', mapIndex: -1 }], by: 'ann' });
      assert.equal((await third.ended).code, 0);
      assert.equal(readFileSync(join(home, 'notes'), 'utf8'), 'on_kill\non_kill\n');

      const unknown = await engine.job('unknown');
      await startSupervisor(unknown, at).ended;
      await engine.untilInstance(run, 'unknown', 'up_for_reschedule');

      const refused = await startSupervisor(unknown, { ...at, token: `${unknown.execution_id}.wrong` }).ended;
      assert.equal(refused.code, 1, 'a token of nobody starts nothing');
      assert.ok(!existsSync(logFile(unknown)) || !readFileSync(logFile(unknown), 'utf8').includes('on_kill'));
    } finally {
      await server.close();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
