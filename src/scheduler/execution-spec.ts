// The job that an execution is handed.
import type { Config } from '#contract/config.ts';
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { isRetryEligible } from '#core/retry.ts';
import { type Instance, type RunSnapshot, upstreamLengths } from '#core/run-snapshot.ts';
import { nextRun } from '#core/timetable.ts';
import { traceparentOf } from '#core/trace-ids.ts';
import { isoOf } from '#platform/clock.ts';
import type { RunRow } from '#store/dag-runs.ts';
import type { RecentValues } from './recent-values.ts';

/** Files that an execution on this machine appends to; that of the outcomes is common to all. */
export interface SpecFolders {
  readonly logFile: (execution: ExecutionId) => string;
  readonly outcomes: string;
}

interface SpecParts {
  readonly run: RunRow;
  readonly snapshot: RunSnapshot;
  readonly instance: Instance;
  readonly executionId: ExecutionId;
  readonly token: string;
  readonly config: Config;
  readonly folders: SpecFolders;
  readonly values: RecentValues;
}

const iso = (ms: number | null): string | null => (ms === null ? null : isoOf(ms));

/** Builds the spec of one execution. Values of declared inputs travel with it when they are at hand. */
export function buildSpec(parts: SpecParts): ExecutionSpec {
  const { run, instance, snapshot, config } = parts;
  const { task } = instance.task;
  const xcoms = inputValues(parts);
  const lengths = upstreamLengths(snapshot, instance);
  return {
    execution_id: parts.executionId,
    attempt_id: instance.attemptId ?? ('' as ExecutionSpec['attempt_id']),
    token: parts.token,
    dag_id: run.dagId,
    version_id: run.versionId,
    task_id: task.task_id,
    map_index: instance.mapIndex,
    try_number: instance.tryNumber,
    max_tries: instance.maxTries,
    may_retry: isRetryEligible(instance.tryNumber, instance.maxTries, task.retries ?? 0),
    run: {
      id: run.id, run_id: run.runId, run_type: run.runType, logical_date: iso(run.logicalDate), data_interval_start: iso(run.intervalStart), data_interval_end: iso(run.intervalEnd),
      run_after: isoOf(run.runAfter), start_date: iso(snapshot.startDate), queued_at: iso(run.queuedAt), conf: run.conf, triggering_user_name: run.user,
      ...(task.can_skip_downstream === true ? { next_interval_end: iso(nextIntervalEnd(run, snapshot)) } : {}),
    },
    ...(lengths === null ? {} : { lengths }),
    log_file: parts.folders.logFile(parts.executionId),
    outcome_file: parts.folders.outcomes,
    xcom_max_bytes: snapshot.graph.dag.xcom?.max_bytes ?? config.LEOFLOW_XCOM_MAX_BYTES,
    ...(xcoms === null ? {} : { xcoms }),
    ...(instance.startedAt === null ? {} : { first_start: isoOf(instance.startedAt) }),
    ...(instance.wait?.isOver === true ? { resume: { next_method: instance.wait.nextMethod, next_kwargs: instance.wait.nextKwargs } } : {}),
    ...environmentOf(parts),
    ...(task.execution_timeout_seconds === undefined ? {} : { execution_timeout_seconds: task.execution_timeout_seconds }),
  };
}

/** What the task sets for itself wins. With traces its own spans join those of the run. */
function environmentOf({ run, instance, executionId, config }: SpecParts): Pick<ExecutionSpec, 'env'> {
  const { env } = instance.task.task;
  if (config.LEOFLOW_OTLP_ENDPOINT === null) return env === undefined ? {} : { env };
  return { env: { TRACEPARENT: traceparentOf(run.id, executionId), ...env } };
}

/** Epoch ms; a run without an interval counts as one of no length at its logical date. */
function nextIntervalEnd(run: RunRow, { graph }: RunSnapshot): number | null {
  const at = run.logicalDate ?? run.runAfter;
  const last = { intervalStart: run.intervalStart ?? at, intervalEnd: run.intervalEnd ?? at, runAfter: run.runAfter };
  return nextRun(graph.dag.timetable, { now: run.runAfter, last, start: last.intervalEnd, end: null, catchup: true })?.intervalEnd ?? null;
}

/** Values of unmapped upstreams that memory holds. */
function inputValues({ instance, snapshot, values }: SpecParts): Record<string, string> | null {
  let found: Record<string, string> | null = null;
  for (const input of instance.task.task.inputs ?? []) {
    const producer = snapshot.graph.tasks[snapshot.graph.byId.get(input.task_id) ?? -1];
    if (producer === undefined || producer.expands.length > 0) continue;
    const value = values.find({ taskId: input.task_id, key: input.key, mapIndex: -1 });
    if (value === null) continue;
    found ??= {};
    found[`${input.task_id}/${input.key}`] = value;
  }
  return found;
}
