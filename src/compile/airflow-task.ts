// One serialized operator of Airflow as a task of dag.json; fields at Airflow's default are left out.
import { DAG_DEFAULTS, type Task, TRIGGER_RULES, type TriggerRule } from '#contract/dag.ts';
import { flagOf, instantOf, isTyped, type Json, listOf, NotExpressible, numberUnless, objectOf, plainOf, secondsOf, textOf, withoutUndefined } from './airflow-encoding.ts';
import { expandOf } from './airflow-expand.ts';
import { paramsOf } from './airflow-params.ts';

/** What the drawn task knows beside its serialization; see `facts_of` of the Python side. */
export interface TaskFacts {
  readonly inputs?: readonly { readonly task_id: string; readonly key: string }[];
  readonly sensor?: { readonly mode: 'poke' | 'reschedule'; readonly poke_interval: number; readonly timeout: number; readonly soft_fail?: boolean; readonly exponential_backoff?: boolean; readonly max_wait?: number };
  readonly ignore_downstream_trigger_rules?: boolean;
  /** By the project's own strategy. */
  readonly weight?: number;
  readonly start_trigger?: NonNullable<Task['start_trigger']>;
}

/** Where a task stands: its DAG's file and dates, its upstream tasks, its innermost group. */
export interface TaskPlace {
  readonly file: string;
  readonly dates: Json;
  readonly dependsOn: readonly string[];
  readonly group: string | undefined;
  readonly facts: TaskFacts;
  /** `client_defaults.tasks`: what stands for fields that are left out. */
  readonly defaults: Json;
}

const CALLBACKS = ['execute', 'success', 'failure', 'retry', 'skipped'] as const;

/** Maps one operator. Throws `NotExpressible` for what our graph has no words for. @param encoded what stands in `__var` */
export function taskOf(encoded: Json, place: TaskPlace): Task {
  const read = reader(encoded, place.defaults);
  const operator = String(encoded['task_type']);
  const { facts } = place;
  const expand = encoded['_is_mapped'] === true ? expandOf(encoded[textOf(encoded['_expand_input_attr']) ?? 'expand_input']) : undefined;
  return withoutUndefined({
    task_id: String(encoded['task_id']),
    display_name: textOf(encoded['_task_display_name'] ?? read('task_display_name')),
    operator,
    operator_name: encoded['_operator_name'] === operator ? undefined : textOf(encoded['_operator_name']),
    body: bodyOf(encoded, { read, file: place.file, operator }),
    depends_on: [...place.dependsOn],
    trigger_rule: ruleOf(read('trigger_rule')),
    task_group: place.group,
    expand,
    inputs: facts.inputs === undefined ? undefined : [...facts.inputs],
    map_index_template: textOf(read('map_index_template')),
    ...executionOf(read, facts),
    is_setup: flagOf(encoded['is_setup']),
    is_teardown: flagOf(encoded['is_teardown']),
    on_failure_fail_dagrun: flagOf(read('on_failure_fail_dagrun')),
    can_skip_downstream: flagOf(encoded['_can_skip_downstream']),
    ignore_downstream_trigger_rules: facts.ignore_downstream_trigger_rules,
    sensor: sensorOf(facts),
    do_xcom_push: read('do_xcom_push') === false ? false : undefined,
    multiple_outputs: flagOf(read('multiple_outputs')),
    template_fields: filled(listOf(encoded['template_fields']).map(String)),
    owner: read('owner') === 'airflow' ? undefined : textOf(read('owner')),
    doc_md: textOf(read('doc_md')),
    params: paramsOf(listOf(encoded['params']), 'task'),
    start_date: dateOf('start_date', { read, dates: place.dates }),
    end_date: dateOf('end_date', { read, dates: place.dates }),
    inlets: filled(listOf(read('inlets')).map(assetOf)),
    outlets: filled(listOf(read('outlets')).map(assetOf)),
    extra_links: filled(Object.keys(objectOf(encoded['_operator_extra_links']))),
    emails: isFilled(read('email')) ? filled((['failure', 'retry'] as const).filter((name) => read(`email_on_${name}`) !== false)) : undefined,
    callbacks: filled(CALLBACKS.filter((name) => read(`has_on_${name}_callback`) === true)),
    start_trigger: facts.start_trigger,
    ui_color: encoded['ui_color'] === '#fff' ? undefined : textOf(encoded['ui_color']),
    ui_fgcolor: encoded['ui_fgcolor'] === '#000' ? undefined : textOf(encoded['ui_fgcolor']),
  }) as Task;
}

type Read = (name: string) => unknown;

/** A field of the operator; of a mapped one most stand in `partial_kwargs`. */
function reader(encoded: Json, defaults: Json): Read {
  const partial = objectOf(encoded['partial_kwargs']);
  return (name) => encoded[name] ?? partial[name] ?? defaults[name];
}

function executionOf(read: Read, facts: TaskFacts): Partial<Record<keyof Task, unknown>> {
  const dependsOnPast = flagOf(read('depends_on_past'));
  return {
    retries: numberUnless(read('retries'), 0),
    retry_delay_seconds: numberUnless(secondsOf(read('retry_delay')), DAG_DEFAULTS.retryDelaySeconds),
    retry_exponential_backoff: backoffOf(read('retry_exponential_backoff')),
    max_retry_delay_seconds: secondsOf(read('max_retry_delay')),
    execution_timeout_seconds: secondsOf(read('execution_timeout')),
    depends_on_past: dependsOnPast,
    wait_for_downstream: flagOf(read('wait_for_downstream')),
    // Left out it is false in a serialization, and true in dag.json.
    ignore_first_depends_on_past: dependsOnPast === true && read('ignore_first_depends_on_past') !== true ? false : undefined,
    wait_for_past_depends_before_skipping: flagOf(read('wait_for_past_depends_before_skipping')),
    pool: read('pool') === DAG_DEFAULTS.pool ? undefined : textOf(read('pool')),
    pool_slots: numberUnless(read('pool_slots'), DAG_DEFAULTS.poolSlots),
    priority_weight: facts.weight ?? numberUnless(read('priority_weight'), DAG_DEFAULTS.priorityWeight),
    weight_rule: read('weight_rule') === 'downstream' ? undefined : textOf(read('weight_rule')),
    queue: read('queue') === DAG_DEFAULTS.queue ? undefined : textOf(read('queue')),
    executor: textOf(read('executor')),
    executor_config: configOf(read('executor_config')),
    max_active_tis_per_dag: numberUnless(read('max_active_tis_per_dag'), 0),
    max_active_tis_per_dagrun: numberUnless(read('max_active_tis_per_dagrun'), 0),
  };
}

function backoffOf(value: unknown): number | undefined {
  const multiplier = value === true ? 2 : value;
  return typeof multiplier === 'number' && multiplier > 0 ? multiplier : undefined;
}

function configOf(value: unknown): unknown {
  const plain = plainOf(value);
  return Object.keys(objectOf(plain)).length === 0 ? undefined : plain;
}

function ruleOf(value: unknown): TriggerRule | undefined {
  if (value === undefined || value === 'all_success') return undefined;
  const rule = TRIGGER_RULES.find((known) => known === value);
  if (rule === undefined) throw new NotExpressible(`its trigger rule ${JSON.stringify(value)} is unknown`);
  return rule;
}

/** An empty operator that runs no code of its author's never starts a process. */
function bodyOf(encoded: Json, { read, file, operator }: { readonly read: Read; readonly file: string; readonly operator: string }): Task['body'] {
  const runsCode = read('has_on_execute_callback') === true || read('has_on_success_callback') === true || listOf(read('inlets')).length + listOf(read('outlets')).length > 0;
  return encoded['_is_empty'] === true && !runsCode ? { kind: 'empty' } : { kind: 'python', file, class: operator };
}

function sensorOf({ sensor }: TaskFacts): Task['sensor'] {
  if (sensor === undefined) return undefined;
  return withoutUndefined({
    mode: sensor.mode, poke_interval_seconds: sensor.poke_interval, timeout_seconds: sensor.timeout, soft_fail: flagOf(sensor.soft_fail), exponential_backoff: flagOf(sensor.exponential_backoff), max_wait_seconds: sensor.max_wait,
  });
}

function dateOf(name: 'start_date' | 'end_date', { read, dates }: { readonly read: Read; readonly dates: Json }): string | undefined {
  const own = instantOf(read(name));
  return own === instantOf(dates[name]) ? undefined : own;
}

type AssetRef = NonNullable<Task['inlets']>[number];

function assetOf(encoded: unknown): AssetRef {
  if (!isTyped(encoded)) throw new NotExpressible(`an inlet or outlet is ${JSON.stringify(encoded)}, which is no asset`);
  const { name, uri, group, extra } = objectOf(encoded.__var);
  const named = withoutUndefined({ name: textOf(name), uri: textOf(uri), group: textOf(group) });
  switch (encoded.__type) {
    case 'asset': return Object.keys(objectOf(plainOf(extra))).length === 0 ? named : { ...named, extra: plainOf(extra) };
    case 'asset_alias': return { ...named, alias: true };
    case 'asset_ref': return named;
    default: throw new NotExpressible(`an inlet or outlet is of the type ${encoded.__type}`);
  }
}

/** An address, or a list of some. */
function isFilled(email: unknown): boolean {
  return typeof email === 'string' ? email !== '' : listOf(email).length > 0;
}

function filled<V>(values: readonly V[]): V[] | undefined {
  return values.length === 0 ? undefined : [...values];
}
