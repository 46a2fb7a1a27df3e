// POST …/dagRuns: a manual run.
import { randomBytes } from 'node:crypto';
import { DAGRunResponse, TriggerDAGRunPostBody } from '#contract/airflow/dag-run.ts';
import type { Dag } from '#contract/dag.ts';
import { checkConf } from '#core/check-conf.ts';
import { makeRunId, manualInterval } from '#core/timetable.ts';
import { msOf } from '#platform/clock.ts';
import { createRun } from '#store/dag-runs.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findDag } from '#store/dags.ts';
import { faultOfRunId } from '../../manual-run-id.ts';
import { type Call, DAG_PARAMS, json, operation } from '../../operation.ts';
import { badRequest, contradiction, notFound, uniqueViolation } from '../../problems.ts';
import { getRun } from './find-run.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `trigger_dag_run`. A paused DAG takes the run; it stays queued. */
export const triggerDagRun = operation({
  params: DAG_PARAMS,
  body: TriggerDAGRunPostBody,
  response: DAGRunResponse,
  async run(call) {
    const { params, body, services } = call;
    if ((body.data_interval_start === null) !== (body.data_interval_end === null)) throw contradiction('Either both data_interval_start and data_interval_end must be provided or both must be None', body);
    const spec = await triggerable(call);
    const logicalDate = body.logical_date === null ? null : msOf(body.logical_date);
    const runAfter = body.run_after === null ? services.database.clock.nowMs() : msOf(body.run_after);
    const runId = body.dag_run_id ?? makeRunId({ runType: 'manual', runAfter, logicalDate, suffix: randomSuffix() });
    const fault = faultOfRunId(runId);
    if (fault !== null) throw badRequest(fault);
    const faults = checkConf(spec, body.conf ?? {});
    if (faults.length > 0) throw badRequest(faults.join('\n'));
    const created = await createRun(services.database, {
      dagId: params.dag_id, runId, runType: 'manual', logicalDate, interval: logicalDate === null ? null : intervalOf(spec, logicalDate, body), runAfter, conf: body.conf ?? {},
      triggeredBy: call.headers.referer === undefined ? 'rest_api' : 'ui', user: call.person.name, note: body.note, partitionKey: body.partition_key,
    });
    if (created.kind === 'no_dag') throw unknownDag(params.dag_id);
    if (created.kind === 'duplicate') throw uniqueViolation();
    services.reporter.report({ event: 'run.created', dag_id: params.dag_id, run_id: runId, run_type: 'manual' });
    return json(renderRun(await getRun(services.database, { dag_id: params.dag_id, dag_run_id: runId })));
  },
});

const unknownDag = (dagId: string): Error => notFound(`DAG with dag_id: '${dagId}' not found`);

async function triggerable(call: Pick<Call<{ dag_id: string }, unknown, unknown>, 'params' | 'services'>): Promise<Dag> {
  const dagId = call.params.dag_id;
  const row = await findDag(call.services.database, dagId);
  const spec = row === null ? null : await findKeptSpec(call.services.database, row.versionId);
  if (row === null || spec === null || row.isStale) throw unknownDag(dagId);
  if (spec.allowed_run_types !== undefined && !spec.allowed_run_types.includes('manual')) throw badRequest(`Dag with dag_id: '${dagId}' does not allow manual runs`);
  return spec;
}

function intervalOf(spec: Dag, logicalDate: number, body: TriggerDAGRunPostBody): { start: number; end: number } | null {
  if (body.data_interval_start !== null && body.data_interval_end !== null) return { start: msOf(body.data_interval_start), end: msOf(body.data_interval_end) };
  return manualInterval(spec.timetable, logicalDate);
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function randomSuffix(): string {
  return [...randomBytes(8)].map((byte) => LETTERS[byte % LETTERS.length] ?? 'a').join('');
}
