// What keeps a task instance from running: read from rows, judged by the same rules as the planner's.
import { sql } from 'kysely';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import type { RunUuid } from '#contract/ids.ts';
import { dependencyVerdict } from '#core/dependencies.ts';
import { buildGraph } from '#core/graph.ts';
import { blockedByPast } from '#core/past-dependencies.ts';
import { addInstance, emptySnapshot, type Instance, newInstance, type RunSnapshot } from '#core/run-snapshot.ts';
import { isoOf } from '#platform/clock.ts';
import { findPastRun, findRunForPlanning } from './dag-runs.ts';
import { findKeptSpec } from './dag-specs.ts';
import { countActiveRuns, findDag } from './dags.ts';
import type { Database } from './database.ts';
import { findPool } from './pools.ts';
import type { InstanceListRow } from './task-instances.ts';
import { tellAwaited, tellCulprits } from './upstream-words.ts';

/** One dependency that is not met, under Airflow's name for it. */
export interface Blocker {
  readonly name: string;
  readonly reason: string;
  /** What `explain` says instead: upstreams by name, limits as `used/there are`. */
  readonly told: string;
  /** `told` is a pool or a limit that has no room, such as `max_active_tasks 16/16`. */
  readonly isLimit?: boolean;
}

/** Everything that keeps an instance from running now. Most pressing first. */
export async function findBlockers(database: Database, row: InstanceListRow): Promise<readonly Blocker[]> {
  const snapshot = await findRunSnapshot(database, row);
  if (snapshot === null) return [];
  return [
    ...(await runBlockers(database, row, snapshot)),
    ...(await instanceBlockers(database, row, snapshot)),
    ...(await slotBlockers(database, row, snapshot)),
  ];
}

/** The rows of an instance's run as the planner sees them; null when the run or its version is gone. */
export async function findRunSnapshot(database: Database, row: InstanceListRow): Promise<RunSnapshot | null> {
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
  if (graph.pastSources.size > 0 && run.logicalDate !== null) snapshot.pastBlocked = await readPastBlocked(database, snapshot);
  return snapshot;
}

async function readPastBlocked(database: Database, snapshot: RunSnapshot): Promise<ReadonlySet<string>> {
  const { dagId, logicalDate, graph } = snapshot;
  return blockedByPast(graph, logicalDate === null ? null : await findPastRun(database.pool, { dagId, logicalDate, anyType: graph.dag.catchup !== true, taskIds: [...graph.pastSources] }));
}

/** A blocker that is told as it is given to Airflow's clients. */
function plain(name: string, reason: string): Blocker {
  return { name, reason, told: reason };
}

async function runBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Promise<Blocker[]> {
  const found: Blocker[] = [];
  const now = database.clock.nowMs();
  const dag = await findDag(database, row.dagId);
  if (dag?.isPaused === true) found.push(plain('Dag Not Paused', `the DAG ${row.dagId} is paused`));
  if (run.runAfter > now) found.push(plain('Logical Date', `the run does not start before ${isoOf(run.runAfter)}`));
  if (run.logicalDate !== null && run.logicalDate > now) found.push(plain('Logical Date', `the logical date ${isoOf(run.logicalDate)} is in the future`));
  if (run.state !== 'running') found.push(await runStateBlocker(database, run, dag?.maxActiveRuns ?? 0));
  return found;
}

async function runStateBlocker(database: Database, run: RunSnapshot, limit: number): Promise<Blocker> {
  const active = await countActiveRuns(database, run.dagId);
  const waiting = run.state === 'queued' && limit > 0 && active > limit ? `; ${active} runs of the DAG are queued or running and max_active_runs is ${limit}` : '';
  const running = run.state === 'queued' && limit > 0 ? await countRunningRuns(database, run.dagId) : 0;
  const full = limit > 0 && running >= limit ? `: max_active_runs ${running}/${limit}` : '';
  return { name: 'Dagrun Running', reason: `the run is ${run.state}${waiting}`, told: `the run is ${run.state}${full}` };
}

async function countRunningRuns(database: Database, dagId: string): Promise<number> {
  const row = await database.kysely.selectFrom('dag_runs').select((eb) => eb.fn.countAll<number>().as('total'))
    .where('tenant', '=', 'default').where('dag_id', '=', dagId).where('finished', '=', false).where('state', '=', 'running').executeTakeFirstOrThrow();
  return row.total;
}

async function instanceBlockers(database: Database, row: InstanceListRow, run: RunSnapshot): Promise<Blocker[]> {
  const instance = run.tasks[run.graph.byId.get(row.taskId) ?? -1]?.instances.get(row.mapIndex);
  if (instance === undefined) return [plain('Task Instance State', `the run's DAG version has no task ${row.taskId}`)];
  const found: Blocker[] = [];
  if (instance.wakeAt !== null && instance.wakeAt > database.clock.nowMs()) {
    const name = instance.state === 'up_for_reschedule' ? 'Ready To Reschedule' : 'Not In Retry Period';
    found.push(plain(name, `${instance.state === 'up_for_reschedule' ? 'looks again' : 'tries again'} at ${isoOf(instance.wakeAt)}`));
  }
  if (instance.task.expands.length > 0 && row.mapIndex < 0) found.push(plain('Task has been mapped', 'how many instances it has is not known before its upstream tasks have succeeded'));
  return [...found, ...(await verdictBlockers(database, run, instance))];
}

async function verdictBlockers(database: Database, run: RunSnapshot, instance: Instance): Promise<Blocker[]> {
  const verdict = dependencyVerdict(run, instance);
  if (verdict.kind === 'run') return [];
  const rule = verdict.reason();
  const name = nameOf(rule);
  if (verdict.kind === 'set') {
    const culprits = name === 'Trigger Rule' ? tellCulprits(run, instance, verdict.state) : null;
    return [{ name, reason: `will be ${verdict.state}: ${rule}`, told: `will be ${verdict.state}: ${culprits === null ? rule : `${culprits} (${rule})`}` }];
  }
  const awaited = name === 'Trigger Rule' ? await tellAwaited(database, run, instance) : null;
  return [{ name, reason: rule, told: awaited === null ? rule : instance.task.rule === 'all_success' ? awaited : `${awaited}; ${rule}` }];
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
  if (pool === null) return [plain(name, `there is no pool ${row.pool}`)];
  const used = pool.running + pool.queued + (pool.includeDeferred ? pool.deferred : 0);
  if (pool.slots < 0 || used + row.poolSlots <= pool.slots) return [];
  const needs = row.poolSlots === 1 && pool.slots > 0 ? '' : `, the task needs ${row.poolSlots} ${row.poolSlots === 1 ? 'slot' : 'slots'}`;
  const told = `pool ${row.pool} ${used}/${pool.slots}${needs}${row.poolSlots > pool.slots ? ': it can never run' : ''}`;
  return [{ name, reason: `pool ${row.pool}: ${used} of ${pool.slots} slots are taken and the task needs ${row.poolSlots}`, told, isLimit: true }];
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
    .map(({ name, count, limit, what, setting }) => ({ name, reason: `${count} ${what} are active and ${setting} is ${limit}`, told: `${setting} ${count}/${limit}`, isLimit: true }));
}

async function countActive(database: Database, row: InstanceListRow): Promise<{ run: number; taskInRun: number; taskInDag: number }> {
  const { rows } = await sql<{ run: number; task_in_run: number; task_in_dag: number }>`/* store/instance-blockers.countActive */
    select count(*) filter (where t.run = ${row.run})::int as run, count(*) filter (where t.run = ${row.run} and t.task_id = ${row.taskId})::int as task_in_run,
      count(*) filter (where t.task_id = ${row.taskId})::int as task_in_dag
    from dag_runs r join task_instances t on t.run = r.id
    where r.tenant = 'default' and r.dag_id = ${row.dagId} and not r.finished and t.state in ('queued', 'running')`.execute(database.kysely);
  return { run: rows[0]?.run ?? 0, taskInRun: rows[0]?.task_in_run ?? 0, taskInDag: rows[0]?.task_in_dag ?? 0 };
}
