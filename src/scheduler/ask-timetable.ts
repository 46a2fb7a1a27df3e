// When a DAG runs next: decided here, or asked of the project's own timetable, which only its own environment can run.
import { makeUuidV7, type VersionId } from '#contract/ids.ts';
import type { Dag, Timetable } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { nextRun, type NextRunQuery, type RunInfo } from '#core/timetable.ts';
import { isoOf, msOf, wallMs } from '#platform/clock.ts';
import type { Executor } from '#executor/executor.ts';

/** The next run of a version's timetable; null when there is none. Rejects with `call_failed` when the project's code fails. */
export type FindNextRun = (version: { readonly id: VersionId; readonly dag: Dag }, query: NextRunQuery) => Promise<RunInfo | null>;

/** A timetable that only the project has. */
export type Custom = Extract<Timetable, { kind: 'custom' }>;

/** An answer of `next_dagrun_info` (leoflow.airflow_runtime.ask), dates in ISO 8601. */
interface AnsweredInfo {
  readonly run_after: string;
  readonly data_interval: { readonly start: string; readonly end: string } | null;
  readonly logical_date: string | null;
  readonly partition_key?: string | null;
}
interface Refused { readonly error?: { readonly type: string; readonly message: string; readonly traceback: string } }

/** A process that takes longer is killed; without one, or without an answer, the question is given up as all calls are. */
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
    const { info } = await askProject<{ info?: AnsweredInfo | null }>(executor, { versionId: id, dagId: dag.dag_id }, {
      custom, ask: 'next_dagrun_info', last: infoOf(query.last), restriction: { earliest: isoOrNull(query.start), latest: isoOrNull(query.end), catchup: query.catchup },
    });
    return info === null || info === undefined ? null : runOf(info);
  };
}

/** Asks the project's timetable one question of leoflow.airflow_runtime.ask. Throws `call_failed`; see `isProjectFault`. */
export async function askProject<A>(executor: Pick<Executor, 'call'>, of: { readonly versionId: VersionId; readonly dagId: string }, { custom, ...question }: { readonly custom: Custom; readonly ask: string; readonly [more: string]: unknown }): Promise<A> {
  const { ask, ...more } = question;
  const body = JSON.stringify({ ask, timetable: { __type: custom.class, __var: custom.data ?? {} }, ...more });
  const answer = JSON.parse(await executor.call(of.versionId, { id: makeUuidV7(wallMs()), kind: 'ask', body, timeout_seconds: ANSWER_SECONDS })) as A & Refused;
  if (answer.error !== undefined) throw new AppError('call_failed', `the timetable ${custom.class} of ${of.dagId}: ${answer.error.type}: ${answer.error.message}`, { details: answer.error.traceback });
  return answer;
}

/** True when the project's code has answered, and its answer was an error; else nobody was asked. */
export function isProjectFault(error: unknown): boolean {
  return error instanceof AppError && error.code === 'call_failed' && error.details !== undefined;
}

function infoOf(last: NextRunQuery['last']): unknown {
  if (last === null) return null;
  const interval = last.intervalStart === null || last.intervalEnd === null ? null : { start: isoOf(last.intervalStart), end: isoOf(last.intervalEnd) };
  return { run_after: isoOf(last.runAfter), data_interval: interval, logical_date: interval?.start ?? null, partition_key: null, partition_date: null };
}

function runOf(info: AnsweredInfo): RunInfo {
  return {
    runAfter: msOf(info.run_after), logicalDate: info.logical_date === null ? null : msOf(info.logical_date),
    ...(typeof info.partition_key === 'string' ? { partitionKey: info.partition_key } : {}),
    intervalStart: info.data_interval === null ? null : msOf(info.data_interval.start), intervalEnd: info.data_interval === null ? null : msOf(info.data_interval.end),
  };
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoOf(ms));
