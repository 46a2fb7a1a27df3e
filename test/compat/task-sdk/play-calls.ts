// Runs every DAG of dags/calls.py once on a server that speaks Airflow's public REST API, and waits for their ends.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../semantics/play.ts';

/** Final states by DAG: `task[index]` to state. */
export type FinalStates = Record<string, Record<string, string | null>>;

async function call<T>(stage: Stage, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${stage.url}/api/v2${path}`, {
    method, headers: { 'content-type': 'application/json', ...(stage.token === null ? {} : { authorization: `Bearer ${stage.token}` }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok && answer.status !== 409) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json().catch(() => null)) as T;
}

/** Makes what the DAGs read, runs them all, and returns how their tasks ended. Throws when one is not over in time. */
export async function playCalls(stage: Stage): Promise<FinalStates> {
  await call(stage, 'POST', '/variables', { key: 'calls_greeting', value: 'hello' });
  await call(stage, 'POST', '/connections', { connection_id: 'calls_conn', conn_type: 'http', host: 'calls.example' });
  const { dags } = await call<{ dags: { dag_id: string }[] }>(stage, 'GET', '/dags?limit=100&dag_id_pattern=calls_');
  const states: FinalStates = {};
  for (const { dag_id: id } of dags) await call(stage, 'PATCH', `/dags/${id}`, { is_paused: false });
  await Promise.all(dags.map(async ({ dag_id: id }) => {
    const { dag_run_id: run } = await call<{ dag_run_id: string }>(stage, 'POST', `/dags/${id}/dagRuns`, { logical_date: null });
    await untilOver(stage, `/dags/${id}/dagRuns/${run}`);
    const { task_instances: instances } = await call<{ task_instances: { task_id: string; map_index: number; state: string | null }[] }>(stage, 'GET', `/dags/${id}/dagRuns/${run}/taskInstances`);
    states[id] = Object.fromEntries(instances.map((one): [string, string | null] => [`${one.task_id}[${one.map_index}]`, one.state]).sort(([a], [b]) => (a < b ? -1 : 1)));
  }));
  // Reports that come after the state (links) are part of the sequence.
  await sleep(stage.quietMs);
  return Object.fromEntries(Object.entries(states).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function untilOver(stage: Stage, path: string): Promise<void> {
  for (const end = Date.now() + stage.limitMs; Date.now() < end; await sleep(stage.pollMs)) {
    const { state } = await call<{ state: string }>(stage, 'GET', path);
    if (state === 'success' || state === 'failed') return;
  }
  throw new Error(`${path} is not over`);
}
