// PATCH …/taskInstances/{task_id} and …/{map_index}, and their dry runs: marking instances and writing notes.
import { type Static, Type as T } from '@sinclair/typebox';
import { many, optional } from '#contract/airflow/fields.ts';
import { PatchTaskInstanceBody, TaskInstanceCollectionResponse } from '#contract/airflow/task-instance.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { ANY_INSTANCE, type InstanceListRow, listInstances, setInstanceNotes } from '#store/task-instances.ts';
import { type Answer, INSTANCE_PARAMS, json, MAPPED_PARAMS, operation, type Person, type Services } from '../../operation.ts';
import { conflict, invalid, notFound } from '../../problems.ts';
import { getDagWithSpec } from '../dags/find-dag.ts';
import type { InstancePath } from './find-instance.ts';
import { planMark } from './plan-mark.ts';
import { renderInstances, renderSelected } from './render-instance.ts';

const MASK_QUERY = T.Object({ update_mask: many(T.String()) });
const INDEX_AND_MASK_QUERY = T.Object({ map_index: optional(T.Integer()), ...MASK_QUERY.properties });

interface Patch {
  readonly path: InstancePath;
  /** Null: all instances of the task. */
  readonly mapIndex: number | null;
  readonly body: PatchTaskInstanceBody;
  /** Fields of the body that count. */
  readonly fields: ReadonlySet<string>;
  /** The caller named the fields: then an empty note is a note. */
  readonly isMasked: boolean;
  readonly services: Services;
  readonly person: Person;
}

interface PatchCall {
  readonly params: InstancePath;
  readonly query: Static<typeof MASK_QUERY>;
  readonly body: PatchTaskInstanceBody;
  readonly bodyKeys: ReadonlySet<string>;
  readonly services: Services;
  readonly person: Person;
}

function patchOf(call: PatchCall, mapIndex: number | null): Patch {
  const mask = call.query.update_mask;
  const fields = new Set([...call.bodyKeys].filter((field) => mask.length === 0 || mask.includes(field)));
  refuseState(call);
  return { path: call.params, mapIndex, body: call.body, fields, isMasked: mask.length > 0, services: call.services, person: call.person };
}

/** Airflow's `patch_task_instance`. */
export const patchTaskInstance = operation({
  params: INSTANCE_PARAMS, query: INDEX_AND_MASK_QUERY, body: PatchTaskInstanceBody, response: TaskInstanceCollectionResponse,
  run: (call) => carryOut(patchOf(call, call.query.map_index)),
});

/** Airflow's `patch_task_instance_by_map_index`. */
export const patchTaskInstanceByMapIndex = operation({
  params: MAPPED_PARAMS, query: MASK_QUERY, body: PatchTaskInstanceBody, response: TaskInstanceCollectionResponse,
  run: (call) => carryOut(patchOf(call, call.params.map_index)),
});

/** Airflow's `patch_task_instance_dry_run`: what would be marked. */
export const patchTaskInstanceDryRun = operation({
  params: INSTANCE_PARAMS, query: INDEX_AND_MASK_QUERY, body: PatchTaskInstanceBody, response: TaskInstanceCollectionResponse,
  run: (call) => answerDryRun(patchOf(call, call.query.map_index)),
});

/** Airflow's `patch_task_instance_dry_run_by_map_index`. */
export const patchTaskInstanceDryRunByMapIndex = operation({
  params: MAPPED_PARAMS, query: MASK_QUERY, body: PatchTaskInstanceBody, response: TaskInstanceCollectionResponse,
  run: (call) => answerDryRun(patchOf(call, call.params.map_index)),
});

const STATES = ['success', 'failed', 'skipped'] as const;

function stateOf(body: PatchTaskInstanceBody): (typeof STATES)[number] | null {
  return STATES.find((state) => state === body.new_state) ?? null;
}

function refuseState(call: PatchCall): void {
  if (!call.bodyKeys.has('new_state') || stateOf(call.body) !== null) return;
  const msg = call.body.new_state === null ? "'new_state' should not be empty" : `'${call.body.new_state}' is not one of ['success', 'failed', 'skipped']`;
  throw invalid([{ type: 'value_error', loc: ['body', 'new_state'], msg: `Value error, ${msg}`, input: call.body.new_state, ctx: { error: {} } }]);
}

/** The instances that the path names. Throws Airflow's 404s. */
async function targets(patch: Patch): Promise<readonly InstanceListRow[]> {
  const { database } = patch.services;
  const { dag_id: dagId, dag_run_id: runId, task_id: taskId } = patch.path;
  const { spec } = await getDagWithSpec(database, dagId);
  if (!spec.tasks.some((task) => task.task_id === taskId)) throw notFound(`Task '${taskId}' not found in DAG '${dagId}'`);
  const filter = { ...ANY_INSTANCE, dagIds: [dagId], runIds: [runId], taskIds: [taskId], mapIndexes: patch.mapIndex === null ? null : [patch.mapIndex] };
  const rows: InstanceListRow[] = [];
  for (let offset = 0; ; offset += 100) {
    const page = await listInstances(database, filter, { limit: 100, offset, orderBy: ['map_index'] });
    rows.push(...page.rows);
    if (rows.length >= page.total || page.rows.length === 0) break;
  }
  if (rows.length === 0) throw notFound(`The Task Instance with dag_id: \`${dagId}\`, run_id: \`${runId}\`, task_id: \`${taskId}\` and map_index: \`${patch.mapIndex ?? 'None'}\` was not found`);
  return rows;
}

async function carryOut(patch: Patch): Promise<Answer> {
  const rows = await targets(patch);
  const { database } = patch.services;
  const state = stateOf(patch.body);
  if (patch.fields.has('new_state') && state !== null) {
    const plan = await planMark(database, { path: patch.path, mapIndex: patch.mapIndex, state, body: patch.body });
    if (plan.mark.length === 0) throw conflict(`Task id ${patch.path.task_id} is already in ${state} state`);
    await applyAction(database, { ...NO_ACTION, mark: plan.mark, clear: plan.clear, by: patch.person.name });
  }
  if (patch.fields.has('note') && (patch.isMasked || patch.body.note !== null)) await setInstanceNotes(database, rows, patch.body.note);
  return json(await renderSelected(database, rows));
}

async function answerDryRun(patch: Patch): Promise<Answer> {
  const rows = await targets(patch);
  const state = stateOf(patch.body);
  if (!patch.fields.has('new_state') || state === null) return json(await renderInstances(patch.services.database, rows, rows.length));
  const plan = await planMark(patch.services.database, { path: patch.path, mapIndex: patch.mapIndex, state, body: patch.body });
  return json(await renderSelected(patch.services.database, plan.mark));
}
