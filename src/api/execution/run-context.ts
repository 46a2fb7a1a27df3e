// PATCH …/run: a process says that it begins, and is told what it runs for.
import type { BegunExecution, BeginRefusal } from '#contract/execution-api.ts';
import { listConsumedEvents } from '#store/asset-reads.ts';
import { findTaskRun } from '#store/execution-runs.ts';
import { listPushedKeys } from '#store/xcom-sequences.ts';
import { executionOperation, value } from './execution-call.ts';
import { toOldKwargs } from './old-kwargs.ts';
import { missing, refusal } from './refusals.ts';
import { downgradeRun, objectOf, renderTaskRun } from './render-run.ts';
import { TIEnterRunningPayload } from './request-models.ts';
import { TIRunContext } from './response-models.ts';
import { TI_PARAMS } from './ti-params.ts';

/** Airflow's `ti_run`. Asked again by the same process it answers the same. */
export const tiRun = executionOperation({
  params: TI_PARAMS, body: TIEnterRunningPayload, response: TIRunContext, downgrade,
  async run({ caller, body, services }) {
    const { database, service } = services;
    const begun = await service.begin(caller, { hostname: body.hostname, unixname: body.unixname, pid: body.pid });
    if ('kind' in begun) throw refusalOf(begun);
    const run = await findTaskRun(database, caller.run);
    if (run === null) throw taskNotFound();
    const { spec } = begun;
    const consumed = run.runType === 'asset_triggered' ? await listConsumedEvents(database, run.id) : [];
    return value({
      dag_run: renderTaskRun(run, consumed), task_reschedule_count: begun.rescheduleCount, max_tries: spec.max_tries, variables: [], connections: [],
      // A task that goes on after a deferral keeps what it pushed before.
      xcom_keys_to_clear: spec.resume === undefined ? await listPushedKeys(database, caller) : [],
      should_retry: spec.may_retry === true, ...resumeOf(spec),
    });
  },
});

function resumeOf(spec: BegunExecution['spec']): object {
  return spec.resume === undefined ? {} : { next_method: spec.resume.next_method, next_kwargs: objectOf(spec.resume.next_kwargs) ?? {} };
}

const taskNotFound = (): Error => missing('Task Instance not found');

function refusalOf(refused: BeginRefusal): Error {
  if (refused.kind === 'not_found') return taskNotFound();
  return refusal(409, { reason: 'invalid_state', message: 'TI was not in a state where it could be marked as running', previous_state: refused.previousState });
}

function downgrade(given: unknown): unknown {
  const context = given as { dag_run: unknown; next_kwargs?: unknown };
  return { ...context, dag_run: downgradeRun(context.dag_run), ...(context.next_kwargs === undefined ? {} : { next_kwargs: toOldKwargs(context.next_kwargs) }), upstream_map_indexes: null };
}
