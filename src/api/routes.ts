// THE table of operations: every one of Airflow's stable API, then our own. One without an operation answers 501 and is not in our document.
import type { Access } from './auth/roles.ts';
import type { Operation } from './operation.ts';
import { bulkConnections, deleteConnection, patchConnection, postConnection, testConnection } from './v2/connections/change-connections.ts';
import { getConnection, getConnections } from './v2/connections/get-connections.ts';
import { clearDagRun } from './v2/dag-runs/clear-dag-run.ts';
import { deleteDagRun } from './v2/dag-runs/delete-dag-run.ts';
import { getDagRun } from './v2/dag-runs/get-dag-run.ts';
import { getDagRuns } from './v2/dag-runs/get-dag-runs.ts';
import { getListDagRunsBatch } from './v2/dag-runs/get-list-dag-runs-batch.ts';
import { patchDagRun } from './v2/dag-runs/patch-dag-run.ts';
import { triggerDagRun } from './v2/dag-runs/trigger-dag-run.ts';
import { waitDagRunUntilFinished } from './v2/dag-runs/wait-dag-run-until-finished.ts';
import { getDagSource } from './v2/dag-sources/get-dag-source.ts';
import { createDagVersion } from './v2/dag-versions/create-dag-version.ts';
import { getDagVersion } from './v2/dag-versions/get-dag-version.ts';
import { getDagVersions } from './v2/dag-versions/get-dag-versions.ts';
import { deleteDag } from './v2/dags/delete-dag.ts';
import { getDag } from './v2/dags/get-dag.ts';
import { getDagDetails } from './v2/dags/get-dag-details.ts';
import { getDagStats } from './v2/dags/get-dag-stats.ts';
import { getDagTags } from './v2/dags/get-dag-tags.ts';
import { getDags } from './v2/dags/get-dags.ts';
import { listDagWarnings } from './v2/dags/list-dag-warnings.ts';
import { patchDag } from './v2/dags/patch-dag.ts';
import { patchDags } from './v2/dags/patch-dags.ts';
import { getEventLog, getEventLogs } from './v2/event-logs/get-event-logs.ts';
import { getHitlDetail, getHitlDetails, getHitlDetailTryDetail } from './v2/hitl-details/get-hitl-details.ts';
import { updateHitlDetail } from './v2/hitl-details/update-hitl-detail.ts';
import { getImportError, getImportErrors } from './v2/import-errors/get-import-errors.ts';
import { getHealth } from './v2/monitor/get-health.ts';
import { getVersion } from './v2/monitor/get-version.ts';
import { deletePool, patchPool, postPool } from './v2/pools/change-pools.ts';
import { getPool, getPools } from './v2/pools/get-pools.ts';
import { explainTaskInstance } from './v2/task-instances/explain-task-instance.ts';
import { getLog } from './v2/task-instances/get-log.ts';
import { getMappedTaskInstances } from './v2/task-instances/get-mapped-task-instances.ts';
import { getMappedTaskInstance, getTaskInstance } from './v2/task-instances/get-task-instance.ts';
import { getTaskInstanceDependencies, getTaskInstanceDependenciesByMapIndex } from './v2/task-instances/get-task-instance-dependencies.ts';
import { getMappedTaskInstanceTries, getMappedTaskInstanceTryDetails, getTaskInstanceTries, getTaskInstanceTryDetails } from './v2/task-instances/get-task-instance-tries.ts';
import { getTaskInstances } from './v2/task-instances/get-task-instances.ts';
import { getTaskInstancesBatch } from './v2/task-instances/get-task-instances-batch.ts';
import { patchTaskInstance, patchTaskInstanceByMapIndex, patchTaskInstanceDryRun, patchTaskInstanceDryRunByMapIndex } from './v2/task-instances/patch-task-instance.ts';
import { postClearTaskInstances } from './v2/task-instances/post-clear-task-instances.ts';
import { getTask, getTasks } from './v2/tasks/get-tasks.ts';
import { bulkVariables, deleteVariable, patchVariable, postVariable } from './v2/variables/change-variables.ts';
import { getVariable, getVariables } from './v2/variables/get-variables.ts';
import { getXcomEntries } from './v2/xcom-entries/get-xcom-entries.ts';
import { getXcomEntry } from './v2/xcom-entries/get-xcom-entry.ts';

/** One operation of the API. */
export interface Route {
  /** Airflow's operationId. */
  readonly id: string;
  readonly tag: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v2, parameters in braces. */
  readonly path: string;
  readonly access: Access;
  /** Writes an audit row when it succeeds. */
  readonly audit: boolean;
  /** Absent: not part of this version yet. */
  readonly operation?: Operation;
  /** `push`: bodies up to LEOFLOW_MAX_PUSH_BYTES. */
  readonly maxBody?: 'push';
}

const RUNS = '/dags/{dag_id}/dagRuns';
const RUN = `${RUNS}/{dag_run_id}`;
const INSTANCES = `${RUN}/taskInstances`;
const INSTANCE = `${INSTANCES}/{task_id}`;
const MAPPED = `${INSTANCE}/{map_index}`;

/** Airflow's 110 operations in its document's order of topics. */
export const AIRFLOW_ROUTES: readonly Route[] = [
  { id: 'get_assets', tag: 'Assets', method: 'GET', path: '/assets', access: 'asset:GET+asset_alias:GET', audit: false },
  { id: 'get_asset_aliases', tag: 'Assets', method: 'GET', path: '/assets/aliases', access: 'asset_alias:GET', audit: false },
  { id: 'get_asset_alias', tag: 'Assets', method: 'GET', path: '/assets/aliases/{asset_alias_id}', access: 'asset_alias:GET', audit: false },
  { id: 'get_asset_events', tag: 'Assets', method: 'GET', path: '/assets/events', access: 'asset:GET', audit: false },
  { id: 'create_asset_event', tag: 'Assets', method: 'POST', path: '/assets/events', access: 'asset:POST', audit: true },
  { id: 'get_asset', tag: 'Assets', method: 'GET', path: '/assets/{asset_id}', access: 'asset:GET+asset_alias:GET', audit: false },
  { id: 'materialize_asset', tag: 'Assets', method: 'POST', path: '/assets/{asset_id}/materialize', access: 'asset:POST', audit: true },
  { id: 'delete_asset_queued_events', tag: 'Assets', method: 'DELETE', path: '/assets/{asset_id}/queuedEvents', access: 'asset:DELETE+dag:GET', audit: true },
  { id: 'get_asset_queued_events', tag: 'Assets', method: 'GET', path: '/assets/{asset_id}/queuedEvents', access: 'asset:GET', audit: false },
  { id: 'delete_dag_asset_queued_events', tag: 'Assets', method: 'DELETE', path: '/dags/{dag_id}/assets/queuedEvents', access: 'asset:DELETE+dag:GET', audit: true },
  { id: 'get_dag_asset_queued_events', tag: 'Assets', method: 'GET', path: '/dags/{dag_id}/assets/queuedEvents', access: 'asset:GET+dag:GET', audit: false },
  { id: 'delete_dag_asset_queued_event', tag: 'Assets', method: 'DELETE', path: '/dags/{dag_id}/assets/{asset_id}/queuedEvents', access: 'asset:DELETE+dag:GET', audit: true },
  { id: 'get_dag_asset_queued_event', tag: 'Assets', method: 'GET', path: '/dags/{dag_id}/assets/{asset_id}/queuedEvents', access: 'asset:GET+dag:GET', audit: false },
  { id: 'login', tag: 'Auth redirects', method: 'GET', path: '/auth/login', access: 'none', audit: false },
  { id: 'logout', tag: 'Auth redirects', method: 'GET', path: '/auth/logout', access: 'none', audit: false },
  { id: 'list_backfills', tag: 'Backfills', method: 'GET', path: '/backfills', access: 'backfill:GET', audit: false },
  { id: 'create_backfill', tag: 'Backfills', method: 'POST', path: '/backfills', access: 'backfill:POST', audit: true },
  { id: 'create_backfill_dry_run', tag: 'Backfills', method: 'POST', path: '/backfills/dry_run', access: 'backfill:POST', audit: false },
  { id: 'get_backfill', tag: 'Backfills', method: 'GET', path: '/backfills/{backfill_id}', access: 'backfill:GET', audit: false },
  { id: 'cancel_backfill', tag: 'Backfills', method: 'PUT', path: '/backfills/{backfill_id}/cancel', access: 'backfill:PUT', audit: true },
  { id: 'pause_backfill', tag: 'Backfills', method: 'PUT', path: '/backfills/{backfill_id}/pause', access: 'backfill:PUT', audit: true },
  { id: 'unpause_backfill', tag: 'Backfills', method: 'PUT', path: '/backfills/{backfill_id}/unpause', access: 'backfill:PUT', audit: true },
  { id: 'get_config', tag: 'Configuration', method: 'GET', path: '/config', access: 'configuration:GET', audit: false },
  { id: 'get_config_value', tag: 'Configuration', method: 'GET', path: '/config/section/{section}/option/{option}', access: 'configuration:GET', audit: false },
  { id: 'get_connections', tag: 'Connections', method: 'GET', path: '/connections', access: 'connection:GET', audit: false, operation: getConnections },
  { id: 'bulk_connections', tag: 'Connections', method: 'PATCH', path: '/connections', access: 'connection_bulk', audit: true, operation: bulkConnections },
  { id: 'post_connection', tag: 'Connections', method: 'POST', path: '/connections', access: 'connection:POST', audit: true, operation: postConnection },
  { id: 'create_default_connections', tag: 'Connections', method: 'POST', path: '/connections/defaults', access: 'connection:POST', audit: true },
  { id: 'test_connection', tag: 'Connections', method: 'POST', path: '/connections/test', access: 'connection:POST', audit: false, operation: testConnection },
  { id: 'delete_connection', tag: 'Connections', method: 'DELETE', path: '/connections/{connection_id}', access: 'connection:DELETE', audit: true, operation: deleteConnection },
  { id: 'get_connection', tag: 'Connections', method: 'GET', path: '/connections/{connection_id}', access: 'connection:GET', audit: false, operation: getConnection },
  { id: 'patch_connection', tag: 'Connections', method: 'PATCH', path: '/connections/{connection_id}', access: 'connection:PUT', audit: true, operation: patchConnection },
  { id: 'get_dag_source', tag: 'DAG source', method: 'GET', path: '/dagSources/{dag_id}', access: 'dag.CODE:GET', audit: false, operation: getDagSource },
  { id: 'get_dag_stats', tag: 'DAG stats', method: 'GET', path: '/dagStats', access: 'dag.RUN:GET', audit: false, operation: getDagStats },
  { id: 'get_dag_tags', tag: 'DAGs and tags', method: 'GET', path: '/dagTags', access: 'dag:GET', audit: false, operation: getDagTags },
  { id: 'get_dags', tag: 'DAGs and tags', method: 'GET', path: '/dags', access: 'dag:GET', audit: false, operation: getDags },
  { id: 'patch_dags', tag: 'DAGs and tags', method: 'PATCH', path: '/dags', access: 'dag:PUT', audit: true, operation: patchDags },
  { id: 'delete_dag', tag: 'DAGs and tags', method: 'DELETE', path: '/dags/{dag_id}', access: 'dag:DELETE', audit: true, operation: deleteDag },
  { id: 'get_dag', tag: 'DAGs and tags', method: 'GET', path: '/dags/{dag_id}', access: 'dag:GET', audit: false, operation: getDag },
  { id: 'patch_dag', tag: 'DAGs and tags', method: 'PATCH', path: '/dags/{dag_id}', access: 'dag:PUT', audit: true, operation: patchDag },
  { id: 'get_dag_details', tag: 'DAGs and tags', method: 'GET', path: '/dags/{dag_id}/details', access: 'dag:GET', audit: false, operation: getDagDetails },
  { id: 'favorite_dag', tag: 'DAGs and tags', method: 'POST', path: '/dags/{dag_id}/favorite', access: 'dag:GET', audit: true },
  { id: 'unfavorite_dag', tag: 'DAGs and tags', method: 'POST', path: '/dags/{dag_id}/unfavorite', access: 'dag:GET', audit: true },
  { id: 'list_dag_warnings', tag: 'DAG warnings', method: 'GET', path: '/dagWarnings', access: 'dag.WARNING:GET', audit: false, operation: listDagWarnings },
  { id: 'post_clear_task_instances', tag: 'Task instances', method: 'POST', path: '/dags/{dag_id}/clearTaskInstances', access: 'dag.TASK_INSTANCE:PUT', audit: true, operation: postClearTaskInstances },
  { id: 'get_hitl_details', tag: 'Task instances', method: 'GET', path: `${RUN}/hitlDetails`, access: 'dag.HITL_DETAIL:GET', audit: false, operation: getHitlDetails },
  { id: 'get_task_instances', tag: 'Task instances', method: 'GET', path: INSTANCES, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstances },
  { id: 'bulk_task_instances', tag: 'Task instances', method: 'PATCH', path: INSTANCES, access: 'dag.TASK_INSTANCE:PUT', audit: false },
  { id: 'get_task_instances_batch', tag: 'Task instances', method: 'POST', path: `${INSTANCES}/list`, access: 'dag.TASK_INSTANCE:GET', audit: true, operation: getTaskInstancesBatch },
  { id: 'delete_task_instance', tag: 'Task instances', method: 'DELETE', path: INSTANCE, access: 'dag.TASK_INSTANCE:DELETE', audit: false },
  { id: 'get_task_instance', tag: 'Task instances', method: 'GET', path: INSTANCE, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstance },
  { id: 'patch_task_instance', tag: 'Task instances', method: 'PATCH', path: INSTANCE, access: 'dag.TASK_INSTANCE:PUT', audit: true, operation: patchTaskInstance },
  { id: 'get_task_instance_dependencies', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/dependencies`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstanceDependencies },
  { id: 'patch_task_instance_dry_run', tag: 'Task instances', method: 'PATCH', path: `${INSTANCE}/dry_run`, access: 'dag.TASK_INSTANCE:PUT', audit: false, operation: patchTaskInstanceDryRun },
  { id: 'get_external_log_url', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/externalLogUrl/{try_number}`, access: 'dag.TASK_LOGS:GET', audit: false },
  { id: 'get_mapped_task_instances', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/listMapped`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getMappedTaskInstances },
  { id: 'get_log', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/logs/{try_number}`, access: 'dag.TASK_LOGS:GET', audit: false, operation: getLog },
  { id: 'get_task_instance_tries', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/tries`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstanceTries },
  { id: 'get_task_instance_try_details', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/tries/{task_try_number}`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstanceTryDetails },
  { id: 'get_mapped_task_instance', tag: 'Task instances', method: 'GET', path: MAPPED, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getMappedTaskInstance },
  { id: 'patch_task_instance_by_map_index', tag: 'Task instances', method: 'PATCH', path: MAPPED, access: 'dag.TASK_INSTANCE:PUT', audit: true, operation: patchTaskInstanceByMapIndex },
  { id: 'get_task_instance_dependencies_by_map_index', tag: 'Task instances', method: 'GET', path: `${MAPPED}/dependencies`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getTaskInstanceDependenciesByMapIndex },
  { id: 'patch_task_instance_dry_run_by_map_index', tag: 'Task instances', method: 'PATCH', path: `${MAPPED}/dry_run`, access: 'dag.TASK_INSTANCE:PUT', audit: false, operation: patchTaskInstanceDryRunByMapIndex },
  { id: 'get_hitl_detail', tag: 'Task instances', method: 'GET', path: `${MAPPED}/hitlDetails`, access: 'dag.HITL_DETAIL:GET', audit: false, operation: getHitlDetail },
  { id: 'update_hitl_detail', tag: 'Task instances', method: 'PATCH', path: `${MAPPED}/hitlDetails`, access: 'dag.HITL_DETAIL:PUT', audit: true, operation: updateHitlDetail },
  { id: 'get_hitl_detail_try_detail', tag: 'Task instances', method: 'GET', path: `${MAPPED}/hitlDetails/tries/{try_number}`, access: 'dag.HITL_DETAIL:GET', audit: false, operation: getHitlDetailTryDetail },
  { id: 'get_mapped_task_instance_tries', tag: 'Task instances', method: 'GET', path: `${MAPPED}/tries`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getMappedTaskInstanceTries },
  { id: 'get_mapped_task_instance_try_details', tag: 'Task instances', method: 'GET', path: `${MAPPED}/tries/{task_try_number}`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: getMappedTaskInstanceTryDetails },
  { id: 'get_dag_runs', tag: 'DAG runs', method: 'GET', path: RUNS, access: 'dag.RUN:GET', audit: false, operation: getDagRuns },
  { id: 'trigger_dag_run', tag: 'DAG runs', method: 'POST', path: RUNS, access: 'dag.RUN:POST', audit: true, operation: triggerDagRun },
  { id: 'get_list_dag_runs_batch', tag: 'DAG runs', method: 'POST', path: `${RUNS}/list`, access: 'dag.RUN:GET', audit: false, operation: getListDagRunsBatch },
  { id: 'delete_dag_run', tag: 'DAG runs', method: 'DELETE', path: RUN, access: 'dag.RUN:DELETE', audit: true, operation: deleteDagRun },
  { id: 'get_dag_run', tag: 'DAG runs', method: 'GET', path: RUN, access: 'dag.RUN:GET', audit: false, operation: getDagRun },
  { id: 'patch_dag_run', tag: 'DAG runs', method: 'PATCH', path: RUN, access: 'dag.RUN:PUT', audit: true, operation: patchDagRun },
  { id: 'clear_dag_run', tag: 'DAG runs', method: 'POST', path: `${RUN}/clear`, access: 'dag.RUN:PUT', audit: true, operation: clearDagRun },
  { id: 'get_upstream_asset_events', tag: 'DAG runs', method: 'GET', path: `${RUN}/upstreamAssetEvents`, access: 'asset:GET+dag.RUN:GET', audit: false },
  { id: 'wait_dag_run_until_finished', tag: 'DAG runs', method: 'GET', path: `${RUN}/wait`, access: 'dag.RUN:GET', audit: false, operation: waitDagRunUntilFinished },
  { id: 'get_extra_links', tag: 'Extra links', method: 'GET', path: `${INSTANCE}/links`, access: 'dag.TASK_INSTANCE:GET', audit: false },
  { id: 'get_xcom_entries', tag: 'XComs', method: 'GET', path: `${INSTANCE}/xcomEntries`, access: 'dag.XCOM:GET', audit: false, operation: getXcomEntries },
  { id: 'create_xcom_entry', tag: 'XComs', method: 'POST', path: `${INSTANCE}/xcomEntries`, access: 'dag.XCOM:POST', audit: true },
  { id: 'delete_xcom_entry', tag: 'XComs', method: 'DELETE', path: `${INSTANCE}/xcomEntries/{xcom_key}`, access: 'dag.XCOM:DELETE', audit: true },
  { id: 'get_xcom_entry', tag: 'XComs', method: 'GET', path: `${INSTANCE}/xcomEntries/{xcom_key}`, access: 'dag.XCOM:GET', audit: false, operation: getXcomEntry },
  { id: 'update_xcom_entry', tag: 'XComs', method: 'PATCH', path: `${INSTANCE}/xcomEntries/{xcom_key}`, access: 'dag.XCOM:PUT', audit: true },
  { id: 'get_dag_versions', tag: 'DAG versions', method: 'GET', path: '/dags/{dag_id}/dagVersions', access: 'dag.VERSION:GET', audit: false, operation: getDagVersions },
  { id: 'get_dag_version', tag: 'DAG versions', method: 'GET', path: '/dags/{dag_id}/dagVersions/{version_number}', access: 'dag.VERSION:GET', audit: false, operation: getDagVersion },
  { id: 'get_tasks', tag: 'Tasks', method: 'GET', path: '/dags/{dag_id}/tasks', access: 'dag.TASK:GET', audit: false, operation: getTasks },
  { id: 'get_task', tag: 'Tasks', method: 'GET', path: '/dags/{dag_id}/tasks/{task_id}', access: 'dag.TASK:GET', audit: false, operation: getTask },
  { id: 'get_event_logs', tag: 'Audit log', method: 'GET', path: '/eventLogs', access: 'dag.AUDIT_LOG:GET', audit: false, operation: getEventLogs },
  { id: 'get_event_log', tag: 'Audit log', method: 'GET', path: '/eventLogs/{event_log_id}', access: 'dag.AUDIT_LOG:GET', audit: false, operation: getEventLog },
  { id: 'get_import_errors', tag: 'Import errors', method: 'GET', path: '/importErrors', access: 'view.IMPORT_ERRORS', audit: false, operation: getImportErrors },
  { id: 'get_import_error', tag: 'Import errors', method: 'GET', path: '/importErrors/{import_error_id}', access: 'view.IMPORT_ERRORS', audit: false, operation: getImportError },
  { id: 'get_jobs', tag: 'Jobs', method: 'GET', path: '/jobs', access: 'view.JOBS', audit: false },
  { id: 'get_health', tag: 'Monitor', method: 'GET', path: '/monitor/health', access: 'none', audit: false, operation: getHealth },
  { id: 'reparse_dag_file', tag: 'DAG parsing', method: 'PUT', path: '/parseDagFile/{file_token}', access: 'dag:PUT', audit: true },
  { id: 'get_plugins', tag: 'Plugins', method: 'GET', path: '/plugins', access: 'view.PLUGINS', audit: false },
  { id: 'import_errors', tag: 'Plugins', method: 'GET', path: '/plugins/importErrors', access: 'view.PLUGINS', audit: false },
  { id: 'get_pools', tag: 'Pools', method: 'GET', path: '/pools', access: 'pool:GET', audit: false, operation: getPools },
  { id: 'bulk_pools', tag: 'Pools', method: 'PATCH', path: '/pools', access: 'pool_bulk', audit: true },
  { id: 'post_pool', tag: 'Pools', method: 'POST', path: '/pools', access: 'pool:POST', audit: true, operation: postPool },
  { id: 'delete_pool', tag: 'Pools', method: 'DELETE', path: '/pools/{pool_name}', access: 'pool:DELETE', audit: true, operation: deletePool },
  { id: 'get_pool', tag: 'Pools', method: 'GET', path: '/pools/{pool_name}', access: 'pool:GET', audit: false, operation: getPool },
  { id: 'patch_pool', tag: 'Pools', method: 'PATCH', path: '/pools/{pool_name}', access: 'pool:PUT', audit: true, operation: patchPool },
  { id: 'get_providers', tag: 'Providers', method: 'GET', path: '/providers', access: 'view.PROVIDERS', audit: false },
  { id: 'get_variables', tag: 'Variables', method: 'GET', path: '/variables', access: 'variable:GET', audit: false, operation: getVariables },
  { id: 'bulk_variables', tag: 'Variables', method: 'PATCH', path: '/variables', access: 'variable_bulk', audit: true, operation: bulkVariables },
  { id: 'post_variable', tag: 'Variables', method: 'POST', path: '/variables', access: 'variable:POST', audit: true, operation: postVariable },
  { id: 'delete_variable', tag: 'Variables', method: 'DELETE', path: '/variables/{variable_key}', access: 'variable:DELETE', audit: true, operation: deleteVariable },
  { id: 'get_variable', tag: 'Variables', method: 'GET', path: '/variables/{variable_key}', access: 'variable:GET', audit: false, operation: getVariable },
  { id: 'patch_variable', tag: 'Variables', method: 'PATCH', path: '/variables/{variable_key}', access: 'variable:PUT', audit: true, operation: patchVariable },
  { id: 'get_version', tag: 'Version', method: 'GET', path: '/version', access: 'none', audit: false, operation: getVersion },
];

/** Operations that Airflow does not have. */
export const OWN_ROUTES: readonly Route[] = [
  { id: 'explain_task_instance', tag: 'Task instances', method: 'GET', path: `${INSTANCE}/explain`, access: 'dag.TASK_INSTANCE:GET', audit: false, operation: explainTaskInstance },
  { id: 'create_dag_version', tag: 'DAG versions', method: 'POST', path: '/dags/{dag_id}/dagVersions', access: 'version:POST', audit: true, operation: createDagVersion, maxBody: 'push' },
];

/** Everything below /api/v2. */
export const ROUTES: readonly Route[] = [...AIRFLOW_ROUTES, ...OWN_ROUTES];
