// Airflow's schemas of DAG runs.
import { type Static, Type as T } from '@sinclair/typebox';
import { RUN_STATES, TRIGGERED_BY } from '../states.ts';
import { DagRunState, DagRunType } from './dag.ts';
import { DagVersionResponse } from './dag-version.ts';
import { AwareInstant, awareRange, collection, defaulted, Instant, Json, named, nullable, numberRange, optional, strict, words } from './fields.ts';

export const DAGRunResponse = named('DAGRunResponse', {
  dag_run_id: T.String(), dag_id: T.String(), logical_date: nullable(Instant), queued_at: nullable(Instant), start_date: nullable(Instant), end_date: nullable(Instant),
  duration: nullable(T.Number()), data_interval_start: nullable(Instant), data_interval_end: nullable(Instant), run_after: Instant,
  last_scheduling_decision: nullable(Instant), run_type: DagRunType, state: DagRunState, triggered_by: nullable(words(TRIGGERED_BY)),
  triggering_user_name: nullable(T.String()), conf: nullable(T.Record(T.String(), Json)), note: nullable(T.String()), dag_versions: T.Array(DagVersionResponse),
  bundle_version: nullable(T.String()), dag_display_name: T.String(), partition_key: nullable(T.String()),
});
export type DAGRunResponse = Static<typeof DAGRunResponse>;

export const DAGRunCollectionResponse = collection('DAGRunCollectionResponse', 'dag_runs', DAGRunResponse);

export const TriggerDAGRunPostBody = T.Object({
  dag_run_id: optional(T.String({ minLength: 1, maxLength: 250 })), data_interval_start: optional(AwareInstant), data_interval_end: optional(AwareInstant),
  logical_date: nullable(AwareInstant), run_after: optional(Instant), conf: optional(T.Record(T.String(), Json)), note: optional(T.String({ maxLength: 1000 })),
  partition_key: optional(T.String()),
}, { ...strict, $id: 'TriggerDAGRunPostBody' });
export type TriggerDAGRunPostBody = Static<typeof TriggerDAGRunPostBody>;

export const DAGRunPatchBody = T.Object({
  state: optional(words(['queued', 'success', 'failed'])), note: optional(T.String({ maxLength: 1000 })),
}, { ...strict, $id: 'DAGRunPatchBody' });

export const DAGRunClearBody = T.Object({
  dry_run: defaulted(T.Boolean(), true), only_failed: defaulted(T.Boolean(), false), run_on_latest_version: defaulted(T.Boolean(), false),
}, { ...strict, $id: 'DAGRunClearBody' });

export const DAGRunsBatchBody = T.Object({
  order_by: optional(T.String()), page_offset: T.Integer({ minimum: 0, default: 0 }), page_limit: T.Integer({ minimum: 0, default: 100 }),
  dag_ids: optional(T.Array(T.String())), states: optional(T.Array(nullable(words(RUN_STATES)))),
  ...awareRange('run_after'), ...awareRange('logical_date'), ...awareRange('start_date'), ...awareRange('end_date'), ...numberRange('duration'),
  conf_contains: optional(T.String()),
}, { ...strict, $id: 'DAGRunsBatchBody' });
