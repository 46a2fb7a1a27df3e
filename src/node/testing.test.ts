// The helper for tests of DAGs: tasks and DAGs in process, with what the test gives them.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { bash, chain, dag, group, sensor, shortCircuit, SkipTask, task } from '#sdk/leoflow.ts';
import { registry } from '#sdk/registry.ts';
import type { TriggerRule } from '#contract/dag.ts';
import { runDag, runTask } from '#sdk/testing.ts';

export function half(n: number): number {
  return n / 2;
}

function drawn(): ReturnType<typeof dag> {
  return dag('d', { params: { factor: { type: 'integer', default: 2 } } }, ({ task: paramTask, branch }) => {
    const numbers = task('numbers', () => [2, 4, 6])();
    const scale = paramTask('scale', ({ n }: { n: number }, ctx) => {
      ctx.log.info(`n is ${n}`);
      return n * ctx.params.factor;
    });
    const scaled = scale.expand({ n: numbers.map(half) });
    const total = task('total', ({ all }: { all: number[] }) => all.reduce((a, b) => a + b, 0))({ all: scaled });
    const pick = branch('pick', ({ total: t }: { total: number }) => (t > 10 ? 'big' : 'small'))({ total });
    const big = task('big', () => 'big')();
    chain(pick, [big, task('small', () => 'small')()]);
    task('join', { trigger_rule: 'none_failed_min_one_success' }, (_, ctx) => ctx.xcom.pull('big'))().after(big);
  });
}

describe('leoflow/testing', () => {
  afterEach(() => {
    const { dags, problems, exports } = registry();
    dags.length = problems.length = exports.length = 0;
  });

  it('a task runs with inputs, or with the XComs that its drawing names', async () => {
    const one = drawn();
    assert.deepEqual((await runTask(one, 'total', { inputs: { all: [1, 2] } })).result, 3);
    assert.deepEqual((await runTask(one, 'total', { xcoms: { scale: [5, 6] } })).result, 11);
    const scaled = await runTask(one, 'scale', { xcoms: { numbers: [2, 4] }, map_index: 1, params: { factor: 10 } });
    assert.deepEqual([scaled.result, scaled.log], [20, [{ level: 'info', event: 'n is 2' }]]);
    await assert.rejects(runTask(one, 'nobody'), /has no task nobody.*numbers/);
  });

  it('a DAG runs in order, with mapping and branches', async () => {
    assert.deepEqual((await runDag(drawn())).states, { numbers: 'success', scale: 'success', total: 'success', pick: 'success', big: 'success', small: 'skipped', join: 'success' });
    const done = await runDag(registry().dags[0] ?? assert.fail(), { params: { factor: 1 } });
    assert.deepEqual([done.results['scale'], done.results['total'], done.states['big'], done.states['join']], [[1, 2, 3], 6, 'skipped', 'skipped']);
  });

  it('skips, failures, variables, connections and dates', async () => {
    const one = dag('e', {}, () => {
      const skipping = task('skipping', () => {
        throw new SkipTask('no');
      })();
      const failing = task('failing', () => Promise.reject(new TypeError('bad')))();
      task('after_skip', () => 1)().after(skipping);
      task('after_failure', () => 1)().after(failing);
      chain(shortCircuit('gate', () => 0)(), bash('gated', 'x'), task('far', { trigger_rule: 'all_done' }, () => 1)());
      task('asks', async (_, ctx) => {
        await ctx.variable.set('seen', 'yes');
        return [await ctx.variable.get('color'), (await ctx.connection.get('db')).host, ctx.ds, ctx.logical_date];
      })();
      group('g', { expand: { x: [1, 2, 3] } }, ({ x }) => task('square', ({ v }: { v: number }) => v * v)({ v: x }));
      sensor('eventually', { poke_interval: '1m', timeout: '2m' }, () => false)();
    });
    const variables: Record<string, string> = { color: 'red' };
    const done = await runDag(one, { variables, connections: { db: { host: 'h' } }, logical_date: '2026-01-31' });
    assert.deepEqual(done.states, { skipping: 'skipped', failing: 'failed', after_skip: 'skipped', after_failure: 'upstream_failed', gate: 'success', gated: 'skipped', far: 'skipped', asks: 'success', 'g.square': 'success', eventually: 'failed' });
    assert.deepEqual([done.results['asks'], done.results['g.square']], [['red', 'h', '2026-01-31', '2026-01-31T00:00:00.000Z'], [1, 4, 9]]);
    assert.match(String(done.errors['failing']), /TypeError: bad/);
    assert.match(String(done.errors['eventually']), /its timeout is 120 s/);
    assert.equal(variables['seen'], 'yes');
  });

  it('trigger rules are those of a run: by instances, with setups and teardowns', async () => {
    const one = dag('r', {}, () => {
      const good = task('good', () => 1)();
      const bad = task('bad', () => Promise.reject(new Error('bad')))();
      const skips = task('skips', () => Promise.reject(new SkipTask('no')))();
      const each = task('each', ({ n }: { n: number }) => (n > 1 ? Promise.reject(new Error('bad')) : n)).expand({ n: [1, 2] });
      const none = task('none', ({ n }: { n: number }) => n).expand({ n: [] });
      const on = (id: string, rule: TriggerRule, ...before: unknown[]): void => void task(id, { trigger_rule: rule }, () => 1)().after(...before as [typeof good]);
      on('all_failed', 'all_failed', good, bad);
      on('one_failed', 'one_failed', good, good);
      on('one_success', 'one_success', each);
      on('one_done', 'one_done', skips);
      on('all_skipped', 'all_skipped', good, skips);
      on('none_skipped', 'none_skipped', bad, skips);
      on('min_one', 'all_done_min_one_success', bad);
      on('after_none', 'all_success', none);
      const prepare = task('prepare', () => Promise.reject(new Error('bad')))().asSetup();
      task('clean', () => 1)().after(prepare, good).asTeardown({ setups: prepare });
      task('tidy', () => 1)().after(bad).asTeardown();
    });
    const { states } = await runDag(one);
    const of = (...ids: string[]): unknown[] => ids.map((id) => states[id]);
    assert.deepEqual(of('all_failed', 'one_failed', 'one_success', 'one_done'), ['skipped', 'skipped', 'success', 'skipped']);
    assert.deepEqual(of('all_skipped', 'none_skipped', 'min_one', 'after_none'), ['skipped', 'skipped', 'upstream_failed', 'skipped']);
    assert.deepEqual(of('clean', 'tidy'), ['upstream_failed', 'success']);
  });

  it('a short circuit before many diamonds ends, and leaves teardowns', async () => {
    const one = dag('s', {}, () => {
      let last = shortCircuit('gate', () => false)() as never;
      for (let level = 0; level < 40; level += 1) {
        const join = task(`join${level}`, () => 1)();
        chain(last, [task(`left${level}`, () => 1)(), task(`right${level}`, () => 1)()], join);
        last = join as never;
      }
      task('clean', () => 1)().after(last).asTeardown();
    });
    const { states } = await runDag(one);
    assert.deepEqual([states['left0'], states['join39'], states['clean']], ['skipped', 'skipped', 'success']);
  });

  it('a value that cannot be kept fails the task, as in a run', async () => {
    const one = dag('f', {}, () => void task('bad', () => new Map())());
    assert.match(String((await runTask(one, 'bad')).error), /a Map has no JSON form/);
  });
});
