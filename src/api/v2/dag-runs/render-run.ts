// A run as Airflow's clients read it.
import type { DAGRunResponse } from '#contract/airflow/dag-run.ts';
import type { RunListRow } from '#store/dag-run-lists.ts';
import { durationSeconds, renderInstant, renderInstantOrNull } from '../../instants.ts';
import { renderVersion } from '../dag-versions/render-version.ts';

/** Rows to the response's fields. */
export function renderRun(row: RunListRow): DAGRunResponse {
  return {
    dag_run_id: row.runId, dag_id: row.dagId, logical_date: renderInstantOrNull(row.logicalDate), queued_at: renderInstant(row.queuedAt), start_date: renderInstantOrNull(row.startDate),
    end_date: renderInstantOrNull(row.endDate), duration: durationSeconds(row.startDate, row.endDate), data_interval_start: renderInstantOrNull(row.intervalStart),
    data_interval_end: renderInstantOrNull(row.intervalEnd), run_after: renderInstant(row.runAfter), last_scheduling_decision: renderInstantOrNull(row.lastDecision),
    run_type: row.runType, state: row.state, triggered_by: row.triggeredBy, triggering_user_name: row.user, conf: confOf(row.conf), note: row.note,
    dag_versions: [renderVersion(row.version)], bundle_version: null, dag_display_name: row.displayName, partition_key: row.partitionKey,
  };
}

function confOf(conf: unknown): Record<string, unknown> | null {
  return typeof conf === 'object' && conf !== null && !Array.isArray(conf) ? (conf as Record<string, unknown>) : null;
}
