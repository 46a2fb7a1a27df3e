// The process executor as processes see it: ends of every kind, cancels, leftovers, kills, imports that go wrong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { childrenOf, dagSource, fdsOf, ProcessesUnderTest, processesOf, untilGone, untilReaped } from '../support/processes.ts';

const TASKS = dagSource(`
    @task
    def ok():
        print("hello from ok")
        return os.environ["LEOFLOW_EXECUTION_ID"]
    @task
    def wrong():
        raise ValueError("so wrong")
    @task
    def leave():
        os._exit(3)
    @task
    def stay():
        mark("stay", os.getpid())
        time.sleep(600)
    @task
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mark("deaf", os.getpid())
        time.sleep(600)
    @task
    def tidy():
        try:
            mark("tidy", os.getpid())
            time.sleep(600)
        finally:
            mark("tidied")
    @task
    def parent():
        program = subprocess.Popen(["sleep", "600"], start_new_session=True)
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        mark("children", f"{program.pid} {os.read(read, 100).decode()}")
    @task
    def forks():
        child = os.fork()
        if child == 0:
            return "child"
        os.waitpid(child, 0)
        return "parent"
    @task
    def large():
        return "x" * 5000
    @task
    def loud():
        print("y" * 10_000_000)
    ok(), wrong(), leave(), stay(), deaf(), tidy(), parent(), large(), loud(), forks()
`, 'print("printed at import")');

/** What a module does that a fork server imports: a project's own code that does so is imported by each task. */
const MARK_AND_WAIT = 'if not os.path.exists(os.environ["MARKS"] + "/import"):\n    open(os.environ["MARKS"] + "/import", "w").write(str(os.getpid()))\n    time.sleep(600)';

describe('ends', () => {
  it('a report, a log, and a process that is gone', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const started = await p.start(version, 'ok');
    const report = await p.report(started.id);
    assert.equal(report.outcome, 'success');
    assert.deepEqual(report.xcoms?.map((xcom) => [xcom.key, JSON.parse(xcom.value)]), [['return_value', started.id]], 'the task knows its execution');
    assert.deepEqual(await p.exit(started.id).then(({ status, signal }) => ({ status, signal })), { status: 0, signal: null });
    assert.match(readFileSync(started.logFile, 'utf8'), /hello from ok/);
    const record = readFileSync(started.outcomeFile, 'utf8');
    assert.deepEqual(JSON.parse(record.slice(record.indexOf(' '))), report, 'what it reported is left behind');
    assert.match(readFileSync(join(p.home, 'logs', 'imports.log'), 'utf8'), /printed at import/);
  });

  it('an exception, an exit and a kill are told apart', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const wrong = await p.finish(version, 'wrong');
    assert.deepEqual([wrong.outcome, wrong.error?.type, wrong.error?.message], ['failed', 'ValueError', 'so wrong']);
    const left = await p.exit((await p.start(version, 'leave')).id);
    assert.deepEqual([left.status, left.signal], [3, null]);
    const { id } = await p.start(version, 'stay');
    process.kill(Number(await p.mark('stay')), 'SIGKILL');
    const killed = await p.exit(id);
    assert.deepEqual([killed.signal, killed.oom], [9, false]);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success', 'the others do not notice');
  });

  it('a value over the limit fails the task that pushes it', async () => {
    await using p = await ProcessesUnderTest.open();
    const report = await p.finish(p.version(TASKS), 'large');
    assert.equal(report.outcome, 'failed');
    assert.match(report.error?.message ?? '', /1000/);
  });

  it('a line of ten megabytes ends the task neither in error nor in silence', async () => {
    await using p = await ProcessesUnderTest.open();
    const started = await p.start(p.version(TASKS), 'loud');
    assert.equal((await p.report(started.id)).outcome, 'success');
    assert.match(readFileSync(started.logFile, 'utf8'), /yyyy/);
  });
});

describe('cancels', () => {
  it('a task may clean up, and says that it was cancelled', async () => {
    await using p = await ProcessesUnderTest.open();
    const { id } = await p.start(p.version(TASKS), 'tidy');
    await p.mark('tidy');
    p.executor.cancel(id, 30);
    await p.mark('tidied');
    assert.equal((await p.report(id)).cause, 'cancelled');
    await p.exit(id);
  });

  it('one that does not listen is killed when the grace is over', async () => {
    await using p = await ProcessesUnderTest.open();
    const { id } = await p.start(p.version(TASKS), 'deaf');
    await p.mark('deaf');
    p.executor.cancel(id, 0.2);
    assert.equal((await p.exit(id)).signal, 9);
    assert.deepEqual(p.reports, []);
  });
});

describe('leftovers', () => {
  it('what a task started in sessions of its own ends with it', async () => {
    await using p = await ProcessesUnderTest.open();
    assert.equal((await p.finish(p.version(TASKS), 'parent')).outcome, 'success');
    const pids = (await p.mark('children')).split(' ').map(Number);
    assert.equal(pids.length, 2);
    for (const pid of pids) await untilGone(pid);
  });

  it('a thousand executions leave neither files nor processes', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    await p.finish(version, 'ok');
    const [server = 0] = processesOf(p.home).forkServers;
    await p.parkedSlot(version).then((slot) => slot.release());
    const [files, children] = [fdsOf(server), childrenOf(server).length];
    for (let batch = 0; batch < 20; batch += 1) await Promise.all(Array.from({ length: 50 }, () => p.finish(version, 'ok')));
    assert.equal(p.reports.length, 1001);
    assert.ok(fdsOf(server) <= files + 2, `${files} files became ${fdsOf(server)}`);
    assert.ok(childrenOf(server).length <= children + 2, `${children} children became ${childrenOf(server).length}`);
  });
});

describe('kills', () => {
  it('of a fork server: what it ran is lost, another one starts', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const { id } = await p.start(version, 'stay');
    const pid = Number(await p.mark('stay'));
    process.kill(processesOf(p.home).forkServers[0] ?? 0, 'SIGKILL');
    await p.lost(id);
    await untilGone(pid);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });

  it('of a fork server: daemons of its tasks do not survive', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def daemon():
        program = subprocess.Popen(["sleep", "600"], start_new_session=True)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            time.sleep(600)
        mark("pids", f"{program.pid} {pid}")
        time.sleep(600)
    daemon()`));
    const { id } = await p.start(version, 'daemon');
    const pids = (await p.mark('pids')).split(' ').map(Number);
    process.kill(processesOf(p.home).forkServers[0] ?? 0, 'SIGKILL');
    await p.lost(id);
    for (const pid of pids) await untilGone(pid);
  });

  it('of the launcher: everything below dies, another one starts, work goes on', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const { id } = await p.start(version, 'stay');
    const pid = Number(await p.mark('stay'));
    const before = processesOf(p.home);
    process.kill(before.launcher, 'SIGKILL');
    await p.lost(id);
    for (const gone of [pid, ...before.forkServers]) await untilGone(gone);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.notEqual(processesOf(p.home).launcher, before.launcher);
  });

  it('of the launcher while a file is imported: it is imported again', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def ok(): pass
    ok()`, 'import beside'), MARK_AND_WAIT);
    assert.equal(p.executor.reserve(version), null);
    await p.mark('import');
    process.kill(processesOf(p.home).launcher, 'SIGKILL');
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });

  it('of a fork server while a file is imported: it is imported again', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def ok(): pass
    ok()`, 'import beside'), MARK_AND_WAIT);
    assert.equal(p.executor.reserve(version), null);
    await p.mark('import');
    process.kill(processesOf(p.home).forkServers[0] ?? 0, 'SIGKILL');
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.deepEqual(p.told.failed, [], 'nothing is wrong with the file');
  });

  it('of a fork server each time its file is imported: that is told as a failure', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource('    pass', 'import beside'), 'os.kill(os.getpid(), signal.SIGSEGV)');
    for (let asked = 0; p.told.failed.length === 0; asked += 1) {
      assert.ok(asked < 10, 'it ends');
      p.executor.reserve(version);
      await p.until(() => p.told.ready.length > asked || p.told.failed.length > 0, 'an answer');
    }
    assert.match(p.told.failed[0]?.error.message ?? '', /signal 11 before the DAG file was imported, 4 times in a row/);
  });

  it('of parked children: the next execution does not go to a dead one', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const taken = await p.parkedSlot(version);
    process.kill(taken.pid, 'SIGKILL');
    await untilReaped(taken.pid);
    // Its connection is closed by now; what is left is to hear of it.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    taken.release();
    for (let count = 0; count < 4; count += 1) assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.deepEqual(p.told.lost, []);
  });

  it('of a fork server between a place and its job: the execution is lost, not forgotten', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const [slot, asked] = [await p.parkedSlot(version), p.told.ready.length];
    process.kill(processesOf(p.home).forkServers[0] ?? 0, 'SIGKILL');
    await p.until(() => p.told.ready.length > asked, 'places are to be asked for again');
    const { id } = await p.start(version, 'ok', { slot });
    await p.lost(id);
  });

  it('of a child that was bound: its execution is lost, not forgotten', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const slot = await p.parkedSlot(version);
    process.kill(slot.pid, 'SIGSTOP');
    const { id } = await p.start(version, 'ok', { slot });
    process.kill(slot.pid, 'SIGKILL');
    await p.lost(id);
  });
});

describe('a process that is stopped', () => {
  it('a fork server is killed with what it runs, and another starts', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const { id } = await p.start(version, 'tidy');
    await p.mark('tidy');
    process.kill(processesOf(p.home).forkServers[0] ?? 0, 'SIGSTOP');
    await p.lost(id);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });

  it('a launcher too', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const { id } = await p.start(version, 'tidy');
    await p.mark('tidy');
    process.kill(processesOf(p.home).launcher, 'SIGSTOP');
    await p.lost(id);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });
});

it('a process that user code forked, and that comes back from the task as well, speaks for nobody', async () => {
  await using p = await ProcessesUnderTest.open();
  const version = p.version(TASKS);
  const report = await p.finish(version, 'forks');
  assert.deepEqual([report.outcome, report.xcoms?.[0]?.value], ['success', '"parent"']);
  assert.equal(p.reports.filter((one) => one.execution_id === report.execution_id).length, 1);
});

describe('another leader', () => {
  it('adopts what runs and goes on with it', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(TASKS);
    const { id } = await p.start(version, 'tidy');
    const pid = Number(await p.mark('tidy'));
    const before = processesOf(p.home);
    await p.takeOver();
    assert.deepEqual([...(p.inventory?.running ?? [])], [[id, pid]]);
    assert.deepEqual(processesOf(p.home), before, 'launcher and fork servers stay');
    assert.deepEqual(p.told.lost, []);
    p.executor.cancel(id, 30);
    assert.equal((await p.report(id)).cause, 'cancelled');
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
  });

  it('a launcher that obeys a newer epoch refuses an older one at once', async () => {
    await using p = await ProcessesUnderTest.open();
    await p.takeOver();
    const none = { onReady: () => undefined, onFailed: () => undefined, onExited: () => undefined, onLost: () => undefined, onAlive: () => undefined };
    await assert.rejects(p.outdated().lead(1, none), /obeys epoch 2/);
  });
});

it('a stop while the launcher is only just starting leaves none behind', async () => {
  await using p = await ProcessesUnderTest.open();
  await p.executor.shutdown();
  const other = p.outdated();
  const leading = other.lead(9, { onReady: () => undefined, onFailed: () => undefined, onExited: () => undefined, onLost: () => undefined, onAlive: () => undefined });
  await Promise.all([assert.rejects(leading, /stopping/), other.shutdown()]);
  assert.equal(processesOf(p.home).launcher, 0);
});

describe('imports', () => {
  it('an error is told with its traceback, to everybody who asks within a moment', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version('import does_not_exist\n');
    for (const count of [1, 2, 3]) {
      assert.equal(p.executor.reserve(version), null);
      await p.until(() => p.told.failed.length === count, `failure ${count}`);
    }
    assert.equal(p.told.failed[0]?.error.type, 'ModuleNotFoundError');
    assert.match(p.told.failed[0]?.error.traceback ?? '', /dag\.py/);
    assert.match(p.executor.explain(version) ?? '', /does_not_exist/);
  });

  it('one without end is ended', async () => {
    await using p = await ProcessesUnderTest.open({ importTimeoutSeconds: 0.5 });
    p.executor.reserve(p.version('while True:\n    pass\n'));
    await p.until(() => p.told.failed.length === 1, 'the failure');
    assert.equal(p.told.failed[0]?.error.type, 'ImportTimeout');
    assert.deepEqual(processesOf(p.home).forkServers, []);
  });

  it('one that ends the interpreter is told', async () => {
    await using p = await ProcessesUnderTest.open();
    for (const [at, beside] of ['sys.exit(4)', 'os._exit(5)'].entries()) {
      p.executor.reserve(p.version('import beside\n', beside));
      await p.until(() => p.told.failed.length === at + 1, 'the failure');
    }
    assert.deepEqual(p.told.failed.map((one) => one.error.type), ['SystemExit', 'ForkServerEnded']);
  });

  it('threads of the file live on in each execution', async () => {
    await using p = await ProcessesUnderTest.open();
    const version = p.version(dagSource(`
    @task
    def count():
        return sum(thread.is_alive() and thread.name == "mine" for thread in threading.enumerate())
    count()`, 'threading.Thread(target=time.sleep, args=(600,), daemon=True, name="mine").start()'));
    for (let tries = 0; tries < 3; tries += 1) assert.equal((await p.finish(version, 'count')).xcoms?.[0]?.value, '1');
  });

  it('a fork server that nobody needs ends, and starts again when it is needed', async () => {
    await using p = await ProcessesUnderTest.open({ idleSeconds: 0.2 });
    const version = p.version(TASKS);
    await p.finish(version, 'ok');
    await untilGone(processesOf(p.home).forkServers[0] ?? 0);
    assert.equal((await p.finish(version, 'ok')).outcome, 'success');
    assert.deepEqual(p.told.lost, []);
  });
});
