// GET …/dagRuns/{dag_run_id}/wait: a line with the run's state every interval until it is finished.
import { Type as T } from '@sinclair/typebox';
import { many } from '#contract/airflow/fields.ts';
import { includesRole } from '#contract/roles.ts';
import { sleep } from '#platform/clock.ts';
import { findRun, type RunListRow } from '#store/dag-run-lists.ts';
import { findXCom, listXComs } from '#store/xcoms.ts';
import { type Call, operation, RUN_PARAMS } from '../../operation.ts';
import { HttpProblem } from '../../problems.ts';
import { getRun } from './find-run.ts';

const QUERY = T.Object({ interval: T.Number({ exclusiveMinimum: 0, maximum: 86_400 }), result: many(T.String()) });

/** Airflow's `wait_dag_run_until_finished`. */
export const waitDagRunUntilFinished = operation({
  params: RUN_PARAMS,
  query: QUERY,
  response: T.Unknown(),
  async run(call) {
    if (call.query.result.length > 0 && !includesRole(call.person.role, 'viewer')) throw new HttpProblem(403, 'User is not authorized to read XCom data for this DAG');
    const run = await getRun(call.services.database, call.params);
    return { kind: 'stream', type: 'application/x-ndjson', chunks: followRun(call, run) };
  },
});

type WaitCall = Call<{ dag_id: string; dag_run_id: string }, { interval: number; result: readonly string[] }, unknown>;

/** Ends with the run, when the caller goes, when the run is deleted, and when the server stops. */
async function* followRun(call: WaitCall, first: RunListRow): AsyncGenerator<string> {
  const ended = AbortSignal.any([call.gone, call.services.stopping]);
  for (let run: RunListRow | null = first; run !== null && !ended.aborted; run = await findRun(call.services.database, first.dagId, first.runId)) {
    if (run.state === 'success' || run.state === 'failed') {
      yield await renderEnd(call, run);
      return;
    }
    yield `${JSON.stringify({ state: run.state })}\n`;
    await sleep(call.query.interval * 1000, ended);
  }
}

/** The last line. Values are spliced in as the tasks wrote them. */
async function renderEnd(call: WaitCall, run: RunListRow): Promise<string> {
  if (call.query.result.length === 0) return `${JSON.stringify({ state: run.state })}\n`;
  const results: string[] = [];
  for (const taskId of call.query.result) results.push(`${JSON.stringify(taskId)}:${await resultOf(call, { run, taskId })}`);
  return `{"state":${JSON.stringify(run.state)},"results":{${results.join(',')}}}\n`;
}

const NONE_GIVEN = { gte: null, gt: null, lte: null, lt: null } as const;

/** A task's return value as JSON text; a list by map index when it is mapped; null when it returned nothing. */
async function resultOf(call: WaitCall, of: { run: RunListRow; taskId: string }): Promise<string> {
  const { database } = call.services;
  const key = { dagId: of.run.dagId, runId: of.run.runId, taskId: of.taskId, key: 'return_value' };
  const { rows } = await listXComs(database, {
    ...key, mapIndex: null, keyPattern: null, displayNamePattern: null, runIdPattern: null, taskIdPattern: null, logicalDate: NONE_GIVEN, runAfter: NONE_GIVEN,
  }, { limit: 100, offset: 0 });
  const values: string[] = [];
  for (const row of rows) values.push((await findXCom(database, { ...key, mapIndex: row.mapIndex }, call.services.values))?.value.toString('utf8') ?? 'null');
  const isMapped = rows.some((row) => row.mapIndex >= 0);
  return isMapped ? `[${values.join(',')}]` : (values[0] ?? 'null');
}
