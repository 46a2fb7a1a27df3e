// Answers that the Task SDK reads (version 2026-04-06). Its models of DagRun, VariableResponse and the asset events of a run refuse keys they do not know.
import { type Static, Type as T } from '@sinclair/typebox';
import { Instant, Json, named, nullable, strict, words } from '#contract/airflow/fields.ts';
import { RUN_STATES, RUN_TYPES } from '#contract/states.ts';
import { AssetProfile } from './request-models.ts';

const extra = T.Record(T.String(), Json);
const strictly = <P extends Parameters<typeof T.Object>[0]>(id: string, properties: P) => T.Object(properties, { ...strict, $id: id });

/** What a run was made for: one event of an asset. */
export const AssetEventDagRunReference = strictly('AssetEventDagRunReference', {
  asset: strictly('AssetReferenceAssetEventDagRun', { name: T.String(), uri: T.String(), extra }), extra, source_task_id: nullable(T.String()), source_dag_id: nullable(T.String()),
  source_run_id: nullable(T.String()), source_map_index: nullable(T.Integer()), source_aliases: T.Array(strictly('AssetAliasReferenceAssetEventDagRun', { name: T.String() })), timestamp: Instant,
});
export type AssetEventDagRunReference = Static<typeof AssetEventDagRunReference>;

/** A run as tasks see it. */
export const DagRun = strictly('DagRun', {
  dag_id: T.String(), run_id: T.String(), logical_date: nullable(Instant), data_interval_start: nullable(Instant), data_interval_end: nullable(Instant), run_after: Instant,
  start_date: nullable(Instant), end_date: nullable(Instant), clear_number: T.Integer({ default: 0 }), run_type: words(RUN_TYPES), state: words(RUN_STATES), conf: nullable(T.Record(T.String(), Json)),
  triggering_user_name: nullable(T.String()), consumed_asset_events: T.Array(AssetEventDagRunReference), partition_key: nullable(T.String()), note: nullable(T.String()),
});
export type DagRun = Static<typeof DagRun>;

/** GET /variables. */
export const VariableResponse = strictly('VariableResponse', { key: T.String(), value: nullable(T.String()) });
/** GET /connections, unmasked. */
export const ConnectionResponse = named('ConnectionResponse', {
  conn_id: T.String(), conn_type: T.String(), host: nullable(T.String()), schema: nullable(T.String()), login: nullable(T.String()), password: nullable(T.String()), port: nullable(T.Integer()), extra: nullable(T.String()),
});

/** What a task is told when it begins. */
export const TIRunContext = named('TIRunContext', {
  dag_run: DagRun, task_reschedule_count: T.Integer({ default: 0 }), max_tries: T.Integer(), variables: T.Array(VariableResponse), connections: T.Array(ConnectionResponse),
  next_method: T.Optional(nullable(T.String())), next_kwargs: T.Optional(nullable(T.Union([extra, T.String()]))), xcom_keys_to_clear: T.Array(T.String()), should_retry: T.Boolean({ default: false }),
});

/** Dates of the last successful run; all null when there is none. */
export const PrevSuccessfulDagRunResponse = named('PrevSuccessfulDagRunResponse', { data_interval_start: nullable(Instant), data_interval_end: nullable(Instant), start_date: nullable(Instant), end_date: nullable(Instant) });
/** A task’s instance in an earlier run. */
export const PreviousTIResponse = named('PreviousTIResponse', {
  task_id: T.String(), dag_id: T.String(), run_id: T.String(), logical_date: nullable(Instant), start_date: nullable(Instant), end_date: nullable(Instant), state: nullable(T.String()),
  try_number: T.Integer(), map_index: nullable(T.Integer()), duration: nullable(T.Number()),
});
/** States by run id and task id (`task_index` when mapped). */
export const TaskStatesResponse = named('TaskStatesResponse', { task_states: T.Record(T.String(), Json) });
/** The finished task instances of a run. */
export const TaskBreadcrumbsResponse = named('TaskBreadcrumbsResponse', { breadcrumbs: T.Array(T.Record(T.String(), Json)) });
/** Assets of a task that must not be used. */
export const InactiveAssetsResponse = named('InactiveAssetsResponse', { inactive_assets: T.Array(AssetProfile) });
/** One value under its key. */
export const XComResponse = named('XComResponse', { key: T.String(), value: Json });
/** The state of a run. */
export const DagRunStateResponse = named('DagRunStateResponse', { state: words(RUN_STATES) });
/** A DAG. */
export const DagResponse = named('DagResponse', {
  dag_id: T.String(), is_paused: T.Boolean(), bundle_name: nullable(T.String()), bundle_version: nullable(T.String()), relative_fileloc: nullable(T.String()), owners: nullable(T.String()),
  tags: T.Array(T.String()), next_dagrun: nullable(Instant),
});
/** An asset. */
export const AssetResponse = named('AssetResponse', { name: T.String(), uri: T.String(), group: T.String(), extra: nullable(extra) });

/** A run that an asset's event has made. */
export const DagRunAssetReference = strictly('DagRunAssetReference', {
  run_id: T.String(), dag_id: T.String(), logical_date: nullable(Instant), start_date: Instant, end_date: nullable(Instant), state: T.String(), data_interval_start: nullable(Instant),
  data_interval_end: nullable(Instant), partition_key: nullable(T.String()),
});
/** Events of assets. */
export const AssetEventsResponse = named('AssetEventsResponse', {
  asset_events: T.Array(named('AssetEventResponse', {
    id: T.Integer(), timestamp: Instant, extra: nullable(extra), asset: AssetResponse, created_dagruns: T.Array(DagRunAssetReference), source_task_id: nullable(T.String()),
    source_dag_id: nullable(T.String()), source_run_id: nullable(T.String()), source_map_index: nullable(T.Integer()), partition_key: nullable(T.String()),
  })),
});
export type AssetEventsResponse = Static<typeof AssetEventsResponse>;

/** An answer of people, once there is one. */
export const HITLDetailResponse = named('HITLDetailResponse', {
  response_received: T.Boolean(), responded_by_user: nullable(named('HITLUser', { id: T.String(), name: T.String() })), responded_at: nullable(Instant), chosen_options: nullable(T.Array(T.String())),
  params_input: T.Record(T.String(), Json),
});
/** `{"message": …}` of what was written. */
export const Message = T.Object({ message: T.String() });
