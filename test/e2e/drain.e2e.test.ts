// How `leoflow server` stops while tasks run: it leaves them to another server, waits for them, or ends them without spending a try.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ServerProcess, ServersUnderTest } from '../support/servers.ts';

const STAY = `
    @task
    def stay():
        mark("began", os.getpid())
        wait("go")
    @task
    def after(value):
        mark("after")
    after(stay())
`;

const drained = (server: ServerProcess): Record<string, unknown> => JSON.parse(server.read().out.split('\n').find((line) => line.includes('"server.drained"')) ?? '{}') as Record<string, unknown>;
const statusOf = async (url: string): Promise<number> => (await fetch(`${url}/readyz`)).status;

async function executionsOf(scene: ServersUnderTest, run: string): Promise<unknown[]> {
  return (await scene.rows('select a.task_id, e.state, e.cause from executions e join task_attempts a on a.id = e.attempt_id where e.run = $1 order by e.id', [run])).map((row) => [row['task_id'], row['state'], row['cause']]);
}

test('alone: it starts nothing, is not ready, takes the report, and ends', async () => {
  await using scene = await ServersUnderTest.open();
  const server = await scene.start();
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  assert.equal(await statusOf(server.url), 200);
  const stopped = server.stop();
  await server.until('"server.stopping"');
  assert.equal(await statusOf(server.url), 503);
  scene.mark('go');
  assert.equal(await stopped, 0);
  assert.deepEqual([drained(server)['how'], drained(server)['executions']], ['idle', 0]);
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'success', null]]);
  const states = await scene.rows('select task_id, state from task_instances where run = $1 order by task_id desc', [run]);
  assert.deepEqual(states.map((row) => [row['task_id'], row['state']]), [['stay', 'success'], ['after', 'scheduled']]);
  assert.match(server.read().err, /stopping: 1 execution may end within 30 s[\s\S]*stopped: nothing runs any more/);
  await scene.start();
  await scene.untilRun(run, 'success');
});

test('what does not end in time is ended, and runs again without spending a try', async () => {
  await using scene = await ServersUnderTest.open();
  const server = await scene.start({ LEOFLOW_DRAIN_SECONDS: '1' });
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  assert.equal(await server.stop(), 0);
  assert.deepEqual([drained(server)['how'], drained(server)['executions']], ['time_over', 1]);
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'lost', 'lost']], 'its end is written down before the server goes');
  scene.mark('go');
  await scene.start();
  await scene.untilRun(run, 'success');
  assert.deepEqual((await scene.rows('select task_id, try_number from task_instances where run = $1 order by task_id', [run])).map((row) => row['try_number']), [1, 1]);
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'lost', 'lost'], ['stay', 'success', null], ['after', 'success', null]]);
});

test('a second signal does not wait', async () => {
  await using scene = await ServersUnderTest.open();
  const server = await scene.start({ LEOFLOW_DRAIN_SECONDS: '600' });
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  const stopped = server.stop();
  await server.until('"server.stopping"');
  const asked = performance.now();
  server.child.kill('SIGINT');
  assert.equal(await stopped, 0);
  assert.ok(performance.now() - asked < 5000);
  assert.equal(drained(server)['how'], 'hurried');
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'lost', 'lost']]);
});

test('another server of the same home goes on with what runs', async () => {
  await using scene = await ServersUnderTest.open();
  const leader = await scene.start();
  const next = await scene.start();
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  const asked = performance.now();
  assert.equal(await leader.stop(), 0);
  assert.ok(performance.now() - asked < 5000, 'it does not wait for the task');
  assert.deepEqual([drained(leader)['how'], drained(leader)['executions']], ['handed_over', 1]);
  await next.until('"execution.adopted"');
  scene.mark('go');
  await scene.untilRun(run, 'success');
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'success', null], ['after', 'success', null]], 'nothing was begun twice');
});

test('a follower just goes', async () => {
  await using scene = await ServersUnderTest.open();
  await scene.start();
  const follower = await scene.start();
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  assert.equal(await follower.stop(), 0);
  assert.equal(drained(follower)['how'], 'not_leading');
  scene.mark('go');
  await scene.untilRun(run, 'success');
});

test('what runs in another home folder of the same machine is not taken for gone', async () => {
  await using scene = await ServersUnderTest.open();
  const leader = await scene.start();
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  const stranger = await scene.start({}, `${scene.home}2`);
  await leader.stop('SIGKILL');
  await stranger.until('"leader.ready"');
  scene.mark('go');
  await scene.untilRun(await scene.trigger(STAY), 'success');
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'running', null]]);
});

test('a server of another home is no successor: it would start again what runs here', async () => {
  await using scene = await ServersUnderTest.open();
  const leader = await scene.start({ LEOFLOW_DRAIN_SECONDS: '600' });
  await scene.start({}, `${scene.home}2`);
  const run = await scene.trigger(STAY);
  await scene.untilMarked('began');
  const stopped = leader.stop();
  await leader.until('"server.stopping"');
  scene.mark('go');
  assert.equal(await stopped, 0);
  assert.equal(drained(leader)['how'], 'idle');
  await scene.untilRun(run, 'success');
  assert.deepEqual(await executionsOf(scene, run), [['stay', 'success', null], ['after', 'success', null]]);
});
