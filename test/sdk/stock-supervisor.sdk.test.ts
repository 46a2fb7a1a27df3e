// Airflow's own `execute_workload`, unmodified, as its executors start it, over TCP against our public server.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionSpec } from '#contract/attempt.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../support/engine.ts';
import { type ExecutionServers, serveExecutions } from '../support/execution-server.ts';
import { dagOf, task } from '../support/rows.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const FOLDER = join(import.meta.dirname, 'dags', 'stock');
const DAG = dagOf('stock', [task('quick'), task('slow'), task('cleared'), task('unknown')]);

interface Ended { readonly code: number | null; readonly out: string }

/** One workload as Airflow's executors give it; the log goes to `home`. */
function startSupervisor(spec: ExecutionSpec, at: { readonly server: ExecutionServers; readonly home: string; readonly token?: string }): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const workload = {
    type: 'ExecuteTask', token: at.token ?? `${spec.execution_id}.${spec.token}`, dag_rel_path: 'stock.py', bundle_info: { name: 'stock', version: null }, log_path: `${spec.task_id}.log`,
    ti: { id: spec.attempt_id, dag_version_id: spec.version_id, task_id: spec.task_id, dag_id: spec.dag_id, run_id: spec.run.run_id, try_number: spec.try_number, map_index: spec.map_index, pool_slots: 1, queue: 'default', priority_weight: 1 },
  };
  const env = {
    PATH: process.env['PATH'] ?? '', HOME: at.home, AIRFLOW_HOME: at.home, STOCK_NOTES: join(at.home, 'notes'), AIRFLOW__CORE__EXECUTION_API_SERVER_URL: at.server.url, AIRFLOW__LOGGING__BASE_LOG_FOLDER: at.home,
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False', AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL: '1', PYTHONDONTWRITEBYTECODE: '1',
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: JSON.stringify([{ name: 'stock', classpath: 'airflow.dag_processing.bundles.local.LocalDagBundle', kwargs: { path: FOLDER } }]),
  };
  const child = spawn(sdkPython(), ['-m', 'airflow.sdk.execution_time.execute_workload', '--json-string', JSON.stringify(workload)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => void (out += text));
  return { child, ended: new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve({ code, out }))) };
}

/** Its code runs, and its handler of signals is there. */
async function untilAsleep(home: string, taskId: string): Promise<void> {
  const log = join(home, `${taskId}.log`);
  while (!existsSync(log) || !readFileSync(log, 'utf8').includes('asleep')) await sleep(200);
}

describe('the stock supervisor', { skip: withoutSdk }, () => {
  test('runs a task, is refused a second start, obeys a server that wants it to stop, and asks again for a task that it does not know', { timeout: 200_000 }, async () => {
    const home = mkdtempSync(join(tmpdir(), 'lf-stock-'));
    await using engine = await EngineUnderTest.open([DAG]);
    const run = await engine.trigger('stock', { logicalDate: '2026-01-03T00:00:00Z' });
    const server = await serveExecutions(engine, home);
    try {
      const quick = await startSupervisor(await engine.job('quick'), { server, home }).ended;
      assert.equal(quick.code, 0, quick.out.slice(-3000));
      await engine.untilInstance(run, 'quick', 'success');
      assert.match(readFileSync(join(home, 'quick.log'), 'utf8'), /"event":"connected to h"/);
      assert.equal(Buffer.from((await engine.one("select value from xcom_values where task_id = 'quick' and key = 'return_value'"))?.['value'] as Buffer).toString(), '7');

      const slow = await engine.job('slow');
      const first = startSupervisor(slow, { server, home });
      await untilAsleep(home, 'slow');
      const second = await startSupervisor(slow, { server, home }).ended;
      assert.equal(second.code, 1, 'a second process of the same execution is refused');
      assert.match(second.out, /already running/i);
      await applyAction(engine.database, { ...NO_ACTION, mark: [{ run, taskId: 'slow', mapIndex: -1, state: 'failed' }], by: 'ann' });
      const stopped = await first.ended;
      assert.equal(stopped.code, 0, 'its exit code says nothing about the task');
      assert.equal(readFileSync(join(home, 'notes'), 'utf8'), 'on_kill\n');

      const cleared = await engine.job('cleared');
      const third = startSupervisor(cleared, { server, home });
      await untilAsleep(home, 'cleared');
      await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'cleared', mapIndex: -1 }], by: 'ann' });
      assert.equal((await third.ended).code, 0);
      assert.equal(readFileSync(join(home, 'notes'), 'utf8'), 'on_kill\non_kill\n');

      const unknown = await engine.job('unknown');
      await startSupervisor(unknown, { server, home }).ended;
      await engine.untilInstance(run, 'unknown', 'up_for_reschedule');

      const refused = await startSupervisor(unknown, { server, home, token: `${unknown.execution_id}.wrong` }).ended;
      assert.equal(refused.code, 1, 'a token of nobody starts nothing');
      assert.ok(!existsSync(join(home, 'unknown.log')) || !readFileSync(join(home, 'unknown.log'), 'utf8').includes('on_kill'));
    } finally {
      await server.close();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
