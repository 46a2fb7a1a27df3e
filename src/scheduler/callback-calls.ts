// A callback as the call that its version's environment makes: Airflow's own request, as its scheduler would send it.
import type { VersionCall } from '#contract/attempt.ts';
import { parseExact } from '#core/exact-json.ts';
import { type AssetEventRow, listConsumedEvents } from '#store/asset-reads.ts';
import type { Callback } from '#store/callbacks.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findTaskRun, type TaskRun } from '#store/execution-runs.ts';
import { isoOf } from '#platform/clock.ts';

/** The one bundle of a project; `leoflow.airflow_runtime.settings.BUNDLE`. */
const BUNDLE = 'leoflow';

interface Parts { readonly callback: Callback; readonly run: TaskRun; readonly consumed: readonly AssetEventRow[] }

/** Null when its run or its version is gone: nobody can be told any more. */
export async function callOf(database: Database, callback: Callback, how: { readonly token: string; readonly logFile: string | null; readonly timeoutSeconds: number }): Promise<VersionCall | null> {
  const [run, spec] = [await findTaskRun(database, callback.run), await findKeptSpec(database, callback.versionId)];
  if (run === null || spec === null) return null;
  const consumed = run.runType === 'asset_triggered' ? await listConsumedEvents(database, run.id) : [];
  const base = { filepath: spec.fileloc, bundle_name: BUNDLE, bundle_version: null, msg: callback.request['msg'] ?? null };
  const request = { ...base, ...bodyOf({ callback, run, consumed }, spec.display_name ?? run.dagId) };
  return {
    id: callback.id, kind: 'callbacks', body: JSON.stringify([request]), token: `${callback.id}.${how.token}`, timeout_seconds: how.timeoutSeconds,
    ...(how.logFile === null ? {} : { log_file: how.logFile }),
  };
}

function bodyOf(parts: Parts, displayName: string): object {
  const { callback, run } = parts;
  const { request } = callback;
  switch (callback.kind) {
    case 'dag': return {
      type: 'DagCallbackRequest', dag_id: run.dagId, run_id: run.runId, is_failure_callback: request['is_failure_callback'],
      context_from_server: { dag_run: runOf(parts), last_ti: callback.taskId === null ? null : instanceOf(parts) },
    };
    case 'task': return { type: 'TaskCallbackRequest', ti: instanceOf(parts), task_callback_type: request['task_callback_type'], context_from_server: contextOf(parts) };
    case 'listener': return { type: 'DagRunListener', event: request['event'], dag_run: { ...runOf(parts), queued_at: iso(run.queuedAt), triggered_by: run.triggeredBy } };
    case 'email': return { type: 'EmailRequest', ti: instanceOf(parts), email_type: request['email_type'], context_from_server: contextOf(parts) };
    case 'deadline': return {
      type: 'DeadlineCallback', callback: request['callback'],
      context: { dag_run: publicRun(run, displayName), deadline: { id: callback.id, deadline_time: request['deadline_time'] } },
    };
  }
}

function contextOf(parts: Parts): object {
  return { dag_run: runOf(parts), max_tries: parts.callback.maxTries, variables: [], connections: [], xcom_keys_to_clear: [] };
}

/** Airflow names every instance; one that never began a try has none of its own here, and gets the callback's. */
function instanceOf({ callback, run }: Parts): object {
  return {
    id: callback.attemptId ?? callback.id, task_id: callback.taskId, dag_id: run.dagId, run_id: run.runId, try_number: callback.tryNumber, dag_version_id: callback.versionId, map_index: callback.mapIndex,
  };
}

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** The run as it was when this was asked for: somebody may have cleared it since. */
function runOf({ callback: { request }, run, consumed }: Parts): object {
  const { run_state: state, run_end_date: ended } = request;
  return {
    dag_id: run.dagId, run_id: run.runId, logical_date: iso(run.logicalDate), data_interval_start: iso(run.intervalStart), data_interval_end: iso(run.intervalEnd), run_after: iso(run.runAfter),
    start_date: iso(run.startDate), end_date: endOf(ended, run), clear_number: run.clearNumber, run_type: run.runType, state: state ?? run.state,
    conf: parseExact(run.conf), triggering_user_name: run.user, consumed_asset_events: consumed.map(consumedOf), partition_key: run.partitionKey, note: run.note,
  };
}

function endOf(told: unknown, run: TaskRun): string | null {
  if (told === undefined) return iso(run.endDate);
  return typeof told === 'number' ? isoOf(told) : null;
}

function consumedOf({ asset, extra, source, aliases, at }: AssetEventRow): object {
  return {
    asset: { name: asset.name, uri: asset.uri, extra: parseExact(asset.extra) }, extra: parseExact(extra), source_task_id: source.taskId, source_dag_id: source.dagId, source_run_id: source.runId,
    source_map_index: source.mapIndex, source_aliases: aliases.map((name) => ({ name })), timestamp: iso(at),
  };
}

/** Airflow's `DAGRunResponse`: callbacks of deadlines are shown the run as the public API shows it, without the versions of its DAG. */
function publicRun(run: TaskRun, displayName: string): object {
  const duration = run.startDate === null || run.endDate === null ? null : (run.endDate.getTime() - run.startDate.getTime()) / 1000;
  return {
    dag_run_id: run.runId, dag_id: run.dagId, logical_date: iso(run.logicalDate), queued_at: iso(run.queuedAt), start_date: iso(run.startDate), end_date: iso(run.endDate), duration,
    data_interval_start: iso(run.intervalStart), data_interval_end: iso(run.intervalEnd), run_after: iso(run.runAfter), last_scheduling_decision: iso(run.lastDecision), run_type: run.runType,
    state: run.state, triggered_by: run.triggeredBy, triggering_user_name: run.user, conf: parseExact(run.conf), note: run.note, dag_versions: [], bundle_version: null,
    dag_display_name: displayName, partition_key: run.partitionKey,
  };
}
