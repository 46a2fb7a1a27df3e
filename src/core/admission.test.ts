// Which ready instances start: priorities, pools, limits, no starvation, and no cost for those that wait.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Task } from '#contract/dag.ts';
import type { RunUuid, VersionId } from '#contract/ids.ts';
import { Admission, type Candidate } from './admission.ts';
import { buildGraph } from './graph.ts';
import { emptySnapshot, newInstance, type RunSnapshot } from './run-snapshot.ts';
import { product, task } from '../../test/support/planner.ts';

interface RunShape { readonly id?: string; readonly dagId?: string; readonly logicalDate?: number | null; readonly maxActiveTasks?: number }

function runOf(tasks: readonly Task[], shape: RunShape = {}): RunSnapshot {
  const { id = 'r', dagId = 'd', logicalDate = 0, maxActiveTasks = 1_000_000 } = shape;
  const graph = buildGraph({ schema_version: '1.0', dag_id: dagId, fileloc: 'dag.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [...tasks], max_active_tasks: maxActiveTasks });
  return emptySnapshot({ id: id as RunUuid, dagId, runId: id, runType: 'manual', versionId: 'v' as VersionId, graph, logicalDate, runAfter: 0, state: 'running', startDate: 0, endDate: null });
}

function candidate(run: RunSnapshot, taskId: string, mapIndex = -1): Candidate {
  const found = run.graph.tasks[run.graph.byId.get(taskId) ?? -1];
  assert.ok(found);
  return { run, instance: newInstance(found, mapIndex) };
}

const nameOf = ({ run, instance }: Candidate): string => `${run.runId}.${instance.task.id}${instance.mapIndex < 0 ? '' : `[${instance.mapIndex}]`}`;

function admission(more: { parallelism?: number; pools?: Record<string, number>; paused?: Set<string>; counting?: Set<string> } = {}): Admission {
  const { parallelism = 1000, pools = { default_pool: 128 }, paused = new Set(), counting = new Set() } = more;
  return new Admission(parallelism, { poolOf: (name) => (pools[name] === undefined ? null : { slots: pools[name], includeDeferred: counting.has(name) }), isPaused: (dagId) => paused.has(dagId) });
}

function takeAll(queue: Admission): Candidate[] {
  const taken: Candidate[] = [];
  for (let next = queue.take(); next !== null; next = queue.take()) taken.push(next);
  return taken;
}

describe('order', () => {
  it('is priority weight, logical date (none last), map index, then arrival', () => {
    const tasks = [task('low'), task('high', [], { priority_weight: 5 }), task('mapped', [], { expand: product(3) })];
    const [early, late, undated] = [runOf(tasks, { id: 'early', logicalDate: 1 }), runOf(tasks, { id: 'late', logicalDate: 2 }), runOf(tasks, { id: 'undated', logicalDate: null })];
    const queue = admission();
    for (const entry of [candidate(undated, 'low'), candidate(late, 'low'), candidate(late, 'mapped', 1), candidate(late, 'mapped', 0), candidate(early, 'low'), candidate(undated, 'high')]) queue.add(entry);
    assert.deepEqual(takeAll(queue).map(nameOf), ['undated.high', 'early.low', 'late.low', 'late.mapped[0]', 'late.mapped[1]', 'undated.low']);
  });
});

describe('limits', () => {
  const wide = Array.from({ length: 4 }, (_, at) => task(`t${at}`));

  it('parallelism holds everything together', () => {
    const run = runOf(wide);
    const queue = admission({ parallelism: 2 });
    for (const { task_id } of wide) queue.add(candidate(run, task_id));
    const taken = takeAll(queue);
    assert.equal(taken.length, 2);
    assert.equal(queue.waiting, 2);
    queue.release(taken[0] ?? assert.fail());
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.t2']);
  });

  it('a pool counts slots; −1 is unlimited, a missing pool has none, a task larger than its pool never starts', () => {
    const run = runOf([task('big', [], { pool: 'p', pool_slots: 2 }), task('small', [], { pool: 'p' }), task('free', [], { pool: 'all', pool_slots: 1000 }), task('lost', [], { pool: 'none' }), task('huge', [], { pool: 'p', pool_slots: 4 })]);
    const queue = admission({ pools: { p: 3, all: -1 } });
    for (const id of ['huge', 'big', 'small', 'free', 'lost', 'small']) queue.add(candidate(run, id));
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.big', 'r.small', 'r.free']);
    assert.deepEqual(queue.findBlocked(candidate(run, 'lost')), { resource: 'pool none', used: 0, limit: 0 });
    assert.deepEqual(queue.findBlocked(candidate(run, 'small')), { resource: 'pool p', used: 3, limit: 3 });
  });

  it('max_active_tasks counts per run', () => {
    const [a, b] = [runOf(wide, { id: 'a', maxActiveTasks: 2 }), runOf(wide, { id: 'b', maxActiveTasks: 2 })];
    const queue = admission();
    for (const run of [a, b]) for (const { task_id } of wide) queue.add(candidate(run, task_id));
    assert.deepEqual(takeAll(queue).map(nameOf), ['a.t0', 'a.t1', 'b.t0', 'b.t1']);
  });

  it('max_active_tis counts per DAG or per run', () => {
    const tasks = [task('dag', [], { expand: product(3), max_active_tis_per_dag: 1 }), task('run', [], { expand: product(3), max_active_tis_per_dagrun: 1 })];
    const queue = admission();
    for (const run of [runOf(tasks, { id: 'a' }), runOf(tasks, { id: 'b' })]) for (const id of ['dag', 'run']) for (const index of [0, 1]) queue.add(candidate(run, id, index));
    assert.deepEqual(takeAll(queue).map(nameOf), ['a.dag[0]', 'a.run[0]', 'b.run[0]']);
  });

  it('instances of a paused DAG wait until it is unpaused', () => {
    const paused = new Set(['d']);
    const queue = admission({ paused });
    queue.add(candidate(runOf(wide), 't0'));
    queue.add(candidate(runOf(wide, { dagId: 'other', id: 'o' }), 't0'));
    assert.deepEqual(takeAll(queue).map(nameOf), ['o.t0']);
    paused.delete('d');
    queue.reopenAll();
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.t0']);
  });

  it('a larger pool lets more go', () => {
    const pools = { default_pool: 1 };
    const queue = admission({ pools });
    for (const { task_id } of wide) queue.add(candidate(runOf(wide), task_id));
    assert.equal(takeAll(queue).length, 1);
    pools.default_pool = 3;
    queue.reopenAll();
    assert.equal(takeAll(queue).length, 2);
  });
});

describe('nobody starves', () => {
  it('behind a task that needs more slots than are free', () => {
    const run = runOf([task('big', [], { pool_slots: 2, priority_weight: 9 }), task('small', [], { expand: product(3) })]);
    const queue = admission({ pools: { default_pool: 2 } });
    const first = [candidate(run, 'small', 0), candidate(run, 'small', 1)];
    for (const entry of first) queue.add(entry);
    takeAll(queue);
    queue.add(candidate(run, 'big'));
    queue.add(candidate(run, 'small', 2));
    assert.deepEqual(takeAll(queue), []);
    queue.release(first[0] ?? assert.fail());
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.small[2]'], 'the free slot is too small for `big`');
  });

  it('behind one that was let through and wanted no more', () => {
    const run = runOf([task('a', [], { expand: product(3) })]);
    const queue = admission({ pools: { default_pool: 1 } });
    const all = [0, 1, 2].map((index) => candidate(run, 'a', index));
    for (const entry of all) queue.add(entry);
    takeAll(queue);
    queue.release(all[0] ?? assert.fail());
    queue.remove(all[1]?.instance ?? assert.fail());
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.a[2]']);
  });

  it('behind one that goes on to wait for something else', () => {
    const one = runOf([task('a', [], { pool: 'p', max_active_tis_per_dagrun: 1, expand: product(3), priority_weight: 2 }), task('b', [], { pool: 'p' })]);
    const queue = admission({ pools: { p: 2 } });
    const [a0, a1, b] = [candidate(one, 'a', 0), candidate(one, 'a', 1), candidate(one, 'b')];
    const other = candidate(runOf([task('x', [], { pool: 'p' })], { id: 'o', dagId: 'o' }), 'x');
    for (const entry of [a0, other]) queue.add(entry);
    assert.equal(takeAll(queue).length, 2);
    for (const entry of [a1, b]) queue.add(entry);
    assert.equal(takeAll(queue).length, 0);
    queue.release(other);
    assert.deepEqual(takeAll(queue).map(nameOf), ['r.b']);
  });
});

it('deferred instances hold slots of pools that count them, and no others', () => {
  const run = runOf([task('d', [], { pool: 'p', pool_slots: 2 }), task('a', [], { pool: 'p' }), task('b', [], { pool: 'p' }), task('c', [], { pool: 'p' })]);
  const counting = new Set(['p']);
  const queue = admission({ parallelism: 3, pools: { p: 3 }, counting });
  const deferred = candidate(run, 'd');
  queue.defer(deferred);
  queue.defer(deferred);
  for (const id of ['a', 'b', 'c']) queue.add(candidate(run, id));
  assert.deepEqual(takeAll(queue).map(nameOf), ['r.a']);
  assert.deepEqual(queue.findBlocked(candidate(run, 'b')), { resource: 'pool p', used: 3, limit: 3 });
  queue.resume(deferred.instance);
  queue.resume(deferred.instance);
  assert.deepEqual(takeAll(queue).map(nameOf), ['r.b', 'r.c'], 'parallelism never counted it');
  counting.clear();
  queue.defer(deferred);
  queue.occupy(candidate(run, 'a'), -1);
  assert.equal(queue.findBlocked(candidate(run, 'a')), null, 'the pool counts deferred ones no more');
});

it('ten thousand that wait cost nothing', () => {
  const run = runOf([task('m', [], { expand: product(1), pool: 'p' }), task('other')]);
  let asked = 0;
  const queue = new Admission(1_000_000, { poolOf: (name) => { asked += 1; return { slots: name === 'p' ? 1 : 100_000, includeDeferred: false }; }, isPaused: () => false });
  for (let index = 0; index < 10_000; index += 1) queue.add(candidate(run, 'm', index));
  const [running] = takeAll(queue);
  asked = 0;
  for (let index = 0; index < 100; index += 1) queue.add(candidate(run, 'other', index));
  assert.equal(takeAll(queue).length, 100);
  assert.ok(asked <= 400, `${asked} looks at pools for 100 others`);
  asked = 0;
  queue.release(running ?? assert.fail());
  assert.equal(takeAll(queue).length, 1);
  assert.ok(asked <= 10, `${asked} looks at pools for one that went on`);
});

it('a finished run leaves no counter behind', () => {
  const run = runOf([task('a'), task('b')], { maxActiveTasks: 1 });
  const queue = admission();
  const [a, b] = [candidate(run, 'a'), candidate(run, 'b')];
  queue.add(a);
  queue.add(b);
  takeAll(queue);
  queue.remove(b.instance);
  queue.release(a);
  queue.forgetRun(run);
  queue.occupy(candidate(run, 'a'), 1);
  assert.equal(queue.findBlocked(candidate(run, 'b'))?.used, 1);
});

// ── against a model that looks at every waiter each time ────────────────────────────────────────────────────────────

type Step = { kind: 'add'; run: number; task: number; index: number } | { kind: 'take' } | { kind: 'release' | 'remove'; which: number } | { kind: 'resize'; slots: number } | { kind: 'pause'; dag: number };

const TASKS = [
  task('a', [], { pool: 'p', pool_slots: 2, priority_weight: 3 }), task('b', [], { pool: 'p' }), task('c', [], { pool: 'q', max_active_tis_per_dag: 2, priority_weight: 2 }),
  task('d', [], { pool: 'q', max_active_tis_per_dagrun: 1 }), task('e', [], { pool: 'p', pool_slots: 3 }),
];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('add' as const), run: fc.nat(3), task: fc.nat(4), index: fc.nat(2) }) },
  { weight: 9, arbitrary: fc.constant({ kind: 'take' as const }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize' as const), slots: fc.integer({ min: -1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), dag: fc.nat(1) }) },
);

/** Whether a candidate fits beside those that run, by counting them all. */
function fits(one: Candidate, running: readonly Candidate[], world: { pools: Record<string, number>; paused: Set<string>; parallelism: number }): boolean {
  const { task: own } = one.instance.task;
  const count = (same: (other: Candidate) => boolean, weight: (other: Candidate) => number = () => 1): number => running.filter(same).reduce((sum, other) => sum + weight(other), 0);
  const pool = own.pool ?? 'default_pool';
  const size = world.pools[pool] ?? 0;
  const sameTask = (other: Candidate): boolean => other.run.dagId === one.run.dagId && other.instance.task.id === own.task_id;
  return !world.paused.has(one.run.dagId)
    && running.length < world.parallelism
    && (size < 0 || count((other) => other.instance.task.task.pool === pool, (other) => other.instance.task.task.pool_slots ?? 1) + (own.pool_slots ?? 1) <= size)
    && count((other) => other.run === one.run) < (one.run.graph.dag.max_active_tasks ?? 16)
    && (own.max_active_tis_per_dag === undefined || count(sameTask) < own.max_active_tis_per_dag)
    && (own.max_active_tis_per_dagrun === undefined || count((other) => sameTask(other) && other.run === one.run) < own.max_active_tis_per_dagrun);
}

function isBefore(a: Candidate, b: Candidate): boolean {
  const keys = ({ run, instance }: Candidate): number[] => [-instance.task.priorityWeight, run.logicalDate ?? Number.MAX_SAFE_INTEGER, instance.mapIndex];
  const [x, y] = [keys(a), keys(b)];
  const at = x.findIndex((key, position) => key !== y[position]);
  return at >= 0 && (x[at] ?? 0) < (y[at] ?? 0);
}

it('takes what a full search would: somebody if anybody fits, never one that does not, never one behind a better one', () => {
  fc.assert(fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => {
    const world = { pools: { p: 4, q: 3 } as Record<string, number>, paused: new Set<string>(), parallelism: 9 };
    const runs = Array.from({ length: 4 }, (_, at) => runOf(TASKS, { id: `r${at}`, dagId: `d${at % 2}`, logicalDate: at === 3 ? null : at, maxActiveTasks: 4 }));
    const queue = admission({ parallelism: world.parallelism, pools: world.pools, paused: world.paused });
    const waiting: Candidate[] = [];
    const running: Candidate[] = [];
    const apply: { [K in Step['kind']]: (one: Extract<Step, { kind: K }>) => void } = {
      add: ({ run, task: at, index }) => {
        const one = candidate(runs[run] ?? assert.fail(), TASKS[at]?.task_id ?? '', index);
        waiting.push(one);
        queue.add(one);
      },
      take: () => {
        const fitting = waiting.filter((one) => fits(one, running, world));
        const taken = queue.take();
        if (taken === null) return assert.deepEqual(fitting.map(nameOf), []);
        const at = waiting.findIndex((one) => one.instance === taken.instance);
        const [found] = waiting.splice(at, 1);
        assert.ok(found !== undefined && fitting.includes(found), `${nameOf(taken)} does not fit`);
        assert.deepEqual(fitting.filter((one) => isBefore(one, found)).map(nameOf), [], `${nameOf(found)} was taken before a better one`);
        running.push(found);
      },
      release: ({ which }) => {
        const [one] = running.splice(which % Math.max(1, running.length), 1);
        if (one !== undefined) queue.release(one);
      },
      remove: ({ which }) => {
        const [one] = waiting.splice(which % Math.max(1, waiting.length), 1);
        if (one !== undefined) queue.remove(one.instance);
      },
      resize: ({ slots }) => {
        world.pools['p'] = slots;
        queue.reopenAll();
      },
      pause: ({ dag }) => {
        if (!world.paused.delete(`d${dag}`)) world.paused.add(`d${dag}`);
        queue.reopenAll();
      },
    };
    for (const one of steps) (apply[one.kind] as (one: Step) => void)(one);
    assert.equal(queue.waiting, waiting.length);
  }), { numRuns: 1500 });
});
