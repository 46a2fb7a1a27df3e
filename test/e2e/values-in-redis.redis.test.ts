// A real server, real tasks and a real Redis that is emptied, killed and full while a run goes on.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type CliResult, leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { TestRedis, WITHOUT_REDIS } from '../support/redis.ts';

const place = temporaryFolder();
const home = join(place.path, 'home');
const dags = join(place.path, 'dags');
/** Tasks wait for files in here. */
const gates = join(place.path, 'gates');
let redis: TestRedis;
let lite: Running;

// Longer than what the leader keeps at hand, so that the consumer asks for it.
const DAG = `
from airflow.sdk import dag, task
import os, time

GATES = ${JSON.stringify(gates)}

def wait(name):
    open(os.path.join(GATES, name + ".waits"), "w").close()
    while not os.path.exists(os.path.join(GATES, name)):
        time.sleep(0.02)

@dag(schedule=None)
def handover():
    @task
    def produce(**context):
        wait("produce-" + context["run_id"])
        open(os.path.join(GATES, "produced-" + context["run_id"]), "a").write("x")
        return "v" * 100_000

    @task
    def consume(value, **context):
        return len(value)

    @task
    def pause(**context):
        wait("pause-" + context["run_id"])

    paused = pause()
    value = produce()
    value >> paused
    paused >> consume(value)

handover()
`;

const cli = (args: readonly string[]): Promise<CliResult> => leoflow(home, args);
/** What the server reported. */
const said = (text: string): boolean => readFileSync(join(home, 'logs', 'server.log'), 'utf8').includes(text);
const touch = (name: string): void => writeFileSync(join(gates, name), '');

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `waited for ${what}\n${lite.read().out.slice(-3000)}\n${lite.read().err.slice(-3000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function trigger(runId: string): Promise<void> {
  const done = await cli(['runs', 'trigger', 'handover', '--run-id', runId]);
  assert.equal(done.code, 0, done.err);
}

async function tries(runId: string): Promise<Record<string, number>> {
  const rows = JSON.parse((await cli(['tasks', 'list', 'handover', runId, '--json'])).out) as { task_id: string; try_number: number }[];
  return Object.fromEntries(rows.map((row) => [row.task_id, row.try_number]));
}

describe('values in Redis', { skip: WITHOUT_REDIS }, () => {
  before(async () => {
    for (const folder of [dags, gates]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(dags, 'handover.py'), DAG);
    redis = await TestRedis.start();
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_REDIS_URL: redis.url });
    await lite.until('ready http');
  });
  after(async () => {
    await lite?.stop();
    await redis?.[Symbol.asyncDispose]();
    place.remove();
  });

  it('go from task to task, and to people', async () => {
    for (const gate of ['produce-plain', 'pause-plain']) touch(gate);
    await trigger('plain');
    const watched = await cli(['runs', 'watch', 'handover', 'plain']);
    assert.equal(watched.code, 0, watched.out + watched.err);
    assert.equal((await cli(['xcom', 'get', 'handover', 'plain', 'consume'])).out.trim(), '100000');
    assert.equal((await cli(['xcom', 'get', 'handover', 'plain', 'produce'])).out.trim().length, 100_002);
    assert.equal((await redis.client.keys('leoflow:*:xcom:*')).length, 2);
  });

  it('that were flushed fail their consumer with xcom_lost, in its log, and are never None', async () => {
    touch('produce-flushed');
    await trigger('flushed');
    await until(() => existsSync(join(gates, 'pause-flushed.waits')), 'the task in between');
    await redis.client.flushall();
    touch('pause-flushed');
    assert.notEqual((await cli(['runs', 'watch', 'handover', 'flushed'])).code, 0);
    const log = await cli(['tasks', 'logs', 'handover', 'flushed', 'consume']);
    assert.match(log.out, /xcom_lost/);
    const asked = await cli(['xcom', 'get', 'handover', 'flushed', 'produce']);
    assert.notEqual(asked.code, 0);
    assert.match(asked.err, /gone/);
  });

  it('wait for a Redis that was killed: the task reports again and does not run again', async () => {
    touch('pause-killed');
    await trigger('killed');
    await until(() => existsSync(join(gates, 'produce-killed.waits')), 'the producer');
    await redis.kill();
    touch('produce-killed');
    await until(() => existsSync(join(gates, 'produced-killed')), 'its end');
    // The connection's end, or the report's refusal: whatever came first.
    await until(() => said('xcom_store.unavailable'), 'the event');
    await redis.start();
    const watched = await cli(['runs', 'watch', 'handover', 'killed']);
    assert.equal(watched.code, 0, watched.out + watched.err);
    assert.deepEqual(await tries('killed'), { produce: 1, pause: 1, consume: 1 });
    assert.equal((await cli(['xcom', 'get', 'handover', 'killed', 'consume'])).out.trim(), '100000');
  });

  it('that do not fit are refused loudly, and taken when there is room', async () => {
    touch('pause-full');
    await trigger('full');
    await until(() => existsSync(join(gates, 'produce-full.waits')), 'the producer');
    await redis.client.config('SET', 'maxmemory', '1mb');
    touch('produce-full');
    await until(() => said('OOM command not allowed'), 'the event');
    await redis.client.config('SET', 'maxmemory', '0');
    const watched = await cli(['runs', 'watch', 'handover', 'full']);
    assert.equal(watched.code, 0, watched.out + watched.err);
    assert.deepEqual(await tries('full'), { produce: 1, pause: 1, consume: 1 });
  });

  it('go with their run', async () => {
    const held = async (): Promise<number> => (await redis.client.keys('leoflow:*')).length;
    assert.ok((await held()) > 2);
    const pruned = await leoflow(home, ['prune', '--older-than', '0h', '--keep', '1']);
    assert.match(pruned.out, /deleted 3 runs/);
    await until(async () => (await held()) === 2, 'the last run’s values alone');
  });

  it('a Redis that drops values by itself is refused at the start', async () => {
    await using forgetful = await TestRedis.start({ 'maxmemory-policy': 'allkeys-lru' });
    const other = join(place.path, 'other');
    const done = await leoflow(other, ['lite', dags, '--port', '0', '--home', other], { env: { LEOFLOW_REDIS_URL: forgetful.url } });
    assert.notEqual(done.code, 0);
    assert.match(done.err, /allkeys-lru/);
    const doctor = await leoflow(other, ['doctor'], { env: { LEOFLOW_REDIS_URL: forgetful.url } });
    assert.match(doctor.out, /✗ xcom .*allkeys-lru/);
  });
});
