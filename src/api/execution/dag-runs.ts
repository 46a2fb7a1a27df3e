// Runs that tasks start, clear and look at, and the DAGs of these.
import { type Static, Type as T } from '@sinclair/typebox';
import { AwareInstant, many, optional, words } from '#contract/airflow/fields.ts';
import type { Dag } from '#contract/dag.ts';
import { RUN_STATES } from '#contract/states.ts';
import { checkConf } from '#core/check-conf.ts';
import { parseExact } from '#core/exact-json.ts';
import { manualInterval } from '#core/timetable.ts';
import { msOf } from '#platform/clock.ts';
import { createRun } from '#store/dag-runs.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findDag } from '#store/dags.ts';
import { countTaskRuns, findNamedRun, findRunBefore, type TaskRun } from '#store/execution-runs.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { selectInstancesFor } from '#store/run-selection.ts';
import { faultOfRunId } from '../manual-run-id.ts';
import { renderInstantOrNull } from '../instants.ts';
import { type AnyCall, type ExecutionServices, executionOperation, NOTHING, type Outcome, value } from './execution-call.ts';
import { missing, refusal } from './refusals.ts';
import { downgradeRun, renderTaskRun } from './render-run.ts';
import { TriggerDAGRunPayload } from './request-models.ts';
import { DagResponse, DagRun, DagRunStateResponse } from './response-models.ts';

const RUN = T.Object({ dag_id: T.String(), run_id: T.String() });
const BEFORE = { logical_date: AwareInstant, state: optional(words(RUN_STATES)) } as const;
const RUN_OR_NULL = T.Union([DagRun, T.Null()]);

async function getRun(services: ExecutionServices, names: Static<typeof RUN>): Promise<TaskRun> {
  const run = await findNamedRun(services.database, names.dag_id, names.run_id);
  if (run === null) throw missing(`Dag run with dag_id '${names.dag_id}' and run_id '${names.run_id}' was not found`);
  return run;
}

/** Airflow's `get_dag_run`. Like Airflow it does not say what the run was made for. */
export const getDagRun = executionOperation({
  params: RUN, response: DagRun, downgrade: downgradeRun,
  run: async ({ params, services }) => value(renderTaskRun(await getRun(services, params), [])),
});

/** Airflow's `get_dagrun_state`. */
export const getDagrunState = executionOperation({
  params: RUN, response: DagRunStateResponse,
  run: async ({ params, services }) => value({ state: (await getRun(services, params)).state }),
});

/** Airflow's `get_dr_count`. */
export const getDrCount = executionOperation({
  query: T.Object({ dag_id: T.String(), logical_dates: many(AwareInstant), run_ids: many(T.String()), states: many(T.String()) }), response: T.Integer(),
  run: async ({ query, services }) => value(await countTaskRuns(services.database, { dagId: query.dag_id, logicalDates: query.logical_dates, runIds: query.run_ids }, query.states)),
});

async function answerBefore(services: ExecutionServices, before: { readonly dag_id: string; readonly logical_date: string; readonly state: string | null }): Promise<Outcome> {
  const run = await findRunBefore(services.database, { dagId: before.dag_id, logicalDate: before.logical_date, state: before.state });
  return value(run === null ? null : renderTaskRun(run, []));
}

/** Airflow's `get_previous_dagrun`. */
export const getPreviousDagrun = executionOperation({
  query: T.Object({ dag_id: T.String(), ...BEFORE }), response: RUN_OR_NULL,
  run: ({ query, services }) => answerBefore(services, query),
});

/** The same where versions before 2026-04-06 look for it. */
export const getPreviousDagrunCompat = executionOperation({
  params: T.Object({ dag_id: T.String() }), query: T.Object(BEFORE), response: RUN_OR_NULL, downgrade: downgradeRun,
  run: ({ params, query, services }) => answerBefore(services, { ...query, dag_id: params.dag_id }),
});

/** A DAG that takes runs. Throws Airflow's 404 and 400. */
async function getRunnable(services: ExecutionServices, dagId: string): Promise<Dag> {
  const row = await findDag(services.database, dagId);
  const spec = row === null || row.isStale ? null : await findKeptSpec(services.database, row.versionId);
  if (row === null || spec === null) throw missing(`Dag with dag_id: '${dagId}' not found`);
  if (row.hasImportErrors) throw refusal(400, { reason: 'import_errors', message: `Dag with dag_id '${dagId}' has import errors and cannot be triggered` });
  return spec;
}

/** Airflow's `trigger_dag_run`. `reset_dag_run` is the client's: it clears a run that is there already. */
export const triggerDagRun = executionOperation({
  params: RUN, body: TriggerDAGRunPayload, response: null, needsOpen: true,
  async run({ params, body, bodyText, services }) {
    const spec = await getRunnable(services, params.dag_id);
    if (spec.allowed_run_types !== undefined && !spec.allowed_run_types.includes('manual')) throw refusal(400, { reason: 'denied_run_type', message: `Dag with dag_id '${params.dag_id}' does not allow manual runs` });
    const fault = faultOfRunId(params.run_id) ?? checkConf(spec, body.conf)[0] ?? null;
    if (fault !== null) throw refusal(400, { reason: 'invalid_run', message: fault });
    const runAfter = services.database.clock.nowMs();
    const logicalDate = body.logical_date === null ? null : msOf(body.logical_date);
    const created = await createRun(services.database, {
      // Airflow infers the interval from the moment of the trigger here, not from the logical date.
      dagId: params.dag_id, runId: params.run_id, runType: 'manual', logicalDate, interval: logicalDate === null ? null : manualInterval(spec.timetable, runAfter), runAfter, conf: confOf(bodyText),
      triggeredBy: 'operator', user: null, note: body.note, partitionKey: body.partition_key,
    });
    if (created.kind === 'no_dag') throw missing(`Dag with dag_id: '${params.dag_id}' not found`);
    if (created.kind === 'duplicate') throw alreadyThere(params, created.constraint);
    services.reporter.report({ event: 'run.created', dag_id: params.dag_id, run_id: params.run_id, run_type: 'manual' });
    return NOTHING;
  },
});

/** As it came: what is a float to Python stays one. */
function confOf(bodyText: string): unknown {
  return (parseExact(bodyText) as { conf?: unknown }).conf ?? {};
}

function alreadyThere(run: Static<typeof RUN>, constraint: string): Error {
  const what = constraint.includes('logical_date') ? 'that logical date' : `run_id '${run.run_id}'`;
  return refusal(409, { reason: 'already_exists', message: `A run already exists for Dag '${run.dag_id}' with ${what}` });
}

/** Airflow's `clear_dag_run`: everything of the run once more. */
export const clearDagRun = executionOperation({
  params: RUN, response: null, needsOpen: true,
  async run({ params, services, caller }) {
    const { database } = services;
    await getRunnable(services, params.dag_id);
    if ((await findNamedRun(database, params.dag_id, params.run_id)) === null) throw missing(`Dag run with run_id: '${params.run_id}' not found`);
    const selected = await selectInstancesFor(database, { dagId: params.dag_id, runId: params.run_id, from: null, to: null, tasks: null, states: null });
    await applyAction(database, { ...NO_ACTION, clear: selected, by: actorOf(caller) });
    return NOTHING;
  },
});

/** How history names a task that acts. */
function actorOf(caller: AnyCall['caller']): string {
  return `task ${caller.taskId} of ${caller.dagId}`;
}

/** Airflow's `get_dag`. */
export const getDag = executionOperation({
  params: T.Object({ dag_id: T.String() }), response: DagResponse,
  async run({ params, services }) {
    const row = await findDag(services.database, params.dag_id);
    if (row === null) throw missing(`The Dag with dag_id: \`${params.dag_id}\` was not found`);
    return value({
      dag_id: row.dagId, is_paused: row.isPaused, bundle_name: row.bundle, bundle_version: null, relative_fileloc: row.fileloc, owners: row.owners.join(', '), tags: [...row.tags].sort(),
      next_dagrun: renderInstantOrNull(row.nextLogicalDate),
    });
  },
});
