// When a DAG runs next: decided here, or asked of the project's own timetable, which only its own environment can run.
import { makeUuidV7, type VersionId } from '#contract/ids.ts';
import type { Dag, Timetable } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { nextRun, type NextRunQuery, type RunInfo } from '#core/timetable.ts';
import { isoOf, msOf, wallMs } from '#platform/clock.ts';
import type { Executor } from '#executor/executor.ts';

/** The next run of a version's timetable; null when there is none. Rejects with `call_failed` when the project's code fails. */
export type FindNextRun = (version: { readonly id: VersionId; readonly dag: Dag }, query: NextRunQuery) => Promise<RunInfo | null>;

type Custom = Extract<Timetable, { kind: 'custom' }>;

/** An answer of `next_dagrun_info` (leoflow.airflow_runtime.ask), dates in ISO 8601. */
interface AnsweredInfo {
  readonly run_after: string;
  readonly data_interval: { readonly start: string; readonly end: string } | null;
  readonly logical_date: string | null;
}
interface Answer { readonly info?: AnsweredInfo | null; readonly error?: { readonly type: string; readonly message: string; readonly traceback: string } }

/** An answer that takes longer is given up. */
const ANSWER_SECONDS = 30;

/** The timetable's part that only the project's code can answer for. */
export function customPart(timetable: Timetable): Custom | null {
  if (timetable.kind === 'custom') return timetable;
  return timetable.kind === 'asset_or_time' ? customPart(timetable.timetable) : null;
}

/** @param executor makes the call in the version's environment */
export function createFindNextRun(executor: Pick<Executor, 'call'>): FindNextRun {
  return async ({ id, dag }, query) => {
    const custom = customPart(dag.timetable);
    if (custom === null) return nextRun(dag.timetable, query);
    const body = JSON.stringify({
      ask: 'next_dagrun_info', timetable: { __type: custom.class, __var: custom.data ?? {} }, last: infoOf(query.last),
      restriction: { earliest: isoOrNull(query.start), latest: isoOrNull(query.end), catchup: query.catchup },
    });
    const answer = JSON.parse(await executor.call(id, { id: makeUuidV7(wallMs()), kind: 'ask', body, timeout_seconds: ANSWER_SECONDS })) as Answer;
    if (answer.error !== undefined) throw new AppError('call_failed', `the timetable ${custom.class} of ${dag.dag_id}: ${answer.error.type}: ${answer.error.message}`, { details: answer.error.traceback });
    return answer.info === null || answer.info === undefined ? null : runOf(answer.info);
  };
}

function infoOf(last: NextRunQuery['last']): unknown {
  if (last === null) return null;
  const interval = last.intervalStart === null || last.intervalEnd === null ? null : { start: isoOf(last.intervalStart), end: isoOf(last.intervalEnd) };
  return { run_after: isoOf(last.runAfter), data_interval: interval, logical_date: interval?.start ?? null, partition_key: null, partition_date: null };
}

function runOf(info: AnsweredInfo): RunInfo {
  return {
    runAfter: msOf(info.run_after), logicalDate: info.logical_date === null ? null : msOf(info.logical_date),
    intervalStart: info.data_interval === null ? null : msOf(info.data_interval.start), intervalEnd: info.data_interval === null ? null : msOf(info.data_interval.end),
  };
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoOf(ms));
