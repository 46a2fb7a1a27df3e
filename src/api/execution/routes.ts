// THE table of the Task Execution API: Airflow 3.2.1's 39 operations at version 2026-04-06, and one that only older versions have. The first path that fits wins.
import { getAssetByName, getAssetByUri, getAssetEventByAssetAlias, getAssetEventByAssetNameUri } from './assets.ts';
import { clearDagRun, getDag, getDagRun, getDagrunState, getDrCount, getPreviousDagrun, getPreviousDagrunCompat, triggerDagRun } from './dag-runs.ts';
import type { ExecutionRoute } from './execution-call.ts';
import { health, ping } from './health.ts';
import { getHitlDetail, updateHitlDetail, upsertHitlDetail } from './hitl.ts';
import { tiRun } from './run-context.ts';
import { deleteVariable, getConnection, getVariable, putVariable } from './secret-reads.ts';
import { putRtif, tiHeartbeat, tiPatchRenderedMapIndex, tiSkipDownstream, tiUpdateState } from './task-effects.ts';
import {
  getPreviousSuccessfulDagrun, getPreviousTaskInstance, getStartDate, getTaskInstanceBreadcrumbs, getTaskInstanceCount, getTaskInstanceStates, validateInletsAndOutlets,
} from './task-reads.ts';
import { deleteXcom, getMappedXcomByIndex, getMappedXcomBySlice, getXcom, headXcom, setXcom } from './xcoms.ts';

const TI = '/task-instances/{task_instance_id}';
const RUN = '/dag-runs/{dag_id}/{run_id}';
const XCOM = '/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}';
const VARIABLE = '/variables/{variable_key:path}';
const HITL = '/hitlDetails/{task_instance_id}';

/** All operations. */
export const EXECUTION_ROUTES: readonly ExecutionRoute[] = [
  { id: 'health', tag: 'Health', method: 'GET', path: '/health', access: 'none', summary: 'Whether the API is there.', operation: health },
  { id: 'ping', tag: 'Health', method: 'GET', path: '/health/ping', access: 'none', summary: 'Whether what the API needs answers.', operation: ping },
  { id: 'get_asset_by_name', tag: 'Assets', method: 'GET', path: '/assets/by-name', access: 'token', summary: 'An asset by its name.', operation: getAssetByName },
  { id: 'get_asset_by_uri', tag: 'Assets', method: 'GET', path: '/assets/by-uri', access: 'token', summary: 'An asset by its URI.', operation: getAssetByUri },
  { id: 'get_asset_event_by_asset_name_uri', tag: 'Asset Events', method: 'GET', path: '/asset-events/by-asset', access: 'token', summary: 'Events of an asset.', operation: getAssetEventByAssetNameUri },
  { id: 'get_asset_event_by_asset_alias', tag: 'Asset Events', method: 'GET', path: '/asset-events/by-asset-alias', access: 'token', summary: 'Events that came through an alias.', operation: getAssetEventByAssetAlias },
  { id: 'get_connection', tag: 'Connections', method: 'GET', path: '/connections/{connection_id}', access: 'token', summary: 'A connection, unmasked.', operation: getConnection },
  { id: 'get_dr_count', tag: 'Dag Runs', method: 'GET', path: '/dag-runs/count', access: 'token', summary: 'How many runs match.', operation: getDrCount },
  { id: 'get_previous_dagrun', tag: 'Dag Runs', method: 'GET', path: '/dag-runs/previous', access: 'token', summary: 'The run before a logical date.', since: '2026-04-06', operation: getPreviousDagrun },
  { id: 'get_previous_dagrun_compat', tag: 'Dag Runs', method: 'GET', path: '/dag-runs/{dag_id}/previous', access: 'token', summary: 'The run before a logical date.', until: '2025-11-05', operation: getPreviousDagrunCompat },
  { id: 'get_dag_run', tag: 'Dag Runs', method: 'GET', path: RUN, access: 'token', summary: 'A run.', since: '2026-04-06', operation: getDagRun },
  { id: 'trigger_dag_run', tag: 'Dag Runs', method: 'POST', path: RUN, access: 'token', summary: 'Starts a run.', operation: triggerDagRun },
  { id: 'clear_dag_run', tag: 'Dag Runs', method: 'POST', path: `${RUN}/clear`, access: 'token', summary: 'Clears a run.', operation: clearDagRun },
  { id: 'get_dagrun_state', tag: 'Dag Runs', method: 'GET', path: `${RUN}/state`, access: 'token', summary: 'The state of a run.', operation: getDagrunState },
  { id: 'get_dag', tag: 'Dags', method: 'GET', path: '/dags/{dag_id}', access: 'token', summary: 'A DAG.', since: '2026-04-06', operation: getDag },
  { id: 'get_task_instance_count', tag: 'Task Instances', method: 'GET', path: '/task-instances/count', access: 'token', summary: 'How many task instances match.', operation: getTaskInstanceCount },
  { id: 'get_task_instance_states', tag: 'Task Instances', method: 'GET', path: '/task-instances/states', access: 'token', summary: 'States of task instances by run.', operation: getTaskInstanceStates },
  { id: 'get_task_instance_breadcrumbs', tag: 'Task Instances', method: 'GET', path: '/task-instances/breadcrumbs', access: 'token', summary: 'The finished task instances of a run.', operation: getTaskInstanceBreadcrumbs },
  { id: 'get_previous_task_instance', tag: 'Task Instances', method: 'GET', path: '/task-instances/previous/{dag_id}/{task_id}', access: 'token', summary: 'A task’s instance in an earlier run.', operation: getPreviousTaskInstance },
  { id: 'ti_run', tag: 'Task Instances', method: 'PATCH', path: `${TI}/run`, access: 'execution', summary: 'A process begins to run a task instance.', operation: tiRun },
  { id: 'ti_update_state', tag: 'Task Instances', method: 'PATCH', path: `${TI}/state`, access: 'execution', summary: 'A task instance ends, defers or waits.', operation: tiUpdateState },
  { id: 'ti_skip_downstream', tag: 'Task Instances', method: 'PATCH', path: `${TI}/skip-downstream`, access: 'execution', summary: 'Skips task instances of the same run.', operation: tiSkipDownstream },
  { id: 'ti_heartbeat', tag: 'Task Instances', method: 'PUT', path: `${TI}/heartbeat`, access: 'execution', summary: 'A process is alive.', operation: tiHeartbeat },
  { id: 'put_rtif', tag: 'Task Instances', method: 'PUT', path: `${TI}/rtif`, access: 'execution', summary: 'Rendered template fields.', operation: putRtif },
  { id: 'ti_patch_rendered_map_index', tag: 'Task Instances', method: 'PATCH', path: `${TI}/rendered-map-index`, access: 'execution', summary: 'The name of a map index for people.', operation: tiPatchRenderedMapIndex },
  { id: 'get_previous_successful_dagrun', tag: 'Task Instances', method: 'GET', path: `${TI}/previous-successful-dagrun`, access: 'self', summary: 'Dates of the last successful run before.', operation: getPreviousSuccessfulDagrun },
  { id: 'validate_inlets_and_outlets', tag: 'Task Instances', method: 'GET', path: `${TI}/validate-inlets-and-outlets`, access: 'self', summary: 'Inactive assets among inlets and outlets.', operation: validateInletsAndOutlets },
  { id: 'get_start_date', tag: 'Task Reschedules', method: 'GET', path: '/task-reschedules/{task_instance_id}/start_date', access: 'token', summary: 'When the first reschedule began.', operation: getStartDate },
  { id: 'get_variable', tag: 'Variables', method: 'GET', path: VARIABLE, access: 'token', summary: 'A variable.', operation: getVariable },
  { id: 'put_variable', tag: 'Variables', method: 'PUT', path: VARIABLE, access: 'token', summary: 'Sets a variable.', operation: putVariable },
  { id: 'delete_variable', tag: 'Variables', method: 'DELETE', path: VARIABLE, access: 'token', summary: 'Deletes a variable.', operation: deleteVariable },
  { id: 'get_mapped_xcom_by_index', tag: 'XComs', method: 'GET', path: `${XCOM}/item/{offset}`, access: 'token', summary: 'One value of a mapped task.', operation: getMappedXcomByIndex },
  { id: 'get_mapped_xcom_by_slice', tag: 'XComs', method: 'GET', path: `${XCOM}/slice`, access: 'token', summary: 'A slice of the values of a mapped task.', operation: getMappedXcomBySlice },
  { id: 'head_xcom', tag: 'XComs', method: 'HEAD', path: XCOM, access: 'token', summary: 'How many values a mapped task has.', operation: headXcom },
  { id: 'get_xcom', tag: 'XComs', method: 'GET', path: XCOM, access: 'token', summary: 'A value.', operation: getXcom },
  { id: 'set_xcom', tag: 'XComs', method: 'POST', path: XCOM, access: 'token', summary: 'Pushes a value.', operation: setXcom },
  { id: 'delete_xcom', tag: 'XComs', method: 'DELETE', path: XCOM, access: 'token', summary: 'Deletes a value.', operation: deleteXcom },
  { id: 'upsert_hitl_detail', tag: 'Human in the Loop', method: 'POST', path: HITL, access: 'self', summary: 'Asks people.', operation: upsertHitlDetail },
  { id: 'update_hitl_detail', tag: 'Human in the Loop', method: 'PATCH', path: HITL, access: 'self', summary: 'Answers for people.', operation: updateHitlDetail },
  { id: 'get_hitl_detail', tag: 'Human in the Loop', method: 'GET', path: HITL, access: 'self', summary: 'What people have answered.', operation: getHitlDetail },
];
