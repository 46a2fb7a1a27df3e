// Airflow's schemas of the tasks of a DAG.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, Instant, Json, named, nullable } from './fields.ts';

const TimeDelta = T.Object({ __type: T.Optional(T.String()), days: T.Integer(), seconds: T.Integer(), microseconds: T.Integer() }, { $id: 'TimeDelta' });
export type TimeDelta = Static<typeof TimeDelta>;

export const TaskResponse = named('TaskResponse', {
  task_id: nullable(T.String()), task_display_name: nullable(T.String()), owner: nullable(T.String()), start_date: nullable(Instant), end_date: nullable(Instant),
  trigger_rule: nullable(T.String()), depends_on_past: T.Boolean(), wait_for_downstream: T.Boolean(), retries: nullable(T.Number()), queue: nullable(T.String()),
  pool: nullable(T.String()), pool_slots: nullable(T.Number()), execution_timeout: nullable(TimeDelta), retry_delay: nullable(TimeDelta),
  retry_exponential_backoff: T.Number(), priority_weight: nullable(T.Number()), weight_rule: nullable(T.String()), ui_color: nullable(T.String()),
  ui_fgcolor: nullable(T.String()), template_fields: nullable(T.Array(T.String())), downstream_task_ids: nullable(T.Array(T.String())), doc_md: nullable(T.String()),
  operator_name: nullable(T.String()), params: nullable(T.Record(T.String(), Json)), class_ref: nullable(T.Record(T.String(), Json)), is_mapped: nullable(T.Boolean()),
  extra_links: T.Array(T.String()),
});
export type TaskResponse = Static<typeof TaskResponse>;
export const TaskCollectionResponse = collection('TaskCollectionResponse', 'tasks', TaskResponse);
