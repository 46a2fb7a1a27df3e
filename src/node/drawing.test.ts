// What a dag.ts draws: the JSON of its DAGs, and every mistake with the place of the author's call.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { asset, bash, branch, chain, command, dag, empty, group, http, operator, type Output, sensor, shortCircuit, task } from '#sdk/leoflow.ts';
import { readDrawing } from '#sdk/drawn-dag.ts';
import { registry } from '#sdk/registry.ts';

/** The line of this file that the caller is in. */
function line(): number {
  return Number(/drawing\.test\.ts:(\d+)/.exec((new Error('here').stack ?? '').split('\n')[2] ?? '')?.[1]);
}

export function doubled(n: number): number {
  return n * 2;
}

describe('drawings', () => {
  afterEach(() => {
    const { dags, problems, exports } = registry();
    dags.length = problems.length = exports.length = 0;
  });

  it('tasks, arguments and edges are the words of dag.yaml', () => {
    const extract = task('extract', () => [{ id: 1 }]);
    const load = task('load', { retries: 2, retry_delay: '5m', outlets: [asset('s3://x')] }, ({ rows }: { rows: { id: number }[]; mode?: string }) => rows.length);
    const one = dag('one', { schedule: '@daily', start_date: new Date(0), tags: ['a'], params: { day: { type: 'string', default: 'x' } } }, () => {
      const rows = extract();
      load({ rows, mode: 'append' }).after(bash('before', 'echo 1'), { label: 'then' });
      chain(rows, [empty('left'), empty('right')], command('last', ['ls', '-l'], { cwd: '/' }));
    });
    assert.deepEqual(registry().problems, []);
    assert.deepEqual(one.drawing, {
      dag_id: 'one', schedule: '@daily', start_date: '1970-01-01T00:00:00.000Z', tags: ['a'], params: { day: { type: 'string', default: 'x' } },
      tasks: {
        extract: { node: 'dag.ts#extract' },
        load: { node: 'dag.ts#load', retries: 2, retry_delay: '5m', outlets: [{ asset: 's3://x' }], with: { rows: { xcom: 'extract' }, mode: 'append' }, after: [{ task: 'before', label: 'then' }] },
        before: { operator: 'BashOperator', bash_command: 'echo 1' },
        left: { operator: 'EmptyOperator', after: ['extract'] },
        right: { operator: 'EmptyOperator', after: ['extract'] },
        last: { command: ['ls', '-l'], cwd: '/', after: ['left', 'right'] },
      },
    });
  });

  it('mapping, zips, groups, and what decides', () => {
    const numbers = task('numbers', () => [1, 2]);
    const add = task('add', ({ a, b }: { a: number; b: number }) => a + b);
    const two = dag('two', {}, () => {
      const n = numbers();
      const sums = add.partial({ b: 1 }).expand({ a: n.map(doubled) });
      add.expandRows([{ a: 1, b: (sums as never as Output<{ x: number }>).key('x') }]);
      add.expandRows(n.zip(n, { fillvalue: 0 }) as never);
      const inner = group('g', { expand: { x: [1, 2] } }, ({ x }) => add({ a: x, b: 1 }));
      const pick = branch('pick', () => 'g')();
      chain(pick, [inner, empty('other')]);
      shortCircuit('gate', { ignore_downstream_trigger_rules: false }, () => true)().before(inner);
      sensor('wait', { mode: 'reschedule', poke_interval: 5 }, () => true)();
      http('call', { url: 'https://x', method: 'POST', body: { a: 1 }, retries: 1 });
      operator('my.package.Thing', { task_id: 'thing', size: n });
      add.override({ task_id: 'teardown' })({ a: 1, b: 2 }).asTeardown({ setups: n });
    });
    const { tasks } = two.drawing as { tasks: Record<string, Record<string, unknown>> };
    assert.deepEqual(registry().problems, []);
    assert.deepEqual(tasks['add'], { node: 'dag.ts#add', with: { b: 1 }, expand: { a: { map: { xcom: 'numbers' }, through: 'dag.ts#doubled' } } });
    assert.deepEqual(tasks['add__1'], { node: 'dag.ts#add__1', expand_rows: [{ a: 1, b: { xcom: 'add', key: 'x' } }] });
    assert.deepEqual(tasks['add__2'], { node: 'dag.ts#add__2', expand_rows: { zip: [{ xcom: 'numbers' }, { xcom: 'numbers' }], fillvalue: 0 } });
    assert.deepEqual(tasks['g'], { tasks: { add: { node: 'dag.ts#g.add', with: { a: { argument: 'x' }, b: 1 } } }, expand: { x: [1, 2] }, after: ['pick', 'gate'] });
    assert.deepEqual(tasks['gate'], { node: 'dag.ts#gate', decorator: 'short_circuit', ignore_downstream_trigger_rules: false });
    assert.deepEqual(tasks['wait'], { node: 'dag.ts#wait', decorator: 'sensor', mode: 'reschedule', poke_interval: 5 });
    assert.deepEqual(tasks['call'], { http: { method: 'POST', url: 'https://x', body: { a: 1 } }, retries: 1 });
    assert.deepEqual(tasks['thing'], { operator: 'my.package.Thing', size: { xcom: 'numbers' } });
    assert.deepEqual([tasks['numbers']?.['setup'], tasks['teardown']?.['teardown']], [true, ['numbers']]);
    assert.deepEqual([...two.functions.keys()], ['numbers', 'add', 'add__1', 'add__2', 'g.add', 'pick', 'gate', 'wait', 'teardown']);
    const graph = readDrawing({ ...two.drawing } as never);
    assert.deepEqual([...(graph.tasks.get('g.add')?.upstream ?? [])].sort(), ['gate', 'pick']);
  });

  it('mistakes are all told, each where its call stands', () => {
    const any = task('any', ({ v }: { v?: unknown }) => v);
    const twin = task('any', () => 2);
    const lines: number[] = [];
    let foreign: ReturnType<typeof any> | undefined;
    dag('first', {}, () => void (foreign = any({})));
    dag('second', {}, () => {
      any({});
      lines.push(line()); twin();
      lines.push(line()); any({ v: foreign });
      lines.push(line()); any({ v: any });
      lines.push(line()); any({ v: { deep: [1n] } });
      lines.push(line()); any({}).after(any as never);
      lines.push(line()); empty('no blanks');
      lines.push(line()); any({}).after(foreign as never);
    });
    lines.push(line()); dag('first', {}, () => undefined);
    const { problems } = registry();
    assert.deepEqual(problems.map(({ place }) => place?.line), lines);
    assert.ok(problems.every(({ place }) => place?.file === import.meta.filename && place.column > 1));
    for (const [at, wanted] of [/the id any is drawn twice in second: first in line \d+/, /an output of the DAG first is used in second \(at \.v\)/, /a function is no value \(at \.v\)/, /a bigint is no JSON value \(at \.v\.deep\[0\]\)/, /take outputs of tasks/, /the id "no blanks" must be/, /any belongs to the DAG first, not to second/, /the DAG first is drawn twice/].entries()) assert.match(problems[at]?.message ?? '', wanted);
  });

  it('a value that looks like a reference is kept as it is', () => {
    const any = task('any', ({ v }: { v: unknown }) => v);
    const one = dag('one', {}, () => {
      const first = any({ v: { param: 'mine' } });
      any({ v: { deep: [{ xcom: 'mine', key: { argument: 'x' } }] } });
      any({ v: { map: 'eu', zip: first } });
    });
    assert.deepEqual(registry().problems, []);
    const drawn = Object.values(one.drawing['tasks'] as Record<string, { with: unknown }>).map((task) => task.with);
    assert.deepEqual(drawn, [{ v: { literal: { param: 'mine' } } }, { v: { deep: [{ literal: { xcom: 'mine', key: { argument: 'x' } } }] } }, { v: { map: 'eu', zip: { xcom: 'any' } } }]);
  });

  it('a task outside a DAG is refused with what to do', () => {
    assert.throws(() => task('lost', () => 1)(), /belongs inside dag\(id, options, draw\)/);
    assert.throws(() => task(() => 1), /needs an id/);
  });
});
