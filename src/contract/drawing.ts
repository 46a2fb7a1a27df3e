// A DAG as its author draws it: what dag.yaml says, what a dag.ts hands over, what `leoflow convert` writes. One emitter turns it into dag.json.
import { type Static, type TSchema, Type as T } from '@sinclair/typebox';
import { KEY_PATTERN } from './ids.ts';
import { TRIGGER_RULES } from './dag.ts';
import { RUN_TYPES } from './states.ts';

const strict = { additionalProperties: false } as const;
const opt = <S extends TSchema>(schema: S) => T.Optional(schema);
const text = (description: string) => T.String({ description });
const flag = (description: string) => T.Boolean({ description });
const literals = <const V extends readonly string[]>(values: V, description: string) => T.Unsafe<V[number]>({ type: 'string', enum: [...values], description });
const any = (description: string) => T.Unknown({ description });

/** `30s`, `5m`, `2h`, `1d`, `1h30m`, or seconds as a number. */
export const DURATION_PATTERN = '^(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d|w))+$';
const duration = (description: string) => T.Union([T.Number({ minimum: 0 }), T.String({ pattern: DURATION_PATTERN })], { description: `${description} Seconds, or a text such as 30s, 5m, 2h, 1h30m, 1d.` });
const moment = (description: string) => T.String({ description: `${description} ISO date or date-time; without an offset it is in the DAG’s time zone.` });
/** Who is upstream: the id of a task or group, or the id with a label for the edge. */
const after = T.Array(T.Union([T.String(), T.Object({ task: T.String(), label: T.String() }, strict)]), { description: 'Tasks and groups that come before: full ids, such as prepare.clean.' });

/** Where a function lives: `file.py#function`, `package.module#function`, `file.ts#function`. The name may also be a task that the file itself draws. */
export const REFERENCE_PATTERN = '^[^#\\s]+#[^#\\s]+$';
const reference = (description: string) => T.String({ pattern: REFERENCE_PATTERN, description });

/**
 * Any JSON value, in which these mappings stand for something else, at any depth; their exact keys are those of value-forms.ts:
 * `{xcom: task_id, key?}` what another task pushed (`return_value` without key; of a mapped task the list of all);
 * `{argument: name}` inside a mapped group: the group's own argument;
 * `{zip: [values], fillvalue?}`, `{concat: [values]}`, `{map: value, through: reference}` as XComArg's methods of these names;
 * `{param: name}` a param of the run, with its type (in a text the template {{ params.name }} does it);
 * `{literal: value}` the value as it is, whatever mappings it holds.
 */
const value = (description: string) => any(`${description} {xcom: task} stands for another task’s result.`);
const values = (description: string) => T.Record(T.String(), value('A value.'), { description });

/** The arguments that every task has, under Airflow's names. */
const COMMON = {
  retries: opt(T.Integer({ minimum: 0, description: 'Tries after the first.' })),
  retry_delay: opt(duration('Wait between tries.')),
  retry_exponential_backoff: opt(T.Union([T.Boolean(), T.Number({ minimum: 0 })], { description: 'The wait grows with each try; a number is the multiplier.' })),
  max_retry_delay: opt(duration('The longest wait between tries.')),
  execution_timeout: opt(duration('A try that runs longer fails.')),
  trigger_rule: opt(literals(TRIGGER_RULES, 'When the task runs, by the states of those before it.')),
  depends_on_past: opt(flag('Only when this task succeeded in the run before.')),
  wait_for_downstream: opt(flag('Only when what follows this task succeeded in the run before.')),
  ignore_first_depends_on_past: opt(flag('The first run of the DAG depends on none.')),
  wait_for_past_depends_before_skipping: opt(flag('Is not skipped before the past is known.')),
  pool: opt(text('Pool that limits how many run at once.')),
  pool_slots: opt(T.Integer({ minimum: 1, description: 'Slots of the pool that it takes.' })),
  priority_weight: opt(T.Integer({ description: 'Who goes first when slots are rare.' })),
  weight_rule: opt(text('downstream, upstream or absolute.')),
  queue: opt(text('Queue of the executor.')),
  executor: opt(text('Executor.')),
  executor_config: opt(any('What the executor is told.')),
  max_active_tis_per_dag: opt(T.Integer({ minimum: 1, description: 'Instances running at once, over all runs.' })),
  max_active_tis_per_dagrun: opt(T.Integer({ minimum: 1, description: 'Instances running at once, in one run.' })),
  do_xcom_push: opt(flag('Whether the result is kept.')),
  multiple_outputs: opt(flag('Each key of a returned mapping is an XCom of its own as well.')),
  map_index_template: opt(text('Name of a mapped instance, as a template.')),
  owner: opt(text('Who answers for the task.')),
  email: opt(any('Addresses for notices.')),
  doc_md: opt(text('Markdown shown with the task.')),
  display_name: opt(text('Name shown instead of the id.')),
  params: opt(T.Record(T.String(), any('Default, or {type, default, description, …} in JSON Schema’s words.'), { description: 'Inputs of this task.' })),
  start_date: opt(moment('No run before.')),
  end_date: opt(moment('No run after.')),
  inlets: opt(T.Array(any('A name, {asset: uri, name?, group?, extra?}, {alias: name}, or {ref: name} for one declared elsewhere.'), { description: 'Assets it reads.' })),
  outlets: opt(T.Array(any('A name, {asset: uri, name?, group?, extra?}, {alias: name}, or {ref: name} for one declared elsewhere.'), { description: 'Assets it writes.' })),
  on_execute_callback: opt(any('Python function, or a list of them, called when the task starts.')),
  on_success_callback: opt(any('Python function, or a list of them, called on success.')),
  on_failure_callback: opt(any('Python function, or a list of them, called when the last try failed.')),
  on_retry_callback: opt(any('Python function, or a list of them, called when a try failed and another follows.')),
  on_skipped_callback: opt(any('Python function, or a list of them, called when it skips itself.')),
};

const PLACE = {
  after: opt(after),
  expand: opt(values('Mapped: one instance per element; several arguments give all combinations.')),
  expand_rows: opt(value('Mapped: a list of mappings of arguments, one instance each (Airflow’s expand_kwargs).')),
  setup: opt(flag('A setup task.')),
  teardown: opt(T.Union([T.Boolean(), T.Array(T.String())], { description: 'A teardown task; a list names its setups.' })),
  on_failure_fail_dagrun: opt(flag('A failed teardown fails the run.')),
};

/** What a function decides: a plain result, the ids to follow, whether to go on, whether to look again, or (in Python) a bash command. */
export const DECORATORS = ['task', 'branch', 'short_circuit', 'sensor', 'bash'] as const;
export type Decorator = (typeof DECORATORS)[number];

const CALL = {
  ...COMMON, ...PLACE,
  decorator: opt(literals(DECORATORS, 'What the result means: task (a value), branch (ids to follow), short_circuit (go on or skip), sensor (done or look again), bash (a command to run; Python only).')),
  with: opt(values('Arguments by name.')),
  templates_dict: opt(values('More values whose templates are rendered; the function finds them in the context.')),
  show_return_value_in_logs: opt(flag('Whether the result is written to the log.')),
  mode: opt(literals(['poke', 'reschedule'], 'Sensor: whether the process stays between two looks.')),
  poke_interval: opt(duration('Sensor: time between two looks.')),
  timeout: opt(duration('Sensor: how long it looks at most.')),
  soft_fail: opt(flag('Sensor: skipped instead of failed when the time is over.')),
  exponential_backoff: opt(flag('Sensor: the interval grows with each look.')),
  max_wait: opt(duration('Sensor: the longest interval between two looks.')),
  silent_fail: opt(flag('Sensor: an error while looking counts as not there yet.')),
  never_fail: opt(flag('Sensor: skipped instead of failed whatever goes wrong.')),
  append_env: opt(flag('Bash: env is added to the environment instead of replacing it.')),
  cwd: opt(text('Bash: folder the command runs in.')),
  ignore_downstream_trigger_rules: opt(flag('Short circuit: skips everything after it, whatever its trigger rule.')),
  env: opt(T.Record(T.String(), T.String(), { description: 'Environment variables of the process.' })),
};

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;

/** A Python function as a task (`@task` and its relatives). */
const PythonTask = T.Object({ python: reference('Python function: file.py#function or package.module#function.'), ...CALL }, strict);
/** A TypeScript or JavaScript function as a task, in a Node process of its own. */
const NodeTask = T.Object({ node: reference('Function of a module: file.ts#function.'), ...CALL }, strict);
/** An Airflow operator by its class name, or by an import path; the other keys are its arguments. */
const OperatorTask = T.Object({ operator: text('Class name of an operator, such as BashOperator, or package.module.Class.'), ...COMMON, ...PLACE, env: opt(any('Environment variables of the process.')) }, { additionalProperties: true });
/** A program. Its last line of output is its result. */
const CommandTask = T.Object({
  command: T.Union([T.String(), T.Array(T.String(), { minItems: 1 })], { description: 'Program with its arguments; a text is split as a shell would, without running one. Templates are rendered.' }),
  cwd: opt(text('Folder it runs in.')), env: CALL.env, ...COMMON, ...PLACE,
}, strict);
/** A request. Its body is the result, parsed when it is JSON. */
const HttpTask = T.Object({
  http: T.Object({
    method: opt(literals(METHODS, 'GET unless said.')), url: opt(text('Whole URL, or the path below the connection’s host. Templates are rendered.')), conn_id: opt(text('Connection that gives host, login and headers.')),
    headers: opt(T.Record(T.String(), T.String())), body: opt(any('JSON, or a text that is sent as it is.')), timeout: opt(duration('How long it may take.')),
    success_status_codes: opt(T.Array(T.Integer({ minimum: 100, maximum: 599 }), { description: 'Success; 200 to 299 unless said.' })),
  }, strict),
  ...COMMON, ...PLACE,
}, strict);
/** A group: it has tasks of its own, whose ids start with the group's. */
const GroupFrame = {
  display_name: opt(text('Name shown instead of the id.')), tooltip: opt(text('Shown over the group.')), prefix_group_id: opt(flag('Whether ids of its tasks start with its own.')),
  default_args: opt(T.Record(T.String(), any('A value.'), { description: 'Arguments of each task of the group.' })), ui_color: opt(T.String()), ui_fgcolor: opt(T.String()),
  after: PLACE.after, expand: PLACE.expand, expand_rows: PLACE.expand_rows,
};

/** The forms of an entry by the key that tells them apart: exactly one of these keys is in it. */
export const ENTRY_FORMS = {
  python: PythonTask, node: NodeTask, operator: OperatorTask, command: CommandTask, http: HttpTask,
  tasks: T.Object({ tasks: T.Record(T.String(), T.Unknown()), ...GroupFrame }, strict),
} as const;

/** How deep the published schema describes groups in groups: it holds no references, so they are written out. Deeper ones are as good. */
const DESCRIBED_DEPTH = 2;

function entries(depth: number): TSchema {
  const { tasks, ...bodies } = ENTRY_FORMS;
  const group = depth === 0 ? tasks : T.Object({ ...tasks.properties, tasks: entries(depth - 1) }, strict);
  return T.Record(T.String({ pattern: KEY_PATTERN }), T.Union([...Object.values(bodies), group]), { description: 'Tasks and groups by id, in the order they are shown.' });
}

/** One document of a dag.yaml: a DAG. */
export const Drawing = T.Object({
  dag_id: opt(T.String({ pattern: KEY_PATTERN, description: 'The file’s name unless said.' })),
  display_name: opt(text('Name shown instead of the id.')),
  description: opt(text('One line about the DAG.')),
  doc_md: opt(text('Markdown shown with the DAG.')),
  tags: opt(T.Array(T.String({ maxLength: 100 }), { description: 'Labels.' })),
  owner_links: opt(T.Record(T.String(), T.String(), { description: 'Where the name of an owner leads.' })),
  schedule: opt(T.Union([T.Null(), T.String(), T.Number({ exclusiveMinimum: 0 })], { description: 'Cron expression, @daily and its like, @once, @continuous, or a duration such as 30m. Without it runs are started by hand.' })),
  timetable: opt(T.Record(T.String(), any('A value.'), { description: 'A timetable in dag.json’s own words, for what `schedule` cannot say: {kind: cron_interval, expression: …, timezone: …}.' })),
  timezone: opt(text('IANA time zone of schedule and dates; UTC unless said.')),
  start_date: opt(moment('First moment that may have a run.')),
  end_date: opt(moment('No run after.')),
  catchup: opt(flag('Whether missed runs are made up for.')),
  max_active_runs: opt(T.Integer({ minimum: 0 })),
  max_active_tasks: opt(T.Integer({ minimum: 0 })),
  max_consecutive_failed_dag_runs: opt(T.Integer({ minimum: 0 })),
  dagrun_timeout: opt(duration('A run that takes longer fails.')),
  fail_fast: opt(flag('The first failed task ends the run.')),
  is_paused_upon_creation: opt(T.Boolean()),
  render_template_as_native_obj: opt(flag('Templates give values, not texts.')),
  allowed_run_types: opt(T.Array(literals(RUN_TYPES, 'A kind of run.'), { description: 'Kinds of runs that may be created; all unless said.' })),
  template_searchpath: opt(T.Array(T.String(), { description: 'More folders that template files are looked for in.' })),
  params: opt(T.Record(T.String(), any('Default, or {type, default, description, …} in JSON Schema’s words.'), { description: 'Inputs of a run.' })),
  default_args: opt(T.Record(T.String(), any('A value.'), { description: 'Arguments of every task.' })),
  on_success_callback: opt(any('Python function, or a list of them.')),
  on_failure_callback: opt(any('Python function, or a list of them.')),
  tasks: entries(DESCRIBED_DEPTH),
}, { ...strict, patternProperties: { '^x-': { description: 'Place for anchors; read by nobody.' } }, $id: 'https://leoflow.dev/schemas/dag-yaml-1.0.json', title: 'dag.yaml 1.0' });
export type Drawing = Static<typeof Drawing>;

/** A document without a look at its entries, which have forms of their own. */
export const DrawingFrame = T.Object({ ...Drawing.properties, tasks: opt(T.Unknown()) }, { ...strict, patternProperties: Drawing['patternProperties'] as unknown });

/**
 * The drawings of one file as they travel with a version: a source of the path `<file>.json` beside the file itself.
 * Runtimes read it instead of the YAML, and beside the functions of a dag.ts. `dag_id` is always there.
 */
export interface DrawnFile {
  readonly schema_version: '1.0';
  readonly dags: readonly Drawing[];
}

/** Path of the source that holds a file's drawings. */
export function drawnPath(file: string): string {
  return `${file}.json`;
}
