// dag.json, schema 1.0: everything the control plane knows of a DAG. The JSON Schema and the types have this one source.
import { type Static, type TSchema, Type as T } from '@sinclair/typebox';
import { KEY_PATTERN } from './ids.ts';
import { RUN_TYPES } from './states.ts';

const strict = { additionalProperties: false } as const;
const key = T.String({ pattern: KEY_PATTERN });
const seconds = T.Number({ minimum: 0 });
const instant = T.String({ format: 'date-time', description: 'ISO 8601 with an offset' });
const json = T.Unknown({ description: 'any JSON value' });
const literals = <const V extends readonly string[]>(values: V) =>
  T.Unsafe<V[number]>({ type: 'string', enum: [...values] });
const opt = <S extends TSchema>(schema: S) => T.Optional(schema);

/** Airflow 3.2’s trigger rules, all of them; `core/trigger-rule.ts` says what each means. */
export const TRIGGER_RULES = [
  'all_success', 'all_failed', 'all_done', 'all_done_min_one_success', 'all_done_setup_success', 'one_success', 'one_failed',
  'one_done', 'none_failed', 'none_failed_min_one_success', 'none_skipped', 'all_skipped', 'always',
] as const;
export type TriggerRule = (typeof TRIGGER_RULES)[number];

/** What imports and runs a DAG’s code: our own Python runner, the real Task SDK, Node, or programs without any of them. */
const RUNTIMES = ['leoflow', 'airflow', 'node', 'command'] as const;

const AssetRef = T.Object({ name: opt(T.String()), uri: opt(T.String()), group: opt(T.String()), extra: opt(json), alias: opt(T.Boolean()) }, strict);

/** How many values a mapped argument has, and where they come from. Values of literals travel so that other front ends need no code. */
export const MapSource = T.Recursive((Self) =>
  T.Union([
    T.Object({ kind: T.Literal('literal'), length: T.Integer({ minimum: 0 }), values: opt(json) }, strict),
    T.Object({ kind: T.Literal('xcom'), task_id: key, key: T.String() }, strict),
    T.Object({ kind: T.Literal('map'), of: Self }, strict),
    T.Object({ kind: T.Literal('zip'), of: T.Array(Self, { minItems: 1 }), longest: opt(T.Boolean()) }, strict),
    T.Object({ kind: T.Literal('concat'), of: T.Array(Self, { minItems: 1 }) }, strict),
  ]), { $id: 'MapSource' });
export type MapSource = Static<typeof MapSource>;

/** `product`: expand(a=…, b=…), the cross product, last argument fastest. `rows`: expand_kwargs(…), one instance per row. */
export const Expand = T.Union([
  T.Object({ kind: T.Literal('product'), arguments: T.Record(T.String(), MapSource) }, strict),
  T.Object({ kind: T.Literal('rows'), rows: MapSource }, strict),
]);
export type Expand = Static<typeof Expand>;

/** When runs are created (contract §4.4). Cron and delta without "interval" in the name are Airflow 3's trigger timetables. */
export const Timetable = T.Recursive((Self) =>
  T.Union([
    T.Object({ kind: T.Literal('none') }, strict),
    T.Object({ kind: T.Literal('once') }, strict),
    T.Object({ kind: T.Literal('continuous') }, strict),
    T.Object({
      kind: T.Literal('cron'), expressions: T.Array(T.String(), { minItems: 1 }), timezone: T.String(),
      interval_seconds: opt(seconds), run_immediately: opt(T.Union([T.Boolean(), seconds])),
    }, strict),
    T.Object({ kind: T.Literal('delta'), seconds: T.Number({ exclusiveMinimum: 0 }), interval_seconds: opt(seconds) }, strict),
    T.Object({ kind: T.Literal('cron_interval'), expression: T.String(), timezone: T.String() }, strict),
    T.Object({ kind: T.Literal('delta_interval'), seconds: T.Number({ exclusiveMinimum: 0 }) }, strict),
    T.Object({ kind: T.Literal('events'), dates: T.Array(instant), restrict_to_events: opt(T.Boolean()), description: opt(T.String()) }, strict),
    T.Object({ kind: T.Literal('assets'), condition: json }, strict),
    T.Object({ kind: T.Literal('asset_or_time'), condition: json, timetable: Self }, strict),
    T.Object({ kind: T.Literal('custom'), class: T.String(), data: json, partitioned: opt(T.Boolean()) }, strict),
  ]), { $id: 'Timetable' });
export type Timetable = Static<typeof Timetable>;

/** What runs a task. `empty` never starts a process; `command`, `http` and `node` need no Python. */
const TaskBody = T.Union([
  T.Object({ kind: T.Literal('empty') }, strict),
  T.Object({ kind: T.Literal('python'), file: T.String({ description: 'path inside sources' }), class: T.String({ description: 'operator class' }) }, strict),
  T.Object({ kind: T.Literal('command'), command: T.Array(T.String(), { minItems: 1 }), env: opt(T.Record(T.String(), T.String())) }, strict),
  T.Object({
    kind: T.Literal('http'), method: literals(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']), url: T.String(), conn_id: opt(T.String()),
    headers: opt(T.Record(T.String(), T.String())), body: opt(json), timeout_seconds: opt(seconds), success_status_codes: opt(T.Array(T.Integer())),
  }, strict),
  T.Object({ kind: T.Literal('node'), module: T.String({ description: 'path inside sources' }), export: T.String({ description: 'name of an export, or of a task that the module draws' }) }, strict),
]);
type TaskBody = Static<typeof TaskBody>;

/** A DAG or task parameter; `schema` is JSON Schema. Without `default` a trigger must give the value. */
export const Param = T.Object({ default: opt(json), description: opt(T.Union([T.String(), T.Null()])), schema: opt(T.Record(T.String(), json)) }, strict);

const Resources = T.Object({
  requests: opt(T.Record(T.String(), T.String())), limits: opt(T.Record(T.String(), T.String())),
}, strict);

/** A task as it stands in dag.json. Absent optional fields mean `DAG_DEFAULTS`. */
export const Task = T.Object({
  task_id: key,
  display_name: opt(T.String()),
  operator: T.String({ description: 'class name, as Airflow shows it' }),
  operator_name: opt(T.String({ description: 'e.g. @task' })),
  body: TaskBody,
  depends_on: T.Array(key, { uniqueItems: true }),
  trigger_rule: opt(literals(TRIGGER_RULES)),
  task_group: opt(key),
  expand: opt(Expand),
  /** Where arguments come from, for people and for value look-ahead: argument path → upstream XCom. */
  inputs: opt(T.Array(T.Object({ task_id: key, key: T.String() }, strict))),
  map_index_template: opt(T.String()),
  retries: opt(T.Integer({ minimum: 0, maximum: 100_000 })),
  retry_delay_seconds: opt(seconds),
  retry_exponential_backoff: opt(T.Number({ description: 'multiplier; 0 is none, Airflow’s true is 2' })),
  max_retry_delay_seconds: opt(seconds),
  execution_timeout_seconds: opt(T.Number({ exclusiveMinimum: 0 })),
  depends_on_past: opt(T.Boolean()),
  wait_for_downstream: opt(T.Boolean()),
  ignore_first_depends_on_past: opt(T.Boolean()),
  wait_for_past_depends_before_skipping: opt(T.Boolean()),
  pool: opt(T.String({ minLength: 1, maxLength: 256 })),
  pool_slots: opt(T.Integer({ minimum: 1 })),
  priority_weight: opt(T.Integer()),
  weight_rule: opt(T.String({ description: 'downstream, upstream, absolute or an import path' })),
  queue: opt(T.String()),
  executor: opt(T.String()),
  executor_config: opt(json),
  max_active_tis_per_dag: opt(T.Integer({ minimum: 1 })),
  max_active_tis_per_dagrun: opt(T.Integer({ minimum: 1 })),
  is_setup: opt(T.Boolean()),
  is_teardown: opt(T.Boolean()),
  on_failure_fail_dagrun: opt(T.Boolean()),
  /** Branch, short circuit and the like: they may skip downstream tasks (Airflow's SkipMixin). */
  can_skip_downstream: opt(T.Boolean()),
  /** Short circuit: skip every transitive downstream, whatever its trigger rule. */
  ignore_downstream_trigger_rules: opt(T.Boolean()),
  sensor: opt(T.Object({
    mode: literals(['poke', 'reschedule']), poke_interval_seconds: seconds, timeout_seconds: seconds,
    soft_fail: opt(T.Boolean()), exponential_backoff: opt(T.Boolean()), max_wait_seconds: opt(seconds),
  }, strict)),
  do_xcom_push: opt(T.Boolean()),
  multiple_outputs: opt(T.Boolean()),
  template_fields: opt(T.Array(T.String())),
  owner: opt(T.String()),
  doc_md: opt(T.String()),
  params: opt(T.Record(T.String(), Param)),
  start_date: opt(instant),
  end_date: opt(instant),
  inlets: opt(T.Array(AssetRef)),
  outlets: opt(T.Array(AssetRef)),
  extra_links: opt(T.Array(T.String())),
  callbacks: opt(T.Array(literals(['execute', 'success', 'failure', 'retry', 'skipped']))),
  /** When its author is written an e-mail (Airflow's `email`, `email_on_failure`, `email_on_retry`). */
  emails: opt(T.Array(literals(['failure', 'retry']))),
  /** The task defers before it starts a process: its trigger, and what is called when that fires. JSON texts are in the Task SDK's serialization. */
  start_trigger: opt(T.Object({ classpath: T.String(), kwargs: T.String(), next_method: T.String(), next_kwargs: T.String(), timeout_seconds: opt(seconds) }, strict)),
  ui_color: opt(T.String()),
  ui_fgcolor: opt(T.String()),
  env: opt(T.Record(T.String(), T.String())),
  resources: opt(Resources),
  infra_retries: opt(T.Integer({ minimum: 0, maximum: 100 })),
}, { ...strict, $id: 'Task' });
export type Task = Static<typeof Task>;

/** A group of tasks or groups; `parent` absent at the top. Tasks name their innermost group. */
export const TaskGroup = T.Object({
  group_id: key, parent: opt(key), display_name: opt(T.String()), tooltip: opt(T.String()),
  prefix_group_id: opt(T.Boolean()), expand: opt(Expand), ui_color: opt(T.String()), ui_fgcolor: opt(T.String()),
}, strict);
export type TaskGroup = Static<typeof TaskGroup>;

/** The document that `leoflow compile` writes and `leoflow push` sends. Absent optional fields mean Airflow's default. */
export const Dag = T.Object({
  schema_version: T.Literal('1.0'),
  dag_id: key,
  display_name: opt(T.String()),
  description: opt(T.String()),
  doc_md: opt(T.String()),
  owners: opt(T.Array(T.String())),
  owner_links: opt(T.Record(T.String(), T.String())),
  tags: opt(T.Array(T.String({ maxLength: 100 }))),
  fileloc: T.String({ description: 'path of the DAG file inside its project, with /' }),
  runtime: literals(RUNTIMES),
  image: opt(T.String()),
  python: opt(T.String({ description: 'interpreter or version the runtime wants' })),
  /** Files that the runtime imports, the DAG file first. Their digests are part of the version's identity. */
  sources: T.Array(T.Object({ path: T.String(), sha256: T.String({ pattern: '^[0-9a-f]{64}$' }) }, strict)),
  timetable: Timetable,
  timezone: opt(T.String()),
  start_date: opt(instant),
  end_date: opt(instant),
  catchup: opt(T.Boolean()),
  max_active_runs: opt(T.Integer({ minimum: 0 })),
  max_active_tasks: opt(T.Integer({ minimum: 0 })),
  max_consecutive_failed_dag_runs: opt(T.Integer({ minimum: 0 })),
  dagrun_timeout_seconds: opt(T.Number({ exclusiveMinimum: 0 })),
  fail_fast: opt(T.Boolean()),
  is_paused_upon_creation: opt(T.Boolean()),
  render_template_as_native_obj: opt(T.Boolean()),
  allowed_run_types: opt(T.Array(literals(RUN_TYPES))),
  params: opt(T.Record(T.String(), Param)),
  default_args: opt(T.Record(T.String(), json)),
  callbacks: opt(T.Array(literals(['success', 'failure']))),
  /** Moments of its runs that a plugin of its project listens to. */
  run_listeners: opt(T.Array(literals(['running', 'success', 'failed']))),
  deadlines: opt(T.Array(json)),
  task_groups: opt(T.Array(TaskGroup)),
  edge_labels: opt(T.Array(T.Object({ from: key, to: key, label: T.String() }, strict))),
  tasks: T.Array(Task),
  /** Variables and connections that its file reads while it is imported: whoever imports it is given them. */
  import_reads: opt(T.Object({ variables: opt(T.Array(T.String())), connections: opt(T.Array(T.String())) }, strict)),
  /** Folders inside sources that code is imported from, besides the top. */
  import_paths: opt(T.Array(T.String())),
  /** What leoflow.yaml says about where its code runs: an environment per content, built once and shared between versions. */
  environment: opt(T.Object({
    python: opt(T.Object({ version: opt(T.String()), requirements: T.Array(T.String()), constraints: opt(T.Array(T.String())) }, strict)),
    node: opt(T.Object({ manifest: T.String({ description: 'path of package.json inside sources' }), lock: opt(T.String()) }, strict)),
  }, strict)),
  /** Variables and connections its tasks may read, as names or patterns with *. Absent: all, as in Airflow. */
  access: opt(T.Object({ variables: opt(T.Array(T.String())), connections: opt(T.Array(T.String())) }, strict)),
  /** Ended runs are deleted after this time; 0 keeps them. Absent: as the server's setting says. */
  retention_days: opt(T.Integer({ minimum: 0, maximum: 36_500 })),
  xcom: opt(T.Object({ max_bytes: opt(T.Integer({ minimum: 1 })), ttl_seconds: opt(seconds) }, strict)),
  staging: opt(T.Object({ enabled: T.Boolean(), size: opt(T.String()), storage_class: opt(T.String()) }, strict)),
  /** The real Task SDK's own serialization, verbatim. The planner never reads it. */
  airflow_serialization: opt(json),
}, { ...strict, $id: 'https://leoflow.dev/schemas/dag-1.0.json', title: 'dag.json 1.0' });
export type Dag = Static<typeof Dag>;
export type Param = Static<typeof Param>;

/** Airflow's defaults for absent fields (contract §5.11). */
export const DAG_DEFAULTS = {
  maxActiveRuns: 16, maxActiveTasks: 16, retries: 0, retryDelaySeconds: 300, maxRetryDelaySeconds: 86_400,
  pool: 'default_pool', poolSlots: 1, priorityWeight: 1, queue: 'default', maxMapLength: 1024, infraRetries: 3,
} as const;

/** A TypeBox schema as plain JSON Schema 2020-12: named parts stand once in `$defs`, everything else refers to them. */
export function plainSchema(schema: TSchema): Record<string, unknown> {
  const defs: Record<string, unknown> = {};
  const hoist = (value: unknown, isRoot: boolean): unknown => {
    if (Array.isArray(value)) return value.map((item) => hoist(item, false));
    if (typeof value !== 'object' || value === null) return value;
    const { $id, ...rest } = value as Record<string, unknown>;
    const name = typeof $id === 'string' && !isRoot ? $id : null;
    if (name !== null && name in defs) return { $ref: `#/$defs/${name}` };
    if (name !== null) defs[name] = {};
    const plain = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, key === '$ref' ? `#/$defs/${String(item)}` : hoist(item, false)]));
    if (name === null) return isRoot && $id !== undefined ? { $id, ...plain } : plain;
    defs[name] = plain;
    return { $ref: `#/$defs/${name}` };
  };
  const root = hoist(schema, true) as Record<string, unknown>;
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...root, $defs: defs };
}
