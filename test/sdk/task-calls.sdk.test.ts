// What tasks under the real Task SDK ask of our Task Execution API, beside what they asked of a real Airflow 3.2.1: the difference is empty.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type FinalStates, playCalls } from '../compat/task-sdk/play-calls.ts';
import { type RecordingProxy, startRecordingProxy } from '../compat/task-sdk/recording-proxy.ts';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'airflow-3.2.1', 'task-calls.json');
const recorded = JSON.parse(readFileSync(FIXTURE, 'utf8')) as { states: FinalStates; calls: Record<string, string[][]> };

/** Where ours differs on purpose, with the reason. */
const APART: Readonly<Record<string, string>> = {};

describe('calls of the Task SDK', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  let lite: Running;
  let proxy: RecordingProxy;
  let states: FinalStates = {};
  let calls: Record<string, string[][]> = {};

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, '..', 'compat', 'task-sdk', 'dags'), dags, { recursive: true });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_FORK_SERVER_IDLE_SECONDS: '20' });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    proxy = await divertExecutions(home);
    states = await playCalls({ url, token: readFileSync(join(home, 'token'), 'utf8').trim(), pollMs: 200, quietMs: 1500, limitMs: 100_000 });
    calls = proxy.read();
  }, { timeout: 200_000 });
  after(async () => {
    await lite.stop();
    await proxy.close();
    place.remove();
  });

  for (const dagId of Object.keys(recorded.states)) {
    test(dagId, () => {
      if (APART[dagId] !== undefined) return assert.notDeepEqual(calls[dagId], recorded.calls[dagId], `${dagId} does not differ any more: ${APART[dagId]}`);
      assert.deepEqual(states[dagId], recorded.states[dagId]);
      assert.deepEqual(calls[dagId], recorded.calls[dagId]);
    });
  }
});

/** Executions look in a file where the leader is: there they find the proxy. */
async function divertExecutions(home: string): Promise<RecordingProxy> {
  const file = join(home, 'run', 'agent.json');
  const leader = JSON.parse(readFileSync(file, 'utf8')) as { socket: string };
  const socket = join(home, 'run', 'proxy.sock');
  const proxy = await startRecordingProxy(() => ({ socketPath: leader.socket }), socket);
  writeFileSync(file, JSON.stringify({ ...leader, socket }));
  return proxy;
}
