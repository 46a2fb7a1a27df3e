// A DAG as Airflow's clients read it.
import type { DAGDetailsResponse, DAGResponse } from '#contract/airflow/dag.ts';
import type { Dag, Param } from '#contract/dag.ts';
import type { DagRow } from '#store/dags.ts';
import type { VersionRow } from '#store/dag-version-lists.ts';
import { renderDuration, renderInstant, renderInstantOrNull, renderInstantText } from '../../instants.ts';
import { sealToken } from '../../signed-token.ts';
import { renderVersion } from '../dag-versions/render-version.ts';

/** @param spec dag.json of its current version; @param key signs the file token */
export function renderDag(row: DagRow, spec: Dag | null, key: Buffer): DAGResponse {
  return {
    dag_id: row.dagId, dag_display_name: row.displayName, is_paused: row.isPaused, is_stale: row.isStale, last_parsed_time: renderInstant(row.lastRegistered),
    last_parse_duration: row.parseMs === null ? null : row.parseMs / 1000, last_expired: null, bundle_name: row.bundle, bundle_version: null,
    relative_fileloc: row.fileloc, fileloc: row.fileloc, description: row.description, timetable_summary: row.timetableSummary === 'None' ? null : row.timetableSummary, timetable_description: row.timetableDescription,
    timetable_partitioned: spec?.timetable.kind === 'custom' && spec.timetable.partitioned === true,
    tags: [...row.tags].sort().map((name) => ({ name, dag_id: row.dagId, dag_display_name: row.displayName })),
    max_active_tasks: row.maxActiveTasks, max_active_runs: row.maxActiveRuns, max_consecutive_failed_dag_runs: row.maxConsecutiveFailedRuns,
    has_task_concurrency_limits: hasConcurrencyLimits(spec), has_import_errors: row.hasImportErrors,
    next_dagrun_logical_date: renderInstantOrNull(row.nextLogicalDate), next_dagrun_data_interval_start: renderInstantOrNull(row.nextIntervalStart),
    next_dagrun_data_interval_end: renderInstantOrNull(row.nextIntervalEnd), next_dagrun_run_after: renderInstantOrNull(row.nextRunAfter),
    allowed_run_types: spec?.allowed_run_types ?? null, owners: [...row.owners], file_token: sealToken(key, { bundle_name: row.bundle, relative_fileloc: row.fileloc }),
  };
}

function hasConcurrencyLimits(spec: Dag | null): boolean {
  return spec?.tasks.some((task) => task.max_active_tis_per_dag !== undefined || task.max_active_tis_per_dagrun !== undefined) ?? false;
}

/** With everything that only the version knows. */
export function renderDagDetails(row: DagRow, more: { spec: Dag; version: VersionRow | null; activeRuns: number; key: Buffer }): DAGDetailsResponse {
  const { spec } = more;
  return {
    ...renderDag(row, spec, more.key),
    catchup: spec.catchup ?? false, dag_run_timeout: spec.dagrun_timeout_seconds === undefined ? null : renderDuration(spec.dagrun_timeout_seconds),
    asset_expression: assetExpression(spec), doc_md: spec.doc_md ?? null, start_date: renderInstantText(spec.start_date), end_date: renderInstantText(spec.end_date),
    is_paused_upon_creation: spec.is_paused_upon_creation ?? null, params: renderParams(spec.params ?? {}), render_template_as_native_obj: spec.render_template_as_native_obj ?? false,
    template_search_path: null, timezone: spec.timezone ?? 'UTC', last_parsed: renderInstant(row.lastRegistered), default_args: spec.default_args ?? {},
    owner_links: spec.owner_links ?? {}, is_favorite: false, active_runs_count: more.activeRuns, concurrency: row.maxActiveTasks,
    latest_dag_version: more.version === null ? null : renderVersion(more.version),
  };
}

function assetExpression(spec: Dag): Record<string, unknown> | null {
  const { timetable } = spec;
  const condition: unknown = timetable.kind === 'assets' || timetable.kind === 'asset_or_time' ? timetable.condition : null;
  return typeof condition === 'object' && condition !== null ? (condition as Record<string, unknown>) : null;
}

/** Params as Airflow dumps them: value, schema, description. */
export function renderParams(params: Readonly<Record<string, Param>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).map(([name, param]) => [name, { value: param.default ?? null, schema: param.schema ?? {}, description: param.description ?? null }]));
}
