// A run as the Task SDK's strict model reads it.
import { parseExact } from '#core/exact-json.ts';
import type { AssetEventRow } from '#store/asset-reads.ts';
import type { TaskRun } from '#store/execution-runs.ts';
import { renderInstant, renderInstantOrNull } from '../instants.ts';
import type { AssetEventDagRunReference, DagRun } from './response-models.ts';

/** @param consumed the events that the run was made for */
export function renderTaskRun(run: TaskRun, consumed: readonly AssetEventRow[]): DagRun {
  return {
    dag_id: run.dagId, run_id: run.runId, logical_date: renderInstantOrNull(run.logicalDate), data_interval_start: renderInstantOrNull(run.intervalStart),
    data_interval_end: renderInstantOrNull(run.intervalEnd), run_after: renderInstant(run.runAfter), start_date: renderInstantOrNull(run.startDate), end_date: renderInstantOrNull(run.endDate),
    clear_number: run.clearNumber, run_type: run.runType, state: run.state, conf: objectOf(run.conf), triggering_user_name: run.user, consumed_asset_events: consumed.map(renderConsumed),
    partition_key: run.partitionKey, note: run.note,
  };
}

function renderConsumed(event: AssetEventRow): AssetEventDagRunReference {
  return {
    asset: { name: event.asset.name, uri: event.asset.uri, extra: objectOf(event.asset.extra) ?? {} }, extra: objectOf(event.extra) ?? {}, source_task_id: event.source.taskId,
    source_dag_id: event.source.dagId, source_run_id: event.source.runId, source_map_index: event.source.mapIndex, source_aliases: event.aliases.map((name) => ({ name })), timestamp: renderInstant(event.at),
  };
}

/** JSON text of an object, its numbers as they stand; null for anything else. */
export function objectOf(text: string): Record<string, unknown> | null {
  const read = parseExact(text);
  return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : null;
}

/** The same as versions before 2026-04-06 have it. Their clients end at a type of run that they do not know; a run that makes an asset was one by hand. */
export function downgradeRun(value: unknown): unknown {
  if (value === null) return null;
  const { partition_key: _key, note: _note, ...run } = value as DagRun;
  return { ...run, run_type: run.run_type === 'asset_materialization' ? 'manual' : run.run_type, start_date: run.start_date ?? run.run_after };
}
