// What tasks ask about task instances: their own, those of other runs and DAGs.
import { type Static, Type as T } from '@sinclair/typebox';
import { AwareInstant, many, optional, Uuid, words } from '#contract/airflow/fields.ts';
import { TASK_STATES } from '#contract/states.ts';
import { tasksInGroup } from '#core/tasks-in-group.ts';
import { listConflicting } from '#store/asset-reads.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findDag } from '#store/dags.ts';
import { countTaskInstances, findEarlierInstance, findFirstReschedule, type InstancesOfDag, listBreadcrumbs, listTaskStates } from '#store/execution-instances.ts';
import { findRunBefore, findTaskRun } from '#store/execution-runs.ts';
import { durationSeconds, renderInstantOrNull } from '../instants.ts';
import { type ExecutionServices, executionOperation, value } from './execution-call.ts';
import { missing } from './refusals.ts';
import { InactiveAssetsResponse, PreviousTIResponse, PrevSuccessfulDagRunResponse, TaskBreadcrumbsResponse, TaskStatesResponse } from './response-models.ts';
import { TI_PARAMS } from './ti-params.ts';

const NO_DATES = { data_interval_start: null, data_interval_end: null, start_date: null, end_date: null };

/** Airflow's `get_previous_successful_dagrun`. */
export const getPreviousSuccessfulDagrun = executionOperation({
  params: TI_PARAMS, response: PrevSuccessfulDagRunResponse,
  async run({ caller, services: { database } }) {
    const own = await findTaskRun(database, caller.run);
    if (own === null || own.logicalDate === null) return value(NO_DATES);
    const before = await findRunBefore(database, { dagId: own.dagId, logicalDate: own.logicalDate.toISOString(), state: 'success' });
    if (before === null) return value(NO_DATES);
    return value({
      data_interval_start: renderInstantOrNull(before.intervalStart), data_interval_end: renderInstantOrNull(before.intervalEnd), start_date: renderInstantOrNull(before.startDate),
      end_date: renderInstantOrNull(before.endDate),
    });
  },
});

/** Airflow's `validate_inlets_and_outlets`. An asset that the task's own version declares is inactive only when an older one stands in its way. */
export const validateInletsAndOutlets = executionOperation({
  params: TI_PARAMS, response: InactiveAssetsResponse,
  async run({ caller, services: { database } }) {
    const task = (await findKeptSpec(database, caller.versionId))?.tasks.find((each) => each.task_id === caller.taskId);
    const assets = [...(task?.inlets ?? []), ...(task?.outlets ?? [])].flatMap(({ name, uri, alias }) => (alias === true || name === undefined || uri === undefined ? [] : [{ name, uri }]));
    const inactive = assets.length === 0 ? [] : await listConflicting(database, assets);
    return value({ inactive_assets: inactive.map(({ name, uri }) => ({ name, uri, type: 'Asset' })) });
  },
});

const FILTER = {
  dag_id: T.String(), map_index: optional(T.Integer()), task_ids: many(T.String()), task_group_id: optional(T.String()), logical_dates: many(AwareInstant), run_ids: many(T.String()),
} as const;
const FILTER_QUERY = T.Object(FILTER);

/** Airflow's `get_task_instance_count`. */
export const getTaskInstanceCount = executionOperation({
  query: T.Object({ ...FILTER, states: many(T.String()) }), response: T.Integer(),
  async run({ query, services }) {
    const states = query.states.map((state) => (state === 'null' ? null : state));
    const filter = { ...filterOf(query), states };
    const group = await tasksOfGroup(services, query);
    if (group === null) return value(await countTaskInstances(services.database, filter));
    const wanted = query.task_ids.length === 0 ? group : group.filter((id) => query.task_ids.includes(id));
    return value(wanted.length === 0 ? 0 : await countTaskInstances(services.database, { ...filter, taskIds: wanted }));
  },
});

/** Airflow's `get_task_instance_states`. Tasks of a group come beside the tasks that are named. */
export const getTaskInstanceStates = executionOperation({
  query: FILTER_QUERY, response: TaskStatesResponse,
  async run({ query, services }) {
    const group = await tasksOfGroup(services, query);
    const taskIds = [...query.task_ids, ...(group ?? [])];
    const rows = group?.length === 0 && taskIds.length === 0 ? [] : await listTaskStates(services.database, { ...filterOf(query), taskIds });
    const states: Record<string, Record<string, string | null>> = {};
    for (const row of rows) {
      const ofRun = (states[row.runId] ??= {});
      ofRun[row.mapIndex < 0 ? row.taskId : `${row.taskId}_${row.mapIndex}`] = row.state;
    }
    return value({ task_states: states });
  },
});

function filterOf(query: Static<typeof FILTER_QUERY>): InstancesOfDag {
  return { dagId: query.dag_id, logicalDates: query.logical_dates, runIds: query.run_ids, taskIds: query.task_ids, mapIndex: query.map_index, states: [] };
}

/** Ids of the tasks of the group asked for, null when none is. Throws Airflow's 404s. */
async function tasksOfGroup({ database }: ExecutionServices, query: { readonly dag_id: string; readonly task_group_id: string | null }): Promise<string[] | null> {
  if (query.task_group_id === null || query.task_group_id === '') return null;
  const dag = await findDag(database, query.dag_id);
  const spec = dag === null ? null : await findKeptSpec(database, dag.versionId);
  if (spec === null) throw missing(`The Dag with ID: \`${query.dag_id}\` was not found`);
  const tasks = tasksInGroup(spec, query.task_group_id);
  if (tasks === null) throw missing(`Task group ${query.task_group_id} not found in DAG ${query.dag_id}`);
  return tasks;
}

/** Airflow's `get_previous_task_instance`. */
export const getPreviousTaskInstance = executionOperation({
  params: T.Object({ dag_id: T.String(), task_id: T.String() }), response: T.Union([PreviousTIResponse, T.Null()]),
  query: T.Object({ logical_date: optional(AwareInstant), map_index: T.Integer({ default: -1 }), state: optional(words(TASK_STATES)) }),
  async run({ params, query, services }) {
    const row = await findEarlierInstance(services.database, { dagId: params.dag_id, taskId: params.task_id, mapIndex: query.map_index, logicalDate: query.logical_date, state: query.state });
    return value(row === null ? null : {
      task_id: row.taskId, dag_id: params.dag_id, run_id: row.runId, logical_date: renderInstantOrNull(row.logicalDate), start_date: renderInstantOrNull(row.startDate),
      end_date: renderInstantOrNull(row.endDate), state: row.state, try_number: row.tryNumber, map_index: row.mapIndex, duration: durationSeconds(row.startDate, row.endDate),
    });
  },
});

/** Airflow's `get_task_instance_breadcrumbs`. */
export const getTaskInstanceBreadcrumbs = executionOperation({
  query: T.Object({ dag_id: T.String(), run_id: T.String() }), response: TaskBreadcrumbsResponse,
  async run({ query, services }) {
    const rows = await listBreadcrumbs(services.database, query.dag_id, query.run_id);
    return value({ breadcrumbs: rows.map((row) => ({ task_id: row.taskId, map_index: row.mapIndex, state: row.state, operator: row.operator, duration: durationSeconds(row.startDate, row.endDate) })) });
  },
});

/** Airflow's `get_start_date`: of the first reschedule. The Task SDK sends a try number, which nobody reads: the id names the try. */
export const getStartDate = executionOperation({
  params: T.Object({ task_instance_id: Uuid }), response: T.Union([T.String({ format: 'date-time' }), T.Null()]),
  run: async ({ params, services }) => value(renderInstantOrNull(await findFirstReschedule(services.database, params.task_instance_id))),
});
