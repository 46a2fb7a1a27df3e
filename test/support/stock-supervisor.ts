// Airflow's own `execute_workload`, unmodified, as its executors start it: over TCP, with the Task SDK that LEOFLOW_TEST_STOCK_PYTHON holds.
import { type ChildProcess, spawn } from 'node:child_process';
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { ExecutionServers } from './execution-server.ts';
import { sdkPython } from './task-sdk.ts';

/** How a supervisor ended, and what it and its task printed. */
export interface Ended { readonly code: number | null; readonly out: string }

/** Where one runs: the API, the folder of DAG files with the file, and a folder for everything that is written. */
export interface StockPlace {
  readonly server: Pick<ExecutionServers, 'url'>;
  readonly home: string;
  readonly folder: string;
  readonly dagFile: string;
  /** Instead of the execution's own. */
  readonly token?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of `stockPython`. */
  readonly python?: string;
}

/** The interpreter of stock supervisors; that of all other Task SDK tests unless another is named. */
export function stockPython(): string {
  return process.env['LEOFLOW_TEST_STOCK_PYTHON'] ?? sdkPython();
}

/** The log of an execution's task, in its place's home. */
export function logOf(spec: Pick<ExecutionSpec, 'task_id' | 'map_index' | 'try_number'>): string {
  return `${spec.task_id}${spec.map_index < 0 ? '' : `.${spec.map_index}`}.${spec.try_number}.log`;
}

/** Starts one workload as Airflow's executors give it. */
export function startSupervisor(spec: ExecutionSpec, at: StockPlace): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const workload = {
    type: 'ExecuteTask', token: at.token ?? `${spec.execution_id}.${spec.token}`, dag_rel_path: at.dagFile, bundle_info: { name: 'stock', version: null }, log_path: logOf(spec),
    ti: { id: spec.attempt_id, dag_version_id: spec.version_id, task_id: spec.task_id, dag_id: spec.dag_id, run_id: spec.run.run_id, try_number: spec.try_number, map_index: spec.map_index, pool_slots: 1, queue: 'default', priority_weight: 1 },
  };
  const env = {
    PATH: process.env['PATH'] ?? '', HOME: at.home, AIRFLOW_HOME: at.home, AIRFLOW__CORE__EXECUTION_API_SERVER_URL: at.server.url, AIRFLOW__LOGGING__BASE_LOG_FOLDER: at.home,
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False', AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL: '1', PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: at.folder,
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: JSON.stringify([{ name: 'stock', classpath: 'airflow.dag_processing.bundles.local.LocalDagBundle', kwargs: { path: at.folder } }]), ...at.env,
  };
  const child = spawn(at.python ?? stockPython(), ['-m', 'airflow.sdk.execution_time.execute_workload', '--json-string', JSON.stringify(workload)], { cwd: at.home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => void (out += text));
  return { child, ended: new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve({ code, out }))) };
}
