// Bodies in Node as processes see them: parked and forked with the job, good ends and every kind of bad one, cancels, kills, a leader that is gone.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import type { ProcessesUnderTest, Started } from '../support/processes.ts';
import { childrenOf, commandOf, processesOf, untilGone } from '../support/processes.ts';
import { nodeSource, NodeVersions } from '../support/node-versions.ts';

const NEVER = 'new Promise<unknown>(() => undefined)';
const BODIES = nodeSource({
  ok: "    console.log('hello from ok');\n    console.error('to stderr');\n    process.stdout.write('no newline');\n    ctx.log.warning('careful');\n    return [process.env['LEOFLOW_EXECUTION_ID'], process.pid, ctx.run_id, ctx.ds];",
  wrong: "    throw new TypeError('so wrong', { cause: new Error('deeper') });",
  text: "    throw 'oops';",
  nothing: '    throw null;',
  object: "    throw { code: 7 };",
  never: `    return ${NEVER};`,
  forever: '    setInterval(() => undefined, 1000);\n    await new Promise<unknown>(() => undefined);\n    return 1;',
  background: "    setTimeout(() => void Promise.reject(new Error('behind your back')), 1);\n    await new Promise((resolve) => setTimeout(resolve, 60_000));\n    return 1;",
  uncaught: "    setTimeout(() => { throw new Error('from a timer'); }, 1);\n    await new Promise((resolve) => setTimeout(resolve, 60_000));\n    return 1;",
  leaks: "    setInterval(() => undefined, 1000);\n    const { createServer } = await import('node:net');\n    await new Promise<void>((resolve) => createServer().listen(0, resolve));\n    return 'done';",
  circular: "    const value: Record<string, unknown> = {};\n    value['self'] = value;\n    return { inner: value };",
  bigint: '    return { n: 3n };',
  callable: '    return { f: () => 1 };',
  undefined: '    return undefined;',
  exits: '    process.exit(3);',
  quits: '    try { process.exit(0); } catch { return 1; }',
  skips: "    return ctx.skip('not today');",
  fails: "    return ctx.fail('for good');",
  loud: "    console.log('y'.repeat(10_000_000));\n    return 1;",
  large: "    return 'x'.repeat(5000);",
  stays: "    mark('stays', process.pid);\n    await new Promise((resolve) => setTimeout(resolve, 600_000));\n    return 1;",
  tidies: "    mark('tidies', process.pid);\n    const timer = setTimeout(() => undefined, 600_000);\n    await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => { mark('tidied', ctx.signal.reason); clearTimeout(timer); resolve(); }));\n    return 1;",
  late: "    const { existsSync, watch } = await import('node:fs');\n    const folder = process.env['MARKS'] ?? '';\n    await new Promise<void>((resolve) => { const watcher = watch(folder, () => { if (existsSync(join(folder, 'go'))) { watcher.close(); resolve(); } }); mark('late'); });\n    return 'late';",
  deaf: "    mark('deaf', process.pid);\n    for (;;) ;",
});

function logOf({ logFile }: Started): { level: string; logger: string; event: string; error_detail?: { exc_type: string; frames: { filename: string; lineno: number }[] }[] }[] {
  return readFileSync(logFile, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

async function finish(nodes: NodeVersions, version: Awaited<ReturnType<NodeVersions['version']>>, what: { task: string; spec?: Partial<ExecutionSpec>; slot?: Awaited<ReturnType<ProcessesUnderTest['slot']>> }): Promise<{ started: Started; report: ExecutionReport }> {
  const p = nodes.processes;
  const slot = what.slot ?? (await p.slot(version, 'node'));
  const started = await p.start(version, what.task, { slot, ...(what.spec === undefined ? {} : { spec: what.spec }) });
  const report = await p.report(started.id);
  assert.deepEqual(await p.exit(started.id).then(({ status, signal }) => ({ status, signal })), { status: 0, signal: null });
  return { started, report };
}

describe('ends', () => {
  it('a parked child and one forked with its job do the same: a report, a log, an outcome record', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const parked = await nodes.processes.parkedSlot(version, 'node');
    for (const slot of [parked, undefined]) {
      const { started, report } = await finish(nodes, version, { task: 'ok', ...(slot === undefined ? {} : { slot }) });
      assert.equal(report.outcome, 'success', JSON.stringify(report));
      const [xcom] = report.xcoms ?? [];
      const [execution, pid, run, ds] = JSON.parse(xcom?.value ?? '[]') as unknown[];
      assert.deepEqual([xcom?.key, xcom?.mapped_length, execution, run, ds], ['return_value', 4, started.id, 'r', '2026-01-01'], 'the task knows its execution');
      if (slot !== undefined) assert.equal(pid, slot.pid, 'it is the process that was chosen');
      assert.deepEqual(logOf(started).map(({ level, logger, event }) => [level, logger, event]), [
        ['info', 'task.stdout', 'hello from ok'], ['error', 'task.stderr', 'to stderr'], ['warning', 'task', 'careful'], ['info', 'task.stdout', 'no newline'],
      ]);
      const records = readFileSync(started.outcomeFile, 'utf8').split('\n').filter((line) => line.startsWith(started.id));
      assert.deepEqual(JSON.parse((records[0] ?? '').slice(started.id.length)), report, 'what it reported is left behind');
    }
  });

  it('what was thrown is told with the line of the file', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const { started, report } = await finish(nodes, version, { task: 'wrong' });
    const line = BODIES.slice(0, BODIES.indexOf('so wrong')).split('\n').length;
    assert.deepEqual([report.outcome, report.cause, report.error?.type, report.error?.message], ['failed', 'user_error', 'TypeError', 'so wrong']);
    assert.match(report.error?.traceback ?? '', new RegExp(`dag\\.ts:${line}:\\d+[^]*Caused by: Error: deeper`));
    assert.doesNotMatch(report.error?.traceback ?? '', /src\/(node|sdk)|node:internal/);
    const detail = logOf(started).at(-1)?.error_detail;
    assert.deepEqual([detail?.map((one) => one.exc_type), detail?.[0]?.frames.at(-1)?.lineno], [['TypeError', 'Error'], line]);
  });

  it('what was thrown and is no error is told as what it is', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    for (const [task, message] of [['text', /threw the string 'oops'/], ['nothing', /threw null/], ['object', /threw the object \{ code: 7 \}/]] as const) {
      const { report } = await finish(nodes, version, { task });
      assert.deepEqual([report.outcome, report.error?.type], ['failed', 'NonError']);
      assert.match(report.error?.message ?? '', message);
    }
  });

  it('bodies that never end: nothing left to wait for, or too long', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const { report } = await finish(nodes, version, { task: 'never' });
    assert.deepEqual([report.outcome, report.error?.type], ['failed', 'NeverSettled']);
    const late = await finish(nodes, version, { task: 'forever', spec: { execution_timeout_seconds: 0.2 } });
    assert.deepEqual([late.report.cause, late.report.error?.message], ['timeout', 'the task ran longer than its execution_timeout of 0.2 s']);
  });

  it('what happens behind a body’s back fails it', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    assert.match((await finish(nodes, version, { task: 'background' })).report.error?.message ?? '', /a promise was rejected and nobody caught it: behind your back/);
    assert.match((await finish(nodes, version, { task: 'uncaught' })).report.error?.message ?? '', /thrown in the background.*from a timer/);
  });

  it('a leak is named in the log and keeps nobody waiting', async () => {
    await using nodes = await NodeVersions.open();
    const { started, report } = await finish(nodes, await nodes.version(BODIES), { task: 'leaks' });
    assert.equal(report.outcome, 'success');
    assert.match(logOf(started).at(-1)?.event ?? '', /left open: .*(Timeout.*TCPServerWrap|TCPServerWrap.*Timeout)/);
    const clean = await finish(nodes, started.spec.version_id, { task: 'ok' });
    assert.doesNotMatch(readFileSync(clean.started.logFile, 'utf8'), /left open/);
  });

  it('values without a JSON form are refused with their place', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    for (const [task, message] of [['circular', /holds itself \(at \.inner\.self\)/], ['bigint', /a bigint has no JSON form \(at \.n\)/], ['callable', /a function has no JSON form \(at \.f\)/], ['large', /5002 bytes long, the limit is 1000/]] as const) {
      const { report } = await finish(nodes, version, { task });
      assert.equal(report.outcome, 'failed', task);
      assert.match(report.error?.message ?? '', message);
    }
    assert.deepEqual((await finish(nodes, version, { task: 'undefined' })).report.xcoms, undefined);
  });

  it('an exit is a failure, and cannot be caught', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    for (const [task, code] of [['exits', 3], ['quits', 0]] as const) {
      const { report } = await finish(nodes, version, { task });
      assert.deepEqual([report.outcome, report.exit_code, report.error?.message], ['failed', code, `the task called process.exit(${code})`]);
    }
  });

  it('a task ends itself as skipped, or as failed for good', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const skipped = (await finish(nodes, version, { task: 'skips' })).report;
    assert.deepEqual([skipped.outcome, skipped.error?.message], ['skipped', 'not today']);
    const { report } = await finish(nodes, version, { task: 'fails' });
    assert.deepEqual([report.outcome, report.no_retry, report.error?.message], ['failed', true, 'for good']);
  });

  it('a line of ten megabytes is cut, not lost', async () => {
    await using nodes = await NodeVersions.open();
    const { started, report } = await finish(nodes, await nodes.version(BODIES), { task: 'loud' });
    assert.equal(report.outcome, 'success');
    const [line] = logOf(started);
    assert.match(line?.event ?? '', /^y+… \[\d+ bytes dropped\]$/);
    assert.ok(Buffer.byteLength(JSON.stringify(line)) <= 65_536);
  });
});

describe('children that cannot park', () => {
  it('are not started again and again; a take-over says nothing of the kind, and parks only what the version needs', async () => {
    await using nodes = await NodeVersions.open({ parkedPython: 1 });
    const p = nodes.processes;
    const told: string[] = [];
    p.reporter.listen((event) => {
      if (event.event === 'failure') told.push(event.error);
    });
    const version = await nodes.version(`${nodeSource({ ok: '    return 1;' })}if (process.env['MARKS'] !== undefined) process.abort();\n`);
    const started = await p.start(version, 'ok', { slot: await p.slot(version, 'node') });
    await p.exit(started.id);
    await p.until(() => told.length >= 3, 'three children crashed');
    assert.deepEqual(told.slice(0, 3).map((text) => /^a node child of .* ended before it waited for work \((?:signal|status) \d+\); no other is asked for during ([\d.]+) s$/.exec(text)?.[1]), ['0.1', '0.2', '0.4']);
    const sound = await nodes.version(nodeSource({ ok: '    return 1;' }));
    await p.parkedSlot(sound, 'node');
    told.length = 0;
    await p.takeOver();
    await p.parkedSlot(sound, 'node');
    const kinds = processesOf(p.home).forkServers.flatMap(childrenOf).map((pid) => (commandOf(pid).includes('run-task') ? 'node' : 'python'));
    assert.deepEqual([told.filter((text) => text.startsWith('a python child')), kinds.filter((kind) => kind === 'python')], [[], []]);
  });
});

describe('callbacks', () => {
  const source = `import { dag, task } from 'leoflow';
export function told(ctx: { task_id: string; try_number: number }, error?: Error): void { console.log('told of', ctx.task_id, error === undefined ? 'nothing' : error.message); }
export function broken(): never { throw new Error('no callback'); }
const all = { on_execute_callback: 'dag.ts#told', on_success_callback: ['dag.ts#broken', 'dag.ts#told'], on_failure_callback: 'dag.ts#told', on_retry_callback: 'dag.ts#broken', on_skipped_callback: 'dag.ts#told' };
dag('d', {}, () => {
  task('good', all, () => 1)();
  task('bad', { ...all, retries: 1 }, () => { throw new Error('bad'); })();
});
`;

  it('are called for what happened; what goes wrong in them is logged and changes nothing', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(source);
    const events = async (task: string, spec: Partial<ExecutionSpec>): Promise<string[]> => {
      const { started, report } = await finish(nodes, version, { task, spec });
      assert.equal(report.outcome, task === 'good' ? 'success' : 'failed');
      return logOf(started).map(({ event }) => event);
    };
    assert.deepEqual(await events('good', {}), ['told of good nothing', 'the callback dag.ts#broken failed', 'told of good nothing']);
    assert.deepEqual(await events('bad', { max_tries: 1, may_retry: true }), ['told of bad nothing', 'Task failed: bad', 'the callback dag.ts#broken failed']);
    assert.deepEqual(await events('bad', { try_number: 2, max_tries: 1 }), ['told of bad nothing', 'Task failed: bad', 'told of bad bad']);
  });
});

describe('a full disk', () => {
  it('fails no task: the report says what is missing of the log', async () => {
    await using nodes = await NodeVersions.open();
    const { report } = await finish(nodes, await nodes.version(BODIES), { task: 'ok', spec: { log_file: '/dev/full' } });
    assert.equal(report.outcome, 'success');
    assert.match(report.log_gap?.reason ?? '', /no space left/i);
    assert.ok((report.log_gap?.bytes ?? 0) > 100);
  });
});

describe('secrets', () => {
  it('the password of a connection is in no line of the log and in no error', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(nodeSource({ asks: "    const { password, extra } = await ctx.connection.get('db');\n    console.log('it is', password, Buffer.from(password ?? '').toString('base64'));\n    ctx.log.info(JSON.stringify(extra));\n    throw new Error('refused: ' + password);" }));
    nodes.processes.connections.set('db', { conn_id: 'db', conn_type: 'http', description: null, host: 'h', login: 'l', password: 'correct horse', schema: null, port: null, extra: '{"api_key": "battery staple", "region": "eu"}' });
    const { started, report } = await finish(nodes, version, { task: 'asks' });
    const text = readFileSync(started.logFile, 'utf8') + JSON.stringify(report) + readFileSync(started.outcomeFile, 'utf8');
    assert.match(text, /it is \*\*\*/);
    assert.match(text, /\*\*\*.*eu/);
    for (const secret of ['correct horse', Buffer.from('correct horse').toString('base64'), 'battery staple']) assert.ok(!text.includes(secret), secret);
  });
});

describe('modules', () => {
  const drawn = nodeSource({ ok: '    return 1;' });
  it('one that does not import any more fails its executions as a matter of configuration, however they start', async () => {
    for (const [head, message] of [["if (process.env['MARKS']) throw new Error('no import here');", /dag\.ts does not import: Error: no import here/], ["if (process.env['MARKS']) await new Promise(() => undefined);", /an await at the top of the file waits/], ["if (process.env['MARKS']) process.exit(4);", /the module called process\.exit\(4\)/]] as const) {
      await using nodes = await NodeVersions.open();
      const version = await nodes.version(drawn.replace("dag('d'", `${head}\ndag('d'`));
      for (const slot of [await nodes.processes.parkedSlot(version, 'node'), undefined]) {
        const { report } = await finish(nodes, version, { task: 'ok', ...(slot === undefined ? {} : { slot }) });
        assert.deepEqual([report.outcome, report.cause, report.error?.type], ['failed', 'config', 'ImportError']);
        assert.match(report.error?.message ?? '', message);
      }
    }
  });
});

describe('cancels', () => {
  it('the signal aborts, the body may clean up, and its end is a cancel', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const p = nodes.processes;
    for (const task of ['tidies', 'stays']) {
      const { id } = await p.start(version, task, { slot: await p.slot(version, 'node') });
      await p.mark(task);
      assert.equal(p.executor.cancel(id, 30), true);
      if (task === 'tidies') assert.equal(await p.mark('tidied'), 'TaskCancelled: the execution was cancelled');
      const report = await p.report(id);
      assert.deepEqual([report.outcome, report.cause], ['failed', 'cancelled']);
      await p.exit(id);
    }
  });

  it('one that does not listen is killed when the grace is over', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const p = nodes.processes;
    const { id } = await p.start(version, 'deaf', { slot: await p.slot(version, 'node') });
    await p.mark('deaf');
    p.executor.cancel(id, 0.2);
    assert.equal((await p.exit(id)).signal, 9);
    assert.deepEqual(p.reports, []);
  });
});

describe('kills and take-overs', () => {
  it('a killed body is told as such, and its pid is the one that was given', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const p = nodes.processes;
    const slot = await p.parkedSlot(version, 'node');
    const { id } = await p.start(version, 'stays', { slot });
    const pid = Number(await p.mark('stays'));
    assert.equal(pid, slot.pid);
    process.kill(pid, 'SIGKILL');
    const exit = await p.exit(id);
    assert.deepEqual([exit.signal, exit.runtime, p.reports.length], [9, 'node', 0]);
  });

  it('a body that ends while nobody leads leaves its outcome, and reports to the next leader', async () => {
    await using nodes = await NodeVersions.open();
    const version = await nodes.version(BODIES);
    const p = nodes.processes;
    const { id, outcomeFile } = await p.start(version, 'late', { slot: await p.slot(version, 'node') });
    await p.mark('late');
    await p.abandon();
    const seen = watch(dirname(outcomeFile));
    writeFileSync(join(p.marks, 'go'), '1');
    while (!existsSync(outcomeFile) || !readFileSync(outcomeFile, 'utf8').includes(`${id} {"execution_id"`)) await once(seen, 'change');
    seen.close();
    assert.deepEqual(p.reports, []);
    await p.takeOver();
    assert.deepEqual((await p.report(id)).xcoms, [{ key: 'return_value', value: '"late"', mapped_length: null }]);
    assert.deepEqual((await p.exit(id)).status, 0);
  });

  it('a body goes on while the leader changes, and reports to the next; parked children of the old one end', async () => {
    await using nodes = await NodeVersions.open({ parkedNode: 2 });
    const version = await nodes.version(BODIES);
    const p = nodes.processes;
    const { id } = await p.start(version, 'tidies', { slot: await p.parkedSlot(version, 'node') });
    await p.mark('tidies');
    const waiting = await p.parkedSlot(version, 'node');
    await p.takeOver();
    assert.deepEqual([...(p.inventory?.running.keys() ?? [])], [id]);
    await untilGone(waiting.pid);
    p.executor.cancel(id, 30);
    assert.equal((await p.report(id)).cause, 'cancelled');
    assert.equal((await finish(nodes, version, { task: 'ok', slot: await p.parkedSlot(version, 'node') })).report.outcome, 'success');
  });
});
