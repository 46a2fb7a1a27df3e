// Whoever is killed above a task, the task and all that it started are gone before another execution of it begins; and what it leaves running goes with it.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '#platform/exec.ts';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { childrenOf } from '../support/processes.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

describe('what a task leaves behind', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const notes = join(place.path, 'notes');
  let lite: Running;
  let url = '';

  const started = (): number[][] => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').map((line) => line.split(' ').map(Number)) : []);
  const untilStarted = async (count: number): Promise<void> => {
    while (started().length < count) await sleep(100);
  };
  const parentOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    cpSync(join(import.meta.dirname, 'dags', 'left'), join(place.path, 'dags'), { recursive: true });
    lite = startLeoflow(home, ['lite', join(place.path, 'dags'), '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEFT_NOTES: notes });
    url = (await lite.until('ready http')).replace('ready ', '').trim();
  }, { timeout: 100_000 });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  const request = async (path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${url}/api/v2/dags/${path}`, { method: body === undefined ? 'GET' : 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return answer.json();
  };

  test('is ended soon after it, though it holds its output open', { timeout: 60_000 }, async () => {
    const { dag_run_id: run } = (await request('leaves/dagRuns', { logical_date: null })) as { dag_run_id: string };
    const path = `leaves/dagRuns/${encodeURIComponent(run)}`;
    while (((await request(path)) as { state: string }).state !== 'success') await sleep(100);
    const pid = Number(((await request(`${path}/taskInstances/leaves/xcomEntries/return_value`)) as { value: number }).value);
    const begun = performance.now();
    while (isAlive(pid)) await sleep(100);
    assert.ok(performance.now() - begun < 20_000, 'a minute would be that of the SDK');
  });

  test('nothing, whether its supervisor, its fork server or the launcher is killed', { timeout: 120_000 }, async () => {
    await request('left_behind/dagRuns', { logical_date: null });
    await untilStarted(1);
    const supervisor = parentOf(started()[0]?.[0] ?? 0);
    process.kill(supervisor, 'SIGKILL');
    await untilStarted(2);
    assert.deepEqual(started()[0]?.filter(isAlive), [], 'after the supervisor');

    const forkServer = parentOf(parentOf(started()[1]?.[0] ?? 0));
    process.kill(forkServer, 'SIGKILL');
    await untilStarted(3);
    assert.deepEqual(started()[1]?.filter(isAlive), [], 'after the fork server');

    const launcher = childrenOf(lite.child.pid ?? 0).flatMap((pid) => [pid, ...childrenOf(pid)]).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('leoflow.agent.launcher')) ?? 0;
    process.kill(launcher, 'SIGKILL');
    await untilStarted(4);
    assert.deepEqual(started()[2]?.filter(isAlive), [], 'after the launcher');
  });
});
