// Why a task instance waits, and how it came to its state: read from rows, judged by the same rules as the planner's.
import { sql } from 'kysely';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import type { RunUuid } from '#contract/ids.ts';
import { dependencyVerdict } from '#core/dependencies.ts';
import { buildGraph } from '#core/graph.ts';
import { addInstance, emptySnapshot, newInstance, type RunSnapshot } from '#core/run-snapshot.ts';
import { isoOf } from '#platform/clock.ts';
import { findPreviousStates, findRunForPlanning } from './dag-runs.ts';
import { findKeptSpec } from './dag-specs.ts';
import { countActiveRuns, findDag } from './dags.ts';
import type { Database } from './database.ts';
import { findPool } from './pools.ts';
import type { InstanceListRow } from './task-instances.ts';

/** One dependency that is not met, under Airflow's name for it. */
export interface Blocker {
  readonly name: string;
  readonly reason: string;
}

/** Everything that keeps an instance from running now. Most pressing first. */
export async function findBlockers(database: Database, row: InstanceListRow): Promise<readonly Blocker[]> {
  const snapshot = await readSnapshot(database, row);
  if (snapshot === null) return [];
  return [
    ...(await runBlockers(database, row, snapshot)),
    ...instanceBlockers(database, row, snapshot),
    ...(await slotBlockers(database, row, snapshot)),
  ];
}

/** The run's rows as the planner sees them. */
async function readSnapshot(database: Database, row: InstanceListRow): Promise<RunSnapshot | null> {
  const read = await findRunForPlanning(database.pool, row.run as RunUuid, { lengths: false });
  const spec = await findKeptSpec(database, row.version.id);
  if (read === null || spec === null) return null;
  const { run } = read;
  const graph = buildGraph(spec);
  const snapshot = emptySnapshot({
    id: run.id, dagId: run.dagId, runId: run.runId, runType: run.runType, versionId: run.versionId, graph, logicalDate: run.logicalDate, runAfter: run.runAfter, state: run.state,
    startDate: run.startDate, endDate: run.endDate,
  });
  for (const each of read.instances) {
    const task = graph.tasks[graph.byId.get(each.taskId) ?? -1];
    if (task === undefined) continue;
    const { state, tryNumber, maxTries, wakeAt, skips } = each;
    addInstance(snapshot, { ...newInstance(task, each.mapIndex), state, tryNumber, maxTries, wakeAt, skips, isNew: false });
  }
  if (graph.hasPastDependencies && run.logicalDate !== null) snapshot.pastBlocked = await readPastBlocked(database, snapshot);
  return snapshot;
}

async function readPastBlocked(database: Database, snapshot: RunSnapshot): Promise<ReadonlySet<string>> {
  const previous = await findPreviousStates(database.pool, { dagId: snapshot.dagId, logicalDate: snapshot.logicalDate ?? 0, anyType: snapshot.graph.dag.catchup !== true });
  const blocked = snapshot.graph.tasks.filter((task) => {
    if (previous === null || (task.task.depends_on_past !== true && task.task.wait_for_downstream !== true)) return false;
    const needed = [task.id, ...(task.task.wait_for_downstream === true ? task.downstream.map((index) => snapshot.graph.tasks[index]?.id ?? '') : [])];
    return needed.some((id) => previous.get(id) === false);
  });
  return new Set(blocked.map((task) => task.id));
}

async function runBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Promise<Blocker[]> {
  const found: Blocker[] = [];
  const now = database.clock.nowMs();
  const dag = await findDag(database, row.dagId);
  if (dag?.isPaused === true) found.push({ name: 'Dag Not Paused', reason: `the DAG ${row.dagId} is paused` });
  if (run.runAfter > now) found.push({ name: 'Logical Date', reason: `the run does not start before ${isoOf(run.runAfter)}` });
  if (run.logicalDate !== null && run.logicalDate > now) found.push({ name: 'Logical Date', reason: `the logical date ${isoOf(run.logicalDate)} is in the future` });
  if (run.state === 'running') return found;
  const active = await countActiveRuns(database, row.dagId);
  const limit = dag?.maxActiveRuns ?? 0;
  const waiting = run.state === 'queued' && limit > 0 && active > limit ? `; ${active} runs of the DAG are queued or running and max_active_runs is ${limit}` : '';
  found.push({ name: 'Dagrun Running', reason: `the run is ${run.state}${waiting}` });
  return found;
}

function instanceBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Blocker[] {
  const instance = run.tasks[run.graph.byId.get(row.taskId) ?? -1]?.instances.get(row.mapIndex);
  if (instance === undefined) return [{ name: 'Task Instance State', reason: `the run's DAG version has no task ${row.taskId}` }];
  const found: Blocker[] = [];
  if (instance.wakeAt !== null && instance.wakeAt > database.clock.nowMs()) {
    const name = instance.state === 'up_for_reschedule' ? 'Ready To Reschedule' : 'Not In Retry Period';
    found.push({ name, reason: `${instance.state === 'up_for_reschedule' ? 'looks again' : 'tries again'} at ${isoOf(instance.wakeAt)}` });
  }
  if (instance.task.expands.length > 0 && row.mapIndex < 0) found.push({ name: 'Task has been mapped', reason: 'how many instances it has is not known before its upstream tasks have succeeded' });
  const verdict = dependencyVerdict(run, instance);
  if (verdict.kind !== 'run') found.push({ name: nameOf(verdict.reason()), reason: verdict.kind === 'set' ? `will be ${verdict.state}: ${verdict.reason()}` : verdict.reason() });
  return found;
}

function nameOf(reason: string): string {
  if (reason.startsWith('depends_on_past')) return 'Previous Dagrun State';
  if (reason.startsWith('not chosen by')) return 'Not Previously Skipped';
  if (reason.includes('which it maps over')) return 'Mapped dependencies have succeeded';
  return 'Trigger Rule';
}

async function slotBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Promise<Blocker[]> {
  return [...(await poolBlockers(database, row)), ...(await concurrencyBlockers(database, row, run))];
}

async function poolBlockers(database: Database, row: InstanceListRow): Promise<Blocker[]> {
  const name = 'Pool Slots Available';
  const pool = await findPool(database, row.pool);
  if (pool === null) return [{ name, reason: `there is no pool ${row.pool}` }];
  const used = pool.running + pool.queued + (pool.includeDeferred ? pool.deferred : 0);
  if (pool.slots < 0 || used + row.poolSlots <= pool.slots) return [];
  return [{ name, reason: `pool ${row.pool}: ${used} of ${pool.slots} slots are taken and the task needs ${row.poolSlots}` }];
}

async function concurrencyBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Promise<Blocker[]> {
  const task = run.graph.tasks[run.graph.byId.get(row.taskId) ?? -1]?.task;
  const active = await countActive(database, row);
  const limits = [
    { name: 'Task Instance Slots Available', count: active.run, limit: run.graph.dag.max_active_tasks ?? DAG_DEFAULTS.maxActiveTasks, what: 'tasks of the run', setting: 'max_active_tasks' },
    { name: 'Task Concurrency', count: active.taskInDag, limit: task?.max_active_tis_per_dag ?? 0, what: 'instances of the task', setting: 'max_active_tis_per_dag' },
    { name: 'Task Concurrency', count: active.taskInRun, limit: task?.max_active_tis_per_dagrun ?? 0, what: 'instances of the task in this run', setting: 'max_active_tis_per_dagrun' },
  ];
  return limits.filter(({ count, limit }) => limit > 0 && count >= limit)
    .map(({ name, count, limit, what, setting }) => ({ name, reason: `${count} ${what} are active and ${setting} is ${limit}` }));
}

async function countActive(database: Database, row: InstanceListRow): Promise<{ run: number; taskInRun: number; taskInDag: number }> {
  const { rows } = await sql<{ run: number; task_in_run: number; task_in_dag: number }>`/* store/instance-blockers.countActive */
    select count(*) filter (where t.run = ${row.run})::int as run, count(*) filter (where t.run = ${row.run} and t.task_id = ${row.taskId})::int as task_in_run,
      count(*) filter (where t.task_id = ${row.taskId})::int as task_in_dag
    from dag_runs r join task_instances t on t.run = r.id
    where r.tenant = 'default' and r.dag_id = ${row.dagId} and not r.finished and t.state in ('queued', 'running')`.execute(database.kysely);
  return { run: rows[0]?.run ?? 0, taskInRun: rows[0]?.task_in_run ?? 0, taskInDag: rows[0]?.task_in_dag ?? 0 };
}

/** Why an instance is where it is, in sentences. */
export async function explainInstance(database: Database, row: InstanceListRow): Promise<readonly string[]> {
  switch (row.state) {
    case null: case 'scheduled': case 'up_for_retry': case 'up_for_reschedule': return explainWaiting(database, row);
    case 'queued': return ['handed to the executor and not started yet'];
    case 'running': return [`running${row.hostname === null ? '' : ` on ${row.hostname}`}${row.pid === null ? '' : `, process ${row.pid}`}`];
    default: return explainEnded(database, row);
  }
}

async function explainWaiting(database: Database, row: InstanceListRow): Promise<string[]> {
  const blockers = await findBlockers(database, row);
  const told = [...(row.reason === null ? [] : [row.reason]), ...blockers.map((blocker) => `${blocker.name}: ${blocker.reason}`)];
  return blockers.length > 0 ? told : [...told, 'nothing holds it back: it starts with the next decision of the scheduler'];
}

/** What its last move left behind. */
async function explainEnded(database: Database, row: InstanceListRow): Promise<string[]> {
  const last = await database.kysely.selectFrom('attempt_events').select(['cause', 'detail']).where('run', '=', row.run).where('task_id', '=', row.taskId).where('map_index', '=', row.mapIndex)
    .orderBy('id', 'desc').limit(1).executeTakeFirst();
  const cause = last?.cause ?? null;
  const known = [row.reason, cause === null ? null : `cause: ${cause}`, last?.detail ?? null].flatMap((reason) => (reason === null || reason === '' ? [] : [reason]));
  return known.length > 0 ? [...new Set(known)] : [`the task ended as ${row.state ?? 'none'}`];
}
