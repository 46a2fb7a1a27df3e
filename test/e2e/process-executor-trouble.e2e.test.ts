// The process executor when its own work fails: fork servers that do not answer, versions that cannot be prepared.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { dagSource, isRunning, ProcessesUnderTest, processesOf } from '../support/processes.ts';

const TASKS = dagSource(`
    @task
    def ok(): pass
    @task
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark("deaf", os.getpid())
        time.sleep(600)
    ok(), deaf()`);

describe('a fork server that accepts and does not answer', () => {
  it('is ended at a take-over, and only then counts as gone', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    await p.start(version, 'deaf');
    const task = Number(await p.mark('deaf'));
    const [server = 0] = processesOf(p.home).forkServers;
    process.kill(server, 'SIGSTOP');
    await p.takeOver();
    assert.deepEqual([...(p.inventory?.running ?? [])], []);
    assert.ok(!isRunning(server) && !isRunning(task), 'what does not count as running does not run');
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });

  it('is ended and started again in a running term', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def ok(): pass
    ok()`, 'import beside'), 'import os, time\nif not os.path.exists(os.environ["MARKS"] + "/import"):\n    open(os.environ["MARKS"] + "/import", "w").close()\n    import __main__\n    __main__.ForkServer.run = lambda self: time.sleep(600)\n');
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.deepEqual([p.told.failed, existsSync(join(p.marks, 'import'))], [[], true]);
  });

  it('does not count as gone when only its connection is', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def stay():
        mark("stay", os.getpid())
        time.sleep(600)
    stay()`, 'import beside'), 'import __main__, time\ndef hang_up(self):\n    self.leader.sock.shutdown(2)\n    self.leader = None\n    time.sleep(600)\n__main__.ForkServer._cancel = lambda self, *_: hang_up(self)\n');
    const { id } = await p.start(version, 'stay');
    const task = Number(await p.mark('stay'));
    p.executor.cancel(id, 30);
    await p.lost(id);
    assert.ok(!isRunning(task), 'it is gone before it is lost');
  });
});

describe('a version that cannot be prepared', () => {
  it('fails nobody when the reason passes: who waits asks again', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const events: string[] = [];
    p.reporter.listen((event) => {
      if (event.event === 'failure') events.push(`${event.where}: ${event.error}`);
    });
    p.prepareErrors.push(Object.assign(new Error('canceling statement due to statement timeout'), { code: '57014' }), Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.deepEqual(p.told.failed, []);
    assert.equal(p.told.ready.length, 3, 'asked for again after each error, and when it was ready');
    assert.equal(events.length, 2);
    assert.match(events[0] ?? '', /^prepare: .*statement timeout/);
  });

  it('fails who waits when it is gone or no DAG', async () => {
    await using p = await ProcessesUnderTest.open();
    for (const code of ['not_found', 'invalid_dag'] as const) {
      const version = p.version(TASKS);
      p.prepareErrors.push(new AppError(code, 'nothing there'));
      p.executor.reserve(version);
      await p.until(() => p.told.failed.some((one) => one.versionId === version), 'the failure');
    }
  });
});
