// Airflow's schemas of DAGs, their tags, statistics and warnings.
import { type Static, Type as T } from '@sinclair/typebox';
import { RUN_STATES, RUN_TYPES } from '../states.ts';
import { DagVersionResponse } from './dag-version.ts';
import { collection, fieldsOf, Instant, Json, named, nullable, strict, words } from './fields.ts';

export const DagRunType = words(RUN_TYPES);
export const DagRunState = words(RUN_STATES);

const DagTagResponse = named('DagTagResponse', { name: T.String(), dag_id: T.String(), dag_display_name: T.String() });

export const DAGResponse = named('DAGResponse', {
  dag_id: T.String(), dag_display_name: T.String(), is_paused: T.Boolean(), is_stale: T.Boolean(), last_parsed_time: nullable(Instant),
  last_parse_duration: nullable(T.Number()), last_expired: nullable(Instant), bundle_name: nullable(T.String()), bundle_version: nullable(T.String()),
  relative_fileloc: nullable(T.String()), fileloc: T.String(), description: nullable(T.String()), timetable_summary: nullable(T.String()),
  timetable_description: nullable(T.String()), timetable_partitioned: T.Boolean(), tags: T.Array(DagTagResponse), max_active_tasks: T.Integer(),
  max_active_runs: nullable(T.Integer()), max_consecutive_failed_dag_runs: T.Integer(), has_task_concurrency_limits: T.Boolean(), has_import_errors: T.Boolean(),
  next_dagrun_logical_date: nullable(Instant), next_dagrun_data_interval_start: nullable(Instant), next_dagrun_data_interval_end: nullable(Instant),
  next_dagrun_run_after: nullable(Instant), allowed_run_types: nullable(T.Array(DagRunType)), owners: T.Array(T.String()), file_token: T.String(),
});
export type DAGResponse = Static<typeof DAGResponse>;

export const DAGCollectionResponse = collection('DAGCollectionResponse', 'dags', DAGResponse);

export const DAGDetailsResponse = named('DAGDetailsResponse', {
  ...fieldsOf(DAGResponse),
  catchup: T.Boolean(), dag_run_timeout: nullable(T.String()), asset_expression: nullable(T.Record(T.String(), Json)), doc_md: nullable(T.String()),
  start_date: nullable(Instant), end_date: nullable(Instant), is_paused_upon_creation: nullable(T.Boolean()), params: nullable(T.Record(T.String(), Json)),
  render_template_as_native_obj: T.Boolean(), template_search_path: nullable(T.Array(T.String())), timezone: nullable(T.String()), last_parsed: nullable(Instant),
  default_args: nullable(T.Record(T.String(), Json)), owner_links: T.Optional(nullable(T.Record(T.String(), T.String()))), is_favorite: T.Optional(T.Boolean()),
  active_runs_count: T.Optional(T.Integer()), concurrency: T.Integer(), latest_dag_version: nullable(DagVersionResponse),
});
export type DAGDetailsResponse = Static<typeof DAGDetailsResponse>;

export const DAGPatchBody = T.Object({ is_paused: T.Boolean() }, { ...strict, $id: 'DAGPatchBody' });

export const DAGTagCollectionResponse = collection('DAGTagCollectionResponse', 'tags', T.String());

const DagStatsStateResponse = named('DagStatsStateResponse', { state: DagRunState, count: T.Integer() });
const DagStatsResponse = named('DagStatsResponse', { dag_id: T.String(), dag_display_name: T.String(), stats: T.Array(DagStatsStateResponse) });
export const DagStatsCollectionResponse = collection('DagStatsCollectionResponse', 'dags', DagStatsResponse);

export const DAG_WARNING_TYPES = ['asset conflict', 'non-existent pool', 'runtime varying value'] as const;
const DAGWarningResponse = named('DAGWarningResponse', {
  dag_id: T.String(), warning_type: words(DAG_WARNING_TYPES), message: T.String(), timestamp: Instant, dag_display_name: T.String(),
});
export const DAGWarningCollectionResponse = collection('DAGWarningCollectionResponse', 'dag_warnings', DAGWarningResponse);
