// Mapped tasks: how many instances, in which order they run, what an empty, unknown or changed length does, and what it costs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Task } from '#contract/dag.ts';
import { assertCounts, group, Planner, product, task } from '../../test/support/planner.ts';
import { progressOf } from './run-snapshot.ts';

const mapped = (id: string, dependsOn: string[], expand: Task['expand'], more: Partial<Task> = {}): Task => task(id, dependsOn, { ...(expand === undefined ? {} : { expand }), ...more });

describe('lengths', () => {
  it('a literal is expanded when the run starts, even below something unfinished', () => {
    const p = new Planner([task('a'), mapped('m', ['a'], product(3))]);
    assert.deepEqual(p.states('m'), [null, null, null]);
    p.succeed('a');
    assert.deepEqual(p.ready, ['m[0]', 'm[1]', 'm[2]']);
    assert.equal(p.get('m[2]').tryNumber, 1);
    assertCounts(p.run);
  });

  it('row −1 becomes index 0, the others are new', () => {
    const p = new Planner([task('a'), mapped('m', ['a'], product('a'))]);
    const row = p.get('m');
    row.isNew = false;
    p.succeed('a', { pushes: 2 });
    assert.equal(p.get('m[0]'), row);
    assert.deepEqual(p.lastPlan.changes.get(row), { state: null, executionId: null, mapIndex: -1, wait: null });
    assert.equal(p.get('m[1]').isNew, true);
  });

  it('arguments multiply; zip is as long as its shortest part, concat as all of them', () => {
    const xcom = (taskId: string) => ({ kind: 'xcom', task_id: taskId, key: 'return_value' }) as const;
    const p = new Planner([
      task('a'), task('b'), mapped('product', ['a', 'b'], product('a', 'b', 2)),
      mapped('zip', ['a', 'b'], { kind: 'product', arguments: { x: { kind: 'zip', of: [xcom('a'), xcom('b')] } } }),
      mapped('longest', ['a', 'b'], { kind: 'rows', rows: { kind: 'zip', longest: true, of: [xcom('a'), { kind: 'map', of: xcom('b') }] } }),
      mapped('concat', ['a', 'b'], { kind: 'rows', rows: { kind: 'concat', of: [xcom('a'), xcom('b'), { kind: 'literal', length: 1 }] } }),
    ]);
    p.succeed('a', { pushes: 2 }).succeed('b', { pushes: 3 });
    assert.deepEqual(['product', 'zip', 'longest', 'concat'].map((id) => p.states(id).length), [12, 2, 3, 6]);
  });

  it('an empty list skips the task and what needs it', () => {
    const p = new Planner([task('a'), mapped('m', ['a'], product('a')), task('b', ['m']), task('c', ['m'], { trigger_rule: 'all_done' })]);
    p.succeed('a', { pushes: 0 });
    assert.deepEqual(p.states('m'), ['skipped']);
    assert.equal(p.state('b'), 'skipped');
    assert.deepEqual(p.ready, ['c']);
    assert.match(p.get('m').reason ?? '', /empty/);
  });

  it('what is neither list nor dict, or was not pushed, fails the task', () => {
    for (const pushes of [null, undefined]) {
      const p = new Planner([task('a'), mapped('m', ['a'], product('a'))]);
      p.succeed('a', pushes === undefined ? {} : { pushes });
      assert.deepEqual(p.states('m'), ['upstream_failed']);
      assert.equal(p.runState, 'failed');
    }
  });

  it('a failed or skipped source is passed on unexpanded', () => {
    const p = new Planner([task('a'), mapped('m', ['a'], product('a')), mapped('n', ['m'], product('m'))]);
    p.fail('a');
    assert.deepEqual([p.states('m'), p.states('n')], [['upstream_failed'], ['upstream_failed']]);
    const q = new Planner([task('a'), mapped('m', ['a'], product('a')), mapped('n', ['m'], product('m'))]);
    q.end('a', { kind: 'skipped' });
    assert.deepEqual([q.states('m'), q.states('n')], [['skipped'], ['skipped']]);
  });

  it('a mapped task maps over as many values as a mapped one pushed, once all are done', () => {
    const p = new Planner([mapped('m', [], product(3)), mapped('n', ['m'], product('m'), { trigger_rule: 'none_failed' })]);
    p.succeed('m[0]', { pushes: null }).succeed('m[1]', { pushes: null });
    assert.deepEqual(p.states('n'), [null], 'the third is unfinished');
    p.end('m[2]', { kind: 'skipped' });
    assert.deepEqual(p.ready, ['n[0]', 'n[1]']);
  });

  it('a retry that pushes nothing does not count with what the try before pushed', () => {
    const p = new Planner([mapped('m', [], product(2), { retries: 1, retry_delay_seconds: 0 }), mapped('n', ['m'], product('m'))]);
    p.succeed('m[0]', { pushes: null }).begin('m[1]');
    progressOf(p.run, p.get('m[1]').task).lengths.get('return_value')?.set(1, null);
    p.fail('m[1]').advance(0);
    p.succeed('m[1]');
    assert.equal(p.states('n').length, 1);
  });
});

describe('after a clear', () => {
  const grown = (length: number): Planner => {
    const p = new Planner([task('a'), mapped('m', ['a'], product('a')), task('b', ['m'])]);
    p.succeed('a', { pushes: 3 }).succeed(['m[0]', 'm[1]', 'm[2]']).succeed('b');
    return p.clear('a', 'm[0]', 'm[1]', 'm[2]', 'b').succeed('a', { pushes: length });
  };

  it('a longer list makes the missing indexes', () => {
    const p = grown(5);
    assert.deepEqual(p.ready, ['m[0]', 'm[1]', 'm[2]', 'm[3]', 'm[4]']);
    p.succeed(p.ready).succeed('b');
    assert.equal(p.runState, 'success');
    assertCounts(p.run);
  });

  it('a shorter one removes those beyond it', () => {
    const p = grown(1);
    assert.deepEqual(p.states('m'), [null, 'removed', 'removed'].map((state) => state ?? 'scheduled'));
    p.succeed('m[0]');
    assert.deepEqual(p.ready, [], 'the removed ones are upstreams that did not succeed, as in Airflow');
    assert.equal(p.runState, 'failed', 'so the run cannot move any more');
    assertCounts(p.run);
  });
});

describe('mapped groups', () => {
  const groups = [group('g', product('list'))];
  const inGroup = { task_group: 'g' };

  it('each index goes its way as soon as its own upstream is done', () => {
    const p = new Planner([task('list'), task('g.a', ['list'], inGroup), task('g.b', ['g.a'], inGroup), task('after', ['g.b'])], { task_groups: groups });
    p.succeed('list', { pushes: 3 });
    assert.deepEqual(p.ready, ['g.a[0]', 'g.a[1]', 'g.a[2]']);
    assert.equal(p.states('g.b').length, 3, 'all indexes exist from the start');
    p.succeed('g.a[1]');
    assert.deepEqual(p.ready, ['g.a[0]', 'g.a[2]', 'g.b[1]']);
    p.succeed('g.b[1]').fail('g.a[0]');
    assert.deepEqual(p.states('g.b'), ['upstream_failed', 'success', null]);
    p.succeed(['g.a[2]', 'g.b[2]']);
    assert.equal(p.state('after'), 'upstream_failed');
    assertCounts(p.run);
  });

  it('a task whose group is its only link to the list waits for it', () => {
    const p = new Planner([task('list'), task('g.a', [], inGroup)], { task_groups: groups });
    assert.deepEqual(p.ready, ['list']);
    p.succeed('list', { pushes: 2 });
    assert.deepEqual(p.ready, ['g.a[0]', 'g.a[1]']);
  });

  it('one_failed inside a group looks at all indexes, at every end of one', () => {
    const p = new Planner([task('list'), task('g.a', ['list'], inGroup), task('g.b', ['g.a'], { ...inGroup, trigger_rule: 'one_failed' })], { task_groups: groups });
    p.succeed('list', { pushes: 3 }).succeed(['g.a[0]', 'g.a[1]']);
    assert.deepEqual(p.states('g.b'), [null, null, null]);
    p.succeed('g.a[2]');
    assert.deepEqual(p.states('g.b'), ['skipped', 'skipped', 'skipped']);
    assert.equal(p.runState, 'success');
  });

  it('one_success by a single index lets all of them go', () => {
    const p = new Planner([task('list'), task('g.a', ['list'], inGroup), task('g.b', ['g.a'], { ...inGroup, trigger_rule: 'one_success' })], { task_groups: groups });
    p.succeed('list', { pushes: 2 }).succeed('g.a[0]');
    assert.deepEqual(p.ready, ['g.a[1]', 'g.b[0]', 'g.b[1]']);
  });

  it('a branch inside a group decides for its index', () => {
    const p = new Planner([task('list'), task('g.pick', ['list'], { ...inGroup, can_skip_downstream: true }), task('g.x', ['g.pick'], inGroup), task('g.y', ['g.pick'], inGroup)], { task_groups: groups });
    p.succeed('list', { pushes: 2 });
    p.succeed('g.pick[0]', { skips: { followed: ['g.x'] } }).succeed('g.pick[1]', { skips: { followed: ['g.y'] } });
    assert.deepEqual([p.states('g.x'), p.states('g.y')], [['scheduled', 'skipped'], ['skipped', 'scheduled']]);
  });

  it('a short circuit inside a group stops its index only', () => {
    const p = new Planner([task('list'), task('g.gate', ['list'], { ...inGroup, can_skip_downstream: true }), task('g.a', ['g.gate'], inGroup), task('g.b', ['g.a'], { ...inGroup, trigger_rule: 'all_done' })], { task_groups: groups });
    p.succeed('list', { pushes: 2 }).succeed('g.gate[0]', { skips: { skipped: ['g.a'], all: true } });
    assert.deepEqual([p.states('g.a'), p.states('g.b')], [['skipped', null], ['skipped', null]]);
  });

  it('a task mapped inside a mapped group belongs to its group’s index by ranges, in both directions', () => {
    const tasks = [
      task('list'), mapped('g.inner', ['list'], product(3), inGroup), task('g.join', ['g.inner'], inGroup), mapped('g.other', ['g.inner'], product(2), inGroup),
    ];
    const p = new Planner(tasks, { task_groups: groups });
    p.succeed('list', { pushes: 2 });
    assert.deepEqual(['g.inner', 'g.join', 'g.other'].map((id) => p.states(id).length), [6, 2, 4]);
    p.succeed(['g.inner[3]', 'g.inner[4]', 'g.inner[5]']);
    assert.deepEqual(p.ready.filter((name) => !name.startsWith('g.inner')).sort(), ['g.join[1]', 'g.other[2]', 'g.other[3]']);
    p.fail('g.inner[0]');
    assert.deepEqual(p.states('g.join'), ['upstream_failed', 'scheduled']);
    assert.deepEqual(p.states('g.other'), ['upstream_failed', 'upstream_failed', 'scheduled', 'scheduled']);
  });

  it('a group inside a group multiplies', () => {
    const p = new Planner([task('g.a', [], inGroup), task('g.h.b', ['g.a'], { task_group: 'g.h' })], { task_groups: [group('g', product(2)), group('g.h', product(3), 'g')] });
    assert.deepEqual([p.states('g.a').length, p.states('g.h.b').length], [2, 6]);
    p.succeed('g.a[1]');
    assert.deepEqual(p.ready, ['g.a[0]', 'g.h.b[3]', 'g.h.b[4]', 'g.h.b[5]']);
  });

  it('a setup inside a group holds its index only', () => {
    const p = new Planner([
      task('list'), task('g.up', ['list'], { ...inGroup, is_setup: true }), task('g.mid', ['g.up'], inGroup), task('g.work', ['g.mid'], { ...inGroup, trigger_rule: 'all_done' }),
      task('g.down', ['g.work', 'g.up'], { ...inGroup, is_teardown: true, trigger_rule: 'all_done_setup_success' }),
    ], { task_groups: groups });
    p.succeed('list', { pushes: 2 }).fail('g.up[0]').succeed('g.up[1]').succeed('g.mid[1]');
    assert.deepEqual(p.states('g.work'), ['upstream_failed', 'scheduled']);
    p.succeed('g.work[1]');
    assert.deepEqual(p.states('g.down'), ['upstream_failed', 'scheduled']);
  });
});

/** How often the instances of a task are looked up while `work` runs. */
function lookups(p: Planner, id: string, work: () => void): number {
  const progress = progressOf(p.run, p.run.graph.tasks[p.run.graph.byId.get(id) ?? -1] ?? assert.fail());
  let count = 0;
  const original = progress.instances.get.bind(progress.instances);
  progress.instances.get = (index) => {
    count += 1;
    return original(index);
  };
  work();
  progress.instances.get = original;
  return count;
}

describe('cost of one end among n instances', () => {
  const sizes = [100, 10_000];
  const measure = (make: (n: number) => { p: Planner; end: string; watched: readonly string[] }): number[] => sizes.map((n) => {
    const { p, end, watched } = make(n);
    p.begin(end);
    let sum = 0;
    const nested = watched.reduceRight((work, id) => () => void (sum += lookups(p, id, work)), () => void p.succeed(end));
    nested();
    return sum;
  });

  it('does not grow for a join, a mapped downstream, or the next task of the same index', () => {
    const [few = 0, many = 0] = measure((n) => ({ p: new Planner([mapped('m', [], product(n)), task('join', ['m']), mapped('n', ['m'], product(n))]), end: 'm[7]', watched: ['m', 'join', 'n'] }));
    assert.ok(few > 0 && many === few, `${few} and ${many}`);
    const groups = [group('g', product(100))];
    const [small = 0] = measure(() => ({ p: new Planner([task('g.a', [], { task_group: 'g' }), task('g.b', ['g.a'], { task_group: 'g' })], { task_groups: groups }), end: 'g.a[50]', watched: ['g.b'] }));
    const [, big = 0] = measure((n) => ({ p: new Planner([task('g.a', [], { task_group: 'g' }), task('g.b', ['g.a'], { task_group: 'g' })], { task_groups: [group('g', product(n))] }), end: 'g.a[50]', watched: ['g.b'] }));
    assert.equal(big, small);
    assert.ok(big > 0 && big < 10);
  });

  it('does not grow with the tasks of the DAG', () => {
    const [few = 0, many = 0] = [10, 20_000].map((n) => {
      const p = new Planner(Array.from({ length: n }, (_, at) => task(`t${at}`)));
      p.begin('t0');
      let scans = 0;
      const tasks = p.run.graph.tasks;
      for (const name of ['some', 'filter', 'map', 'forEach', Symbol.iterator] as const) Object.defineProperty(tasks, name, { value: (...args: never[]): unknown => { scans += 1; return (Array.prototype[name] as (...a: never[]) => unknown).apply(tasks, args); } });
      p.succeed('t0');
      return scans;
    });
    assert.deepEqual([few, many], [0, 0]);
  });
});
