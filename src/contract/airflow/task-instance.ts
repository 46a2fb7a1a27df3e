// Airflow's schemas of task instances, their tries and dependencies, and our own explanation of one.
import { type Static, Type as T } from '@sinclair/typebox';
import { TASK_STATES } from '../states.ts';
import { DagVersionResponse } from './dag-version.ts';
import { AwareInstant, awareRange, collection, defaulted, Instant, Json, named, nullable, numberRange, optional, strict, Uuid, words } from './fields.ts';

const TaskInstanceState = words(TASK_STATES);

const JobResponse = named('JobResponse', {
  id: T.Integer(), dag_id: nullable(T.String()), state: nullable(T.String()), job_type: nullable(T.String()), start_date: nullable(Instant), end_date: nullable(Instant),
  latest_heartbeat: nullable(Instant), executor_class: nullable(T.String()), hostname: nullable(T.String()), unixname: nullable(T.String()),
  dag_display_name: T.Optional(nullable(T.String())),
});
const TriggerResponse = named('TriggerResponse', {
  id: T.Integer(), classpath: T.String(), kwargs: T.String(), created_date: Instant, queue: nullable(T.String()), triggerer_id: nullable(T.Integer()),
});

/** What a current try and a past one have in common. */
const tryFields = {
  task_id: T.String(), dag_id: T.String(), dag_run_id: T.String(), map_index: T.Integer(), start_date: nullable(Instant), end_date: nullable(Instant),
  duration: nullable(T.Number()), state: nullable(TaskInstanceState), try_number: T.Integer(), max_tries: T.Integer(), task_display_name: T.String(),
  dag_display_name: T.String(), hostname: nullable(T.String()), unixname: nullable(T.String()), pool: T.String(), pool_slots: T.Integer(),
  queue: nullable(T.String()), priority_weight: nullable(T.Integer()), operator: nullable(T.String()), operator_name: nullable(T.String()),
  queued_when: nullable(Instant), scheduled_when: nullable(Instant), pid: nullable(T.Integer()), executor: nullable(T.String()), executor_config: T.String(),
  dag_version: nullable(DagVersionResponse),
} as const;

export const TaskInstanceResponse = named('TaskInstanceResponse', {
  id: Uuid, ...tryFields, logical_date: nullable(Instant), run_after: Instant, note: nullable(T.String()), rendered_map_index: nullable(T.String()),
  rendered_fields: T.Optional(T.Record(T.String(), Json)), trigger: nullable(TriggerResponse), triggerer_job: nullable(JobResponse),
});
export type TaskInstanceResponse = Static<typeof TaskInstanceResponse>;
export const TaskInstanceCollectionResponse = collection('TaskInstanceCollectionResponse', 'task_instances', TaskInstanceResponse);

export const TaskInstanceHistoryResponse = named('TaskInstanceHistoryResponse', tryFields);
export type TaskInstanceHistoryResponse = Static<typeof TaskInstanceHistoryResponse>;
export const TaskInstanceHistoryCollectionResponse = collection('TaskInstanceHistoryCollectionResponse', 'task_instances', TaskInstanceHistoryResponse);

const TaskDependencyResponse = named('TaskDependencyResponse', { name: T.String(), reason: T.String() });
type TaskDependencyResponse = Static<typeof TaskDependencyResponse>;
export const TaskDependencyCollectionResponse = named('TaskDependencyCollectionResponse', { dependencies: T.Array(TaskDependencyResponse) });

/** Ours: why an instance is not running, or how it came to be skipped. */
export const TaskInstanceExplanation = named('TaskInstanceExplanation', { state: nullable(TaskInstanceState), reasons: T.Array(T.String()) });

export const TaskInstancesBatchBody = T.Object({
  dag_ids: optional(T.Array(T.String())), dag_run_ids: optional(T.Array(T.String())), task_ids: optional(T.Array(T.String())),
  state: optional(T.Array(nullable(TaskInstanceState))),
  ...awareRange('run_after'), ...awareRange('logical_date'), ...awareRange('start_date'), ...awareRange('end_date'), ...numberRange('duration'),
  pool: optional(T.Array(T.String())), queue: optional(T.Array(T.String())), executor: optional(T.Array(T.String())),
  page_offset: T.Integer({ minimum: 0, default: 0 }), page_limit: T.Integer({ minimum: 0, default: 100 }), order_by: optional(T.String()),
}, { ...strict, $id: 'TaskInstancesBatchBody' });

export const ClearTaskInstancesBody = T.Object({
  dry_run: defaulted(T.Boolean(), true), start_date: optional(AwareInstant), end_date: optional(AwareInstant), only_failed: defaulted(T.Boolean(), true),
  only_running: defaulted(T.Boolean(), false), reset_dag_runs: defaulted(T.Boolean(), true),
  task_ids: optional(T.Array(T.Union([T.String(), T.Tuple([T.String(), T.Integer()])]))), dag_run_id: optional(T.String()),
  include_upstream: defaulted(T.Boolean(), false), include_downstream: defaulted(T.Boolean(), false), include_future: defaulted(T.Boolean(), false),
  include_past: defaulted(T.Boolean(), false), run_on_latest_version: defaulted(T.Boolean(), false), prevent_running_task: defaulted(T.Boolean(), false),
}, { ...strict, $id: 'ClearTaskInstancesBody' });
export type ClearTaskInstancesBody = Static<typeof ClearTaskInstancesBody>;

export const PatchTaskInstanceBody = T.Object({
  new_state: optional(TaskInstanceState), note: optional(T.String({ maxLength: 1000 })), include_upstream: defaulted(T.Boolean(), false),
  include_downstream: defaulted(T.Boolean(), false), include_future: defaulted(T.Boolean(), false), include_past: defaulted(T.Boolean(), false),
}, { ...strict, $id: 'PatchTaskInstanceBody' });
export type PatchTaskInstanceBody = Static<typeof PatchTaskInstanceBody>;

const StructuredLogMessage = T.Object({ timestamp: T.Optional(Instant), event: T.String() }, { $id: 'StructuredLogMessage', additionalProperties: true });
export const TaskInstancesLogResponse = named('TaskInstancesLogResponse', {
  content: T.Union([T.Array(StructuredLogMessage), T.Array(T.String())]), continuation_token: nullable(T.String()),
});
