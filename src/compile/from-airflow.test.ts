// Airflow's serialization to dag.json: recorded documents of the real Task SDK, and what our graph has no words for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Dag, Task } from '#contract/dag.ts';
import { checkDag } from '#core/check-dag.ts';
import { mapAirflowDag, type MappedDag, type SerializedDag } from './from-airflow.ts';
import { timetableOf } from './airflow-timetable.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'airflow-3.2.1', 'serialized');
const read = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
const SOURCES: Dag['sources'] = [{ path: 'many_fields.py', sha256: 'a'.repeat(64) }];
const mapped = (result: MappedDag): Dag => {
  assert.equal(result.kind, 'mapped', JSON.stringify(result));
  return (result as { readonly dag: Dag }).dag;
};
/** A DAG of operators, as the SDK writes the parts that matter. */
const serialized = (operators: readonly Record<string, unknown>[], more: Record<string, unknown> = {}, envelope: Record<string, unknown> = {}): SerializedDag => ({
  facts: {}, sources: SOURCES,
  serialization: { __version: 3, ...envelope, dag: { dag_id: 'd', timezone: 'UTC', timetable: { __type: 'airflow.timetables.simple.NullTimetable', __var: {} }, ...more, tasks: operators.map((one) => ({ __type: 'operator', __var: { task_type: 'X', ...one } })) } },
});
const expansion = (value: unknown, type = 'dict-of-lists'): Record<string, unknown> => ({ task_id: 't', _is_mapped: true, _expand_input_attr: 'expand_input', partial_kwargs: {}, expand_input: { type, value } });
const refusals = (result: MappedDag): readonly string[] => (result.kind === 'refused' ? result.problems : []);

describe('a DAG with everything', () => {
  const recorded = read('many_fields.json') as SerializedDag;
  const dag = mapped(mapAirflowDag({ ...recorded, sources: SOURCES }, 'many_fields.py'));
  const task = (id: string): Task => dag.tasks.find((one) => one.task_id === id) ?? assert.fail(`no task ${id}`);

  it('is a sound dag.json, with the serialization as it came', () => {
    assert.deepEqual(checkDag(dag), { kind: 'ok', dag });
    assert.deepEqual(dag.airflow_serialization, recorded.serialization);
    assert.equal(dag.runtime, 'airflow');
  });

  it('keeps what is said of the DAG', () => {
    const { tasks: _tasks, airflow_serialization: _serialization, sources: _sources, deadlines, task_groups: _groups, ...rest } = dag;
    assert.deepEqual(rest, {
      schema_version: '1.0', dag_id: 'many_fields', display_name: 'Many fields', description: 'all of it', doc_md: '*hello*', owners: ['ann', 'bob'],
      owner_links: { ann: 'https://example.org/ann' }, tags: ['a', 'z'], fileloc: 'many_fields.py', runtime: 'airflow', timetable: { kind: 'delta', seconds: 10800 },
      timezone: 'Europe/Berlin', start_date: '2025-12-31T23:00:00+00:00', end_date: '2027-01-01T00:00:00+00:00', catchup: true, max_active_runs: 3,
      max_consecutive_failed_dag_runs: 2, dagrun_timeout_seconds: 300, is_paused_upon_creation: false, render_template_as_native_obj: true,
      allowed_run_types: ['manual', 'scheduled'], callbacks: ['failure'], default_args: { retries: 2, retry_delay: 7, owner: 'ann' },
      params: { a: { default: 3, description: 'how many', schema: { type: 'integer', minimum: 1 } }, b: { default: 'text' }, c: { default: 'x', schema: { type: 'string' } } },
      edge_labels: [{ from: 'command', to: 'waits', label: 'then' }],
    });
    assert.deepEqual(deadlines?.map((one) => (one as { interval: number }).interval), [300]);
  });

  it('has groups with their parents and expansion, and tasks in the innermost', () => {
    assert.deepEqual(dag.task_groups, [
      { group_id: 'group', tooltip: 'a group', expand: { kind: 'product', arguments: { v: { kind: 'literal', length: 2, values: { k: 1, l: 2 } } } } },
      { group_id: 'group.deeper', parent: 'group', prefix_group_id: false },
    ]);
    assert.equal(task('group.inner').task_group, 'group');
    assert.equal(task('deep').task_group, 'group.deeper');
    assert.deepEqual(task('deep').depends_on, ['group.inner']);
    assert.equal(task('group.inner').retries, 1);
  });

  it('has every form of expansion', () => {
    const xcom = { kind: 'xcom', task_id: 'source', key: 'return_value' };
    assert.deepEqual(task('mapped').expand, { kind: 'product', arguments: { x: { kind: 'map', of: xcom }, y: { kind: 'zip', of: [xcom, xcom], longest: true } } });
    assert.deepEqual(task('rows').expand, { kind: 'rows', rows: { kind: 'map', of: xcom } });
    assert.deepEqual(task('joined').expand, { kind: 'product', arguments: { x: { kind: 'concat', of: [xcom, xcom] } } });
    assert.deepEqual(task('literal').expand, { kind: 'product', arguments: { x: { kind: 'literal', length: 2, values: [1, { a: 86400 }] } } });
    assert.deepEqual(task('mapped').inputs, [{ task_id: 'source', key: 'return_value' }]);
  });

  it('finds the settings of a mapped task in what was partial', () => {
    const { pool, pool_slots, retries, retry_delay_seconds, max_active_tis_per_dag, map_index_template, depends_on, operator, operator_name } = task('mapped');
    assert.deepEqual({ pool, pool_slots, retries, retry_delay_seconds, max_active_tis_per_dag, map_index_template, depends_on, operator, operator_name }, {
      pool: 'narrow', pool_slots: 2, retries: 5, retry_delay_seconds: 7, max_active_tis_per_dag: 2, map_index_template: '{{ x }}', depends_on: ['source'], operator: '_PythonDecoratedOperator', operator_name: '@task',
    });
    assert.partialDeepStrictEqual(task('classic'), { trigger_rule: 'all_done', execution_timeout_seconds: 9, retry_delay_seconds: 3, start_date: '2026-02-02T00:00:00+00:00', callbacks: ['failure'], params: { own: { default: 1 } } });
  });

  it('keeps what is said of a task', () => {
    assert.deepEqual(task('command'), {
      task_id: 'command', display_name: 'A command', operator: 'BashOperator', body: { kind: 'python', file: 'many_fields.py', class: 'BashOperator' }, depends_on: [],
      trigger_rule: 'one_failed', retries: 2, retry_delay_seconds: 7, retry_exponential_backoff: 2, max_retry_delay_seconds: 60, depends_on_past: true,
      wait_for_downstream: true, ignore_first_depends_on_past: false, priority_weight: 4, weight_rule: 'upstream', queue: 'fast', executor_config: { a: { b: 1 } },
      max_active_tis_per_dagrun: 1, do_xcom_push: false, template_fields: ['bash_command', 'cwd', 'env'], owner: 'ann', doc_md: 'hi', params: { c: { default: 1 } },
      start_date: '2026-03-01T00:00:00+00:00', inlets: [{ name: 'zz' }],
      outlets: [{ name: 'x', uri: 's3://a/b', group: 'asset', extra: { k: 1 } }, { name: 'al', group: 'asset', alias: true }], ui_color: '#f0ede4',
    });
    assert.deepEqual(task('waits').sensor, { mode: 'reschedule', poke_interval_seconds: 5, timeout_seconds: 60, soft_fail: true });
    assert.equal(task('deferred').start_trigger?.classpath, 'airflow.providers.standard.triggers.temporal.DateTimeTrigger');
    assert.equal(task('deferred').start_trigger?.next_method, 'execute_complete');
    assert.equal(task('stops').can_skip_downstream, true);
    assert.equal(task('stops').ignore_downstream_trigger_rules, undefined);
    assert.equal(task('source').multiple_outputs, true);
    assert.equal(task('opens').is_setup, true);
    assert.deepEqual([task('closes').is_teardown, task('closes').on_failure_fail_dagrun, task('closes').trigger_rule], [true, true, 'all_done_setup_success']);
  });

  it('runs no process for an empty task, unless its author has code there', () => {
    assert.equal(task('empty').body.kind, 'empty');
    assert.equal(task('calls').body.kind, 'python');
  });
});

describe('timetables', () => {
  const recorded = read('timetables.json') as Readonly<Record<string, { readonly __var: { readonly asset_condition?: unknown } }>>;
  const cron = (expression: string) => ({ kind: 'cron', expressions: [expression], timezone: 'UTC' });
  const condition = (name: string): unknown => recorded[name]?.__var.asset_condition;
  const EXPECTED: Readonly<Record<string, unknown>> = {
    none: { kind: 'none' }, once: { kind: 'once' }, continuous: { kind: 'continuous' }, cron: cron('5 4 * * *'), preset: cron('@daily'),
    cron_more: { kind: 'cron', expressions: ['0 3 * * 1'], timezone: 'Europe/Berlin', interval_seconds: 604_800, run_immediately: 300 },
    cron_offset: { kind: 'cron', expressions: ['0 3 * * 1'], timezone: '-05:30', run_immediately: true },
    delta: { kind: 'delta', seconds: 5400 }, delta_more: { kind: 'delta', seconds: 7200, interval_seconds: 3600 },
    several: { kind: 'cron', expressions: ['0 1 * * *', '0 2 * * *'], timezone: 'UTC' },
    cron_interval: { kind: 'cron_interval', expression: '0 1 * * *', timezone: 'UTC' }, delta_interval: { kind: 'delta_interval', seconds: 86_400 },
    months: { kind: 'custom', class: 'airflow.timetables.interval.DeltaDataIntervalTimetable', data: { delta: { months: 1 } } },
    events: { kind: 'events', dates: ['2026-01-01T00:00:00+00:00', '2026-02-01T00:00:00+00:00'], restrict_to_events: true, description: 'two days' },
    assets: { kind: 'assets', condition: condition('assets') }, any: { kind: 'assets', condition: condition('any') },
    asset_or_time: { kind: 'asset_or_time', condition: condition('asset_or_time'), timetable: cron('0 0 * * 3') },
    cron_partition: { kind: 'custom', class: 'airflow.timetables.trigger.CronPartitionTimetable', partitioned: true, data: { expression: '0 0 * * *', timezone: 'UTC', run_immediately: false, run_offset: -1, key_format: '%Y-%m-%dT%H:%M:%S' } },
    asset_partition: { kind: 'custom', class: 'airflow.timetables.simple.PartitionedAssetTimetable', partitioned: true, data: recorded['asset_partition']?.__var },
  };

  it('are each the one that the author wrote', () => {
    assert.deepEqual(Object.fromEntries(Object.entries(recorded).map(([name, encoded]) => [name, timetableOf(encoded)])), EXPECTED);
  });

  it('of a plugin are asked of their class', () => {
    assert.deepEqual(timetableOf({ __type: 'plugins.workday.Workdays', __var: { days: 2 } }), { kind: 'custom', class: 'plugins.workday.Workdays', data: { days: 2 } });
  });

  it('are all sound in a dag.json', () => {
    for (const [name, encoded] of Object.entries(recorded)) assert.equal(checkDag(mapped(mapAirflowDag(serialized([], { timetable: encoded }), 'd.py'))).kind, 'ok', name);
  });
});

describe('what is left out', () => {
  it('is at the SDK’s own default where the serialization names one', () => {
    const dag = mapped(mapAirflowDag(serialized([{ task_id: 'a' }, { task_id: 'b', retries: 0 }], {}, { client_defaults: { tasks: { retries: 3, pool: 'theirs' } } }), 'd.py'));
    assert.deepEqual(dag.tasks.map(({ retries, pool }) => [retries, pool]), [[3, 'theirs'], [undefined, 'theirs']]);
  });

  it('is the weight rule and weight of a strategy of the project', () => {
    const one = serialized([{ task_id: 'a', weight_rule: 'plugins.Mine', priority_weight: 2 }]);
    const [task] = mapped(mapAirflowDag({ ...one, facts: { a: { weight: 9 } } }, 'd.py')).tasks;
    assert.deepEqual([task?.weight_rule, task?.priority_weight], ['plugins.Mine', 9]);
  });

  it('is no param of the DAG in a task', () => {
    const param = (source: string | null): unknown => ({ __class: 'airflow.sdk.definitions.param.Param', default: { __type: 'arg_not_set', __var: null }, description: null, schema: { __type: 'dict', __var: {} }, source });
    const dag = mapped(mapAirflowDag(serialized([{ task_id: 'a', params: [['p', param('dag')], ['q', param('task')]] }]), 'd.py'));
    assert.deepEqual(dag.tasks[0]?.params, { q: {} });
  });

  it('is a literal’s values when an XCom is among them', () => {
    const dag = mapped(mapAirflowDag(serialized([{ task_id: 'u', downstream_task_ids: ['t'] }, expansion({ __type: 'dict', __var: { x: [1, { __type: 'xcomref', __var: { task_id: 'u', key: 'k' } }] } })]), 'd.py'));
    assert.deepEqual(dag.tasks[1]?.expand, { kind: 'product', arguments: { x: { kind: 'literal', length: 2 } } });
  });
});

describe('what our graph cannot express', () => {
  const refused: readonly [string, SerializedDag, RegExp][] = [
    ['an unknown trigger rule', serialized([{ task_id: 'a', trigger_rule: 'most_success' }]), /^task "a": its trigger rule "most_success" is unknown$/],
    ['an unknown form of expansion', serialized([expansion({}, 'set-of-sets')]), /^task "t": it is mapped over "set-of-sets"$/],
    ['an unknown reference', serialized([expansion({ __type: 'dict', __var: { x: { __type: 'xcomref', __var: { type: 'fold', arg: {} } } } })]), /^task "t": it is mapped over a reference of the type "fold"$/],
    ['an argument that is no list', serialized([expansion({ __type: 'dict', __var: { x: 5 } })]), /^task "t": an argument is mapped over 5$/],
    ['an outlet that is no asset', serialized([{ task_id: 'a', outlets: ['s3://x'] }]), /^task "a": an inlet or outlet is "s3:\/\/x", which is no asset$/],
    ['a group that is mapped over something unknown', serialized([], { task_group: { children: { g: ['taskgroup', { children: {}, is_mapped: true, expand_input: { type: 'x' } }] } } }), /^task group "g": it is mapped over "x"$/],
    ['another version of the serialization', { ...serialized([]), serialization: { __version: 4, dag: { dag_id: 'd' } } }, /wrote version 4 of the serialization, and 3 is known/],
  ];
  for (const [what, document, expected] of refused) it(`${what} is named`, () => assert.match(refusals(mapAirflowDag(document, 'd.py')).join('\n'), expected));

  it('is all told at once', () => assert.equal(refusals(mapAirflowDag(serialized([{ task_id: 'a', trigger_rule: 'x' }, { task_id: 'b', trigger_rule: 'y' }]), 'd.py')).length, 2));
});
