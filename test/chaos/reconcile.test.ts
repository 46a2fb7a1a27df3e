// The reconciler of the chaos proof finds each kind of contradiction when it is planted, and none when there is none.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { reconcile } from './prove.ts';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
/** As Python's json.dumps writes a short list of numbers. */
const digest = (value: readonly number[]): string => sha(`[${value.join(', ')}]`);

interface Line { phase: string; execution: string; dag: string; run: string; task: string; map: number; try: number; pid: number; parent: number; mono: number; wall: number; got?: string[]; sha?: string; lines?: number; leaves?: boolean }
interface Facts {
  ledger: Line[];
  driver: Readonly<Record<string, unknown>>[];
  runs: { id: string; dag_id: string; run_id: string; state: string }[];
  instances: { run: string; task_id: string; map_index: number; state: string; try_number: number; execution_id: string | null; cause: string | null; reason: null }[];
  attempts: { id: string; run: string; task_id: string; map_index: number; try_number: number }[];
  executions: { id: string; attempt_id: string; run: string; state: string; ended: boolean; cause: string | null; handle: string; pid: number | null; started_at: number; ended_at: number | null }[];
  events: { id: number; run: string; task_id: string; map_index: number; to_state: string; execution_id: string | null; epoch: number | null; detail: string | null }[];
  xcoms: { run: string; task_id: string; map_index: number; key: string; sha256: string; value: string }[];
  logs: Map<string, string[]>;
}

const SHAPE = {
  pools: { narrow: 1 },
  dags: {
    d: {
      run: 'success',
      tasks: {
        a: {}, b: { upstream: ['a'], inputs: ['a'] }, m: { upstream: ['a'], mapped: 2 }, twice: { tries: 2, cause: 'user_error' }, doomed: { state: 'failed', cause: 'user_error' }, never: { upstream: ['doomed'], state: 'upstream_failed', tries: 0 },
        rescue: { upstream: ['doomed'], rule: 'one_failed' }, last: { upstream: ['b', 'm', 'twice', 'never', 'rescue'], rule: 'all_done' }, p: { pool: 'narrow' }, q: { pool: 'narrow' },
      },
    },
    unreadable: { run: 'failed', tasks: { f: { state: 'failed', starts: 0, cause: 'config' } } },
  },
};

const EVENT = { run: 'R', task_id: 'a', map_index: -1, to_state: 'running', execution_id: null, epoch: 2, detail: null };
/** Each execution has a process of its own, all have one fork server. There is another one. */
const FORK_SERVER = 2;
const OTHER_FORK_SERVER = 3;
const NAMES = new Map([[FORK_SERVER, 'own'], [OTHER_FORK_SERVER, 'other']]);
const processOf = (execution: string): { pid: number; parent: number } => ({ pid: Number.parseInt(sha(execution).slice(0, 6), 16) + 10, parent: FORK_SERVER });
const killed = (at: number, ...pids: readonly number[]): Readonly<Record<string, unknown>> => ({ kind: 'killed', at, pids, fork_servers: pids.flatMap((pid) => NAMES.get(pid) ?? []), child_of: pids.some((pid) => NAMES.has(pid)) ? null : 'own' });
/** A person's action on run r. */
const action = (at: number, names: { run?: string; task?: string; map?: number } = {}): Readonly<Record<string, unknown>> => ({ kind: 'action', at, dag: 'd', run: 'r', ...names });

/** A run that went as it should. Each execution `x` runs for a second from `at`. */
function soundFacts(): Facts {
  const facts: Facts = { ledger: [], driver: [{ kind: 'asked', dag: 'd', run: 'r' }, { kind: 'created', dag: 'd', run: 'r' }], runs: [{ id: 'R', dag_id: 'd', run_id: 'r', state: 'success' }], instances: [], attempts: [], executions: [], events: [], xcoms: [], logs: new Map() };
  const run = (execution: string, task: string, at: number, more: { map?: number; try?: number; end?: 'RAISE' | 'none'; state?: string; got?: string[]; last?: boolean } = {}): void => {
    const who = { execution, dag: 'd', run: 'r', task, map: more.map ?? -1, try: more.try ?? 1, ...processOf(execution) };
    const end = more.end ?? 'FINISH';
    facts.ledger.push({ phase: 'START', ...who, mono: at, wall: at, got: more.got ?? [] });
    if (end !== 'none') facts.ledger.push({ phase: end, ...who, mono: at + 1, wall: at + 1, lines: 2, sha: digest([at]) });
    const state = more.state ?? (end === 'FINISH' ? 'success' : 'failed');
    const attempt = `${task}${who.map}.${who.try}`;
    if (!facts.attempts.some((one) => one.id === attempt)) facts.attempts.push({ id: attempt, run: 'R', task_id: task, map_index: who.map, try_number: who.try });
    facts.executions.push({ id: execution, attempt_id: attempt, run: 'R', state, ended: true, cause: end === 'RAISE' ? 'user_error' : null, handle: 'id-own', pid: null, started_at: at - 0.01, ended_at: at + 1.01 });
    facts.events.push({ ...EVENT, task_id: task, map_index: who.map, id: facts.events.length + 1, execution_id: execution, epoch: facts.events.length < 4 ? 1 : 2, detail: null });
    facts.logs.set(execution, [1, 2].slice(0, end === 'none' ? 1 : 2).map((number) => `L ${number} ${sha(`${execution}:${number}`).slice(0, 12)}`));
    if (more.last === false) return;
    facts.instances.push({ run: 'R', task_id: task, map_index: who.map, state, try_number: who.try, execution_id: execution, cause: null, reason: null });
    if (state === 'success') facts.xcoms.push({ run: 'R', task_id: task, map_index: who.map, key: 'return_value', sha256: sha(`[${at}]`), value: `[${at}]` });
  };
  run('x-a', 'a', 1);
  run('x-b', 'b', 3, { got: [digest([1])] });
  run('x-m0', 'm', 3, { map: 0 });
  run('x-m1', 'm', 3, { map: 1 });
  run('x-t1', 'twice', 1, { end: 'RAISE', last: false });
  run('x-t2', 'twice', 3, { try: 2 });
  run('x-d', 'doomed', 1, { end: 'RAISE' });
  facts.instances.push({ run: 'R', task_id: 'never', map_index: -1, state: 'upstream_failed', try_number: 0, execution_id: null, cause: null, reason: null });
  run('x-r', 'rescue', 3);
  run('x-l', 'last', 6);
  run('x-p', 'p', 1);
  run('x-q', 'q', 3);
  return facts;
}

async function judge(facts: Facts): Promise<{ codes: string[]; texts: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'lf-reconcile-'));
  try {
    const lines = (items: readonly object[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join('');
    const { ledger, driver, logs, ...dump } = facts;
    // A last line that a kill cut short is no line.
    writeFileSync(join(folder, 'ledger'), `${lines(ledger)}{"phase": "STA`);
    writeFileSync(join(folder, 'driver'), lines(driver));
    writeFileSync(join(folder, 'dump.json'), JSON.stringify(dump));
    writeFileSync(join(folder, 'shape.json'), JSON.stringify(SHAPE));
    for (const [execution, events] of logs) {
      mkdirSync(join(folder, 'logs', execution.slice(-2)), { recursive: true });
      writeFileSync(join(folder, 'logs', execution.slice(-2), `${execution}.ndjson`), lines(events.map((event) => ({ event }))));
    }
    const { violations } = await reconcile({ folder }, {});
    return { codes: [...new Set(violations.map((one) => one.code))].sort(), texts: violations.map((one) => one.text) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const line = (facts: Facts, execution: string, phase: string): Line => facts.ledger.find((one) => one.execution === execution && one.phase === phase) ?? assert.fail(execution);
const execution = (facts: Facts, id: string): Facts['executions'][number] => facts.executions.find((one) => one.id === id) ?? assert.fail(id);
const instance = (facts: Facts, task: string): Facts['instances'][number] => facts.instances.find((one) => one.task_id === task) ?? assert.fail(task);

/** Task b once more, as the same try, from `at`: the first was `state`. */
function again(facts: Facts, state: string, at: number): void {
  Object.assign(execution(facts, 'x-b'), { state });
  const who = processOf('x-b2');
  facts.executions.push({ ...execution(facts, 'x-b'), id: 'x-b2', state: 'success', started_at: at - 0.01, ended_at: at + 0.6 });
  facts.ledger.push({ ...line(facts, 'x-b', 'START'), execution: 'x-b2', ...who, mono: at, wall: at }, { ...line(facts, 'x-b', 'FINISH'), execution: 'x-b2', ...who, mono: at + 0.5, wall: at + 0.5 });
  instance(facts, 'b').execution_id = 'x-b2';
  facts.logs.set('x-b2', [1, 2].map((number) => `L ${number} ${sha(`x-b2:${number}`).slice(0, 12)}`));
}

it('finds nothing where nothing is', async () => assert.deepEqual(await judge(soundFacts()), { codes: [], texts: [] }));

/** Task b was lost at 4.01 without an end, and ran again from 4.5. */
function lostOnce(...kills: readonly Readonly<Record<string, unknown>>[]): Facts {
  const facts = soundFacts();
  again(facts, 'lost', 4.5);
  facts.ledger = facts.ledger.filter((one) => !(one.execution === 'x-b' && one.phase === 'FINISH'));
  facts.driver.push(...kills);
  return facts;
}

/** An execution that was committed at 3 and lost at 4.01 before it began; its try ran from 4.5 as x-b. */
function neverBegun(of: { pid: number | null; committed: number; lost: number }, ...kills: readonly Readonly<Record<string, unknown>>[]): Facts {
  const facts = soundFacts();
  facts.executions.push({ ...execution(facts, 'x-b'), id: 'x-never', state: 'lost', started_at: 3, ended_at: 4.01, pid: of.pid });
  // The next move of its instance is what became of it.
  facts.events.push({ ...EVENT, task_id: 'b', id: 100, execution_id: 'x-never', epoch: of.committed }, { ...EVENT, task_id: 'b', id: 101, to_state: 'scheduled', epoch: of.lost });
  facts.driver.push(...kills);
  return facts;
}

/** Task b was lost at 9.2 although it noted its end at 4, was killed at `killedAt`, and ran again from 9.5. */
function lostAfterItsEnd(killedAt: number): Facts {
  const facts = soundFacts();
  again(facts, 'lost', 9.5);
  Object.assign(execution(facts, 'x-b'), { ended_at: 9.2 });
  facts.driver.push(killed(killedAt, FORK_SERVER));
  return facts;
}

/** The first try of `twice` was lost at 2.5 although it noted at 2 that it raises, was killed at `killedAt`, and ran again from 2.6. */
function lostAfterItsException(killedAt: number, raised: Partial<Line>): Facts {
  const facts = soundFacts();
  Object.assign(line(facts, 'x-t1', 'RAISE'), raised);
  Object.assign(execution(facts, 'x-t1'), { state: 'lost', cause: 'lost', ended_at: 2.5 });
  facts.driver.push(killed(killedAt, FORK_SERVER));
  return facts;
}

/** Task b was cancelled at 4.01 and ran again, and people did something. */
function cancelled(...actions: readonly Readonly<Record<string, unknown>>[]): Facts {
  const facts = lostOnce(...actions);
  Object.assign(execution(facts, 'x-b'), { state: 'cancelled', cause: 'cancelled' });
  return facts;
}

/** A run whose file does not import, as its only instance says. */
function unreadable(cause: string): Facts {
  const facts = soundFacts();
  facts.driver.push({ kind: 'asked', dag: 'unreadable', run: 'u' });
  facts.runs.push({ id: 'U', dag_id: 'unreadable', run_id: 'u', state: 'failed' });
  facts.instances.push({ run: 'U', task_id: 'f', map_index: -1, state: 'failed', try_number: 1, execution_id: null, cause, reason: null });
  return facts;
}

/** An execution of the second try of `twice` that failed before it began; it had three. */
function failedUnbegun(cause: string, ...lines: readonly Readonly<Record<string, unknown>>[]): Facts {
  const facts = soundFacts();
  facts.executions.push({ ...execution(facts, 'x-t2'), id: 'x-unbegun', state: 'failed', cause, started_at: 2.1, ended_at: 2.5 });
  facts.driver.push(...lines);
  return facts;
}

const OTHER = 5;
/** Losses that a kill, or the end of a term, explains. */
const EXPLAINED: readonly [string, () => Facts][] = [
  ['its process was killed', () => lostOnce(killed(3.5, processOf('x-b').pid))],
  ['its fork server was killed', () => lostOnce(killed(3.5, FORK_SERVER))],
  ['its end was on no disk yet when it was killed', () => lostAfterItsEnd(4.1)],
  ['its exception was on no disk yet when it was killed', () => lostAfterItsException(2.1, { leaves: true })],
  ['it ends without leaving anything, and its fork server was killed before it told so', () => lostAfterItsException(2.4, {})],
  ['it had not begun when the process that waited for it was killed', () => neverBegun({ pid: OTHER, committed: 2, lost: 2 }, killed(3.5, OTHER))],
  ['it had not begun when the fork server was killed', () => neverBegun({ pid: null, committed: 2, lost: 2 }, killed(3.5, FORK_SERVER))],
  ['a process that had begun nothing was killed', () => neverBegun({ pid: null, committed: 2, lost: 2 }, killed(3.5, OTHER))],
  ['its commit was on its way for long when the fork server was killed', () => neverBegun({ pid: OTHER, committed: 2, lost: 2 }, killed(3.1, FORK_SERVER))],
  ['its leader lost its place before it began', () => neverBegun({ pid: null, committed: 2, lost: 3 })],
  ['cancelled: its run was named', () => cancelled(action(3.9))],
  ['cancelled: its task was named', () => cancelled(action(3.9, { task: 'b' }))],
  ['cancelled: its instance was named', () => cancelled(action(3.9, { task: 'b', map: -1 }))],
  ['failed: its file does not import', () => unreadable('config')],
  ['failed: a person took the value away that it needs', () => failedUnbegun('user_error', action(2))],
];
for (const [name, facts] of EXPLAINED) it(`may be lost: ${name}`, async () => assert.deepEqual((await judge(facts())).texts, []));

/** Losses that nothing explains, in scenes where something is killed. */
const UNEXPLAINED: readonly [string, string[], () => Facts][] = [
  ['nothing was killed', ['R3', 'R5'], () => lostOnce()],
  ['another process was killed', ['R3', 'R5'], () => lostOnce(killed(3.5, processOf('x-m0').pid))],
  ['another fork server was killed', ['R3', 'R5'], () => lostOnce({ ...killed(3.5, OTHER), tree: true })],
  ['it was given up before the kill', ['R3', 'R5'], () => lostOnce(killed(5.5, FORK_SERVER))],
  ['it began after the kill', ['R3', 'R5'], () => lostOnce(killed(2.5, FORK_SERVER))],
  ['its end lay on the disk when it was killed', ['R3', 'R5'], () => lostAfterItsEnd(4.4)],
  ['its end lay on the disk for long when it was killed', ['R3', 'R5'], () => lostAfterItsEnd(9)],
  ['its exception lay on the disk when it was killed', ['R5'], () => lostAfterItsException(2.4, { leaves: true })],
  ['it was cancelled, and nobody touched its run', ['R3', 'R5'], () => cancelled()],
  ['it was cancelled, and another run was touched', ['R3', 'R5'], () => cancelled(action(3.9, { run: 's' }))],
  ['it was cancelled, and another task was touched', ['R3', 'R5'], () => cancelled(action(3.9, { task: 'a' }))],
  ['it was cancelled, and another instance was touched', ['R3', 'R5'], () => cancelled(action(3.9, { task: 'b', map: 1 }))],
  ['it was cancelled before its run was touched', ['R3', 'R5'], () => cancelled(action(5))],
  ['it was cancelled long after its run was touched', ['R3', 'R5'], () => cancelled(action(-2))],
  ['it failed because it was lost too often, and nothing was killed', ['R3', 'R5'], () => {
    const facts = lostOnce();
    Object.assign(execution(facts, 'x-b'), { state: 'failed', cause: 'lost' });
    return facts;
  }],
  ['it had not begun, and nothing was killed', ['R5'], () => neverBegun({ pid: null, committed: 2, lost: 2 })],
  ['it had not begun, and another fork server was killed', ['R5'], () => neverBegun({ pid: null, committed: 2, lost: 2 }, killed(3.5, OTHER_FORK_SERVER))],
  ['it had not begun, and a process of another fork server was killed', ['R5'], () => neverBegun({ pid: null, committed: 2, lost: 2 }, { ...killed(3.5, OTHER), child_of: 'other' })],
  ['it had not begun, and the process that was killed explains another one', ['R5'], () => {
    const facts = neverBegun({ pid: null, committed: 2, lost: 2 }, killed(3.5, OTHER));
    facts.executions.push({ ...execution(facts, 'x-never'), id: 'x-never-2' });
    return facts;
  }],
  ['it had not begun, and another process that waited was killed', ['R5'], () => neverBegun({ pid: OTHER, committed: 2, lost: 2 }, killed(3.5, OTHER + 1))],
  ['it had not begun, and a task that runs was killed', ['R5'], () => neverBegun({ pid: null, committed: 2, lost: 2 }, killed(3.5, processOf('x-m0').pid))],
  ['it had not begun, and the fork server was killed long before', ['R5'], () => neverBegun({ pid: null, committed: 2, lost: 2 }, killed(1, FORK_SERVER))],
];
for (const [name, codes, facts] of UNEXPLAINED) {
  it(`finds a healthy execution that was given up: ${name}`, async () => {
    const found = await judge(facts());
    assert.deepEqual(found.codes, codes, found.texts.join('\n'));
  });
}

/** What is planted, and the codes that must be found; no others may be. */
const PLANTED: readonly [string, string[], (facts: Facts) => void][] = [
  ['an accepted run that is gone', ['R1'], (facts) => void facts.driver.push({ kind: 'created', dag: 'd', run: 'gone' })],
  ['a run that nobody asked for', ['R2'], (facts) => {
    facts.runs.push({ id: 'S', dag_id: 'e', run_id: 's', state: 'success' });
    facts.driver.push({ kind: 'asked', dag: 'd', run: 's' });
  }],
  ['a try that failed for another cause than its own', ['R5'], (facts) => void (execution(facts, 'x-t1').cause = 'oom')],
  ['a task that failed and has no way to', ['R3', 'R5'], (facts) => {
    facts.executions.push({ ...execution(facts, 'x-t1'), id: 'x-a0', attempt_id: 'a-1.1', cause: 'user_error' });
    facts.ledger.push({ ...line(facts, 'x-a', 'START'), execution: 'x-a0', mono: 0.1, wall: 0.1 }, { ...line(facts, 'x-a', 'START'), execution: 'x-a0', phase: 'RAISE', mono: 0.2, wall: 0.2, lines: 0 });
    execution(facts, 'x-a0').ended_at = 0.3;
  }],
  ['a try that failed without raising anything', ['R5'], (facts) => {
    facts.ledger = facts.ledger.filter((one) => !(one.execution === 'x-t1' && one.phase === 'RAISE'));
  }],
  ['a try that failed before it began', ['R5'], (facts) => Object.assign(facts, failedUnbegun('user_error'))],
  ['a try that failed before it began for a cause that nobody gave', ['R5'], (facts) => Object.assign(facts, failedUnbegun('oom', action(2)))],
  ['a file that does not import, taken for a fault of the user', ['R5'], (facts) => Object.assign(facts, unreadable('user_error'))],
  ['an instance that is not there', ['R1', 'R7'], (facts) => {
    facts.instances = facts.instances.filter((one) => one.map_index !== 1);
    facts.executions = facts.executions.filter((one) => one.id !== 'x-m1');
    facts.ledger = facts.ledger.filter((one) => one.execution !== 'x-m1');
  }],
  ['a try that never started', ['R1', 'R5'], (facts) => {
    facts.ledger = facts.ledger.filter((one) => one.execution !== 'x-t1');
  }],
  ['an execution that nobody knows', ['R2'], (facts) => void facts.ledger.push({ ...line(facts, 'x-a', 'START'), execution: 'x-ghost', task: 'ghost' })],
  ['an execution that ran another task', ['R2', 'R3', 'R6'], (facts) => void facts.ledger.push({ ...line(facts, 'x-a', 'START'), task: 'p', mono: 9, wall: 1.5 })],
  ['an execution that started twice', ['R3'], (facts) => void facts.ledger.push({ ...line(facts, 'x-a', 'START'), mono: 1.2, wall: 1.2 })],
  ['a try that started twice though nothing was killed', ['R3', 'R5'], (facts) => again(facts, 'lost', 4.5)],
  ['a success without an end', ['R4'], (facts) => {
    facts.ledger = facts.ledger.filter((one) => !(one.execution === 'x-q' && one.phase === 'FINISH'));
  }],
  ['a task that cannot succeed and did', ['R4'], (facts) => void (instance(facts, 'never').state = 'success')],
  ['an end that was taken for a failure', ['R5'], (facts) => void (execution(facts, 'x-p').state = 'failed')],
  ['an instance that failed', ['R5'], (facts) => void (instance(facts, 'p').state = 'failed')],
  ['a run that failed', ['R5'], (facts) => facts.runs.forEach((run) => void (run.state = 'failed'))],
  ['a try of the user that was spent', ['R5'], (facts) => void (instance(facts, 'p').try_number = 2)],
  ['two of one instance at once', ['R3', 'R5', 'R6'], (facts) => again(facts, 'lost', 3.4)],
  ['a start before the one before was closed', ['R3', 'R5', 'R6'], (facts) => {
    again(facts, 'lost', 4.5);
    execution(facts, 'x-b').ended_at = 5;
  }],
  ['a start before its upstream', ['R7'], (facts) => void (line(facts, 'x-b', 'START').mono = 1.5)],
  ['a start before one failed', ['R7'], (facts) => void (line(facts, 'x-r', 'START').mono = 1.5)],
  ['a start before all were done', ['R7'], (facts) => void (line(facts, 'x-l', 'START').mono = 3.5)],
  ['a value that is gone', ['R8'], (facts) => void facts.xcoms.shift()],
  ['a value that was changed', ['R8'], (facts) => Object.assign(facts.xcoms[0] ?? {}, { value: '[7]', sha256: sha('[7]') })],
  ['a value whose hash is another', ['R8'], (facts) => Object.assign(facts.xcoms[0] ?? {}, { sha256: sha('else') })],
  ['a task that was given something else', ['R8'], (facts) => void (line(facts, 'x-b', 'START').got = [digest([9])])],
  ['a log that lacks its end', ['R8'], (facts) => void facts.logs.get('x-a')?.pop()],
  ['a log that lacks its beginning', ['R8'], (facts) => void facts.logs.get('x-a')?.shift()],
  ['a log out of order', ['R8'], (facts) => void facts.logs.get('x-a')?.reverse()],
  ['a log that is not there', ['R8'], (facts) => void facts.logs.delete('x-a')],
  ['something done after the end', ['R9'], (facts) => void facts.ledger.push({ ...line(facts, 'x-p', 'START'), phase: 'EFFECT', wall: 9 })],
  ['a run that goes nowhere', ['R10'], (facts) => facts.runs.forEach((run) => void (run.state = 'running'))],
  ['an instance that goes nowhere', ['R10', 'R5'], (facts) => void (instance(facts, 'p').state = 'running')],
  ['an execution that nobody closed', ['R10'], (facts) => Object.assign(execution(facts, 'x-p'), { ended: false, ended_at: null })],
  ['a leader that wrote after its successor', ['R11'], (facts) => void facts.events.push({ ...EVENT, id: 99, epoch: 1 })],
  ['a pool over its slots', ['R12'], (facts) => Object.assign(line(facts, 'x-q', 'START'), { mono: 1.5 })],
];
for (const [name, expected, plant] of PLANTED) {
  it(`finds ${name}`, async () => {
    const facts = soundFacts();
    plant(facts);
    const { codes, texts } = await judge(facts);
    assert.deepEqual(codes, expected.toSorted(), texts.join('\n'));
  });
}

it('a gap in a log that says so is none', async () => {
  const facts = soundFacts();
  facts.logs.set('x-a', [...(facts.logs.get('x-a') ?? []).slice(0, 1), '38 bytes of this log are missing: No space left on device']);
  const silent = soundFacts();
  silent.logs.set('x-a', (silent.logs.get('x-a') ?? []).slice(0, 1));
  silent.events.push({ ...EVENT, id: 50, execution_id: 'x-a', detail: '38 bytes of its log are missing: No space left on device' });
  assert.deepEqual([(await judge(facts)).texts, (await judge(silent)).texts], [[], []]);
});
