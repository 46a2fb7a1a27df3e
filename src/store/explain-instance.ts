// Why a task instance is where it is, in sentences for `tasks explain`; of a mapped task a summary of its instances.
import type { TaskState } from '#contract/states.ts';
import { isoOf } from '#platform/clock.ts';
import { listCallbacksOf } from './callbacks.ts';
import type { Database } from './database.ts';
import { ordinal, tellCause, tellEarlierTries, tellLog, tellLastTry } from './explain-tries.ts';
import { type Blocker, findBlockers, findRunSnapshot } from './instance-blockers.ts';
import { findInstanceRow, type InstanceKey, type InstanceListRow } from './task-instances.ts';
import { findWait } from './triggers.ts';
import { tellCulprits } from './upstream-words.ts';

/** Why an instance is where it is, in sentences. */
export async function explainInstance(database: Database, row: InstanceListRow): Promise<readonly string[]> {
  return [...(await explainState(database, row)), ...(await tellEarlierTries(database, row)), ...(await tellCallbacks(database, row))];
}

async function explainState(database: Database, row: InstanceListRow): Promise<readonly string[]> {
  switch (row.state) {
    case null: case 'scheduled': case 'up_for_retry': case 'up_for_reschedule': return explainWaiting(database, row);
    case 'deferred': return explainDeferred(database, row);
    case 'queued': return ['handed to the executor and not started yet'];
    case 'running': return [`running${row.hostname === null ? '' : ` on ${row.hostname}`}${row.pid === null ? '' : `, process ${row.pid}`}`];
    default: return explainEnded(database, row);
  }
}

async function explainWaiting(database: Database, row: InstanceListRow): Promise<string[]> {
  const blockers = await findBlockers(database, row);
  const isBetween = row.state === 'up_for_retry';
  const told = [...(row.reason === null ? [] : [row.reason]), ...(isBetween ? [`that was ${ordinal(row)}`] : []), ...blockers.map((blocker) => blocker.told), ...(isBetween ? [tellLog(row)] : [])];
  return blockers.length > 0 ? told : [...told, 'nothing holds it back: it starts with the next decision of the scheduler'];
}

/** So many in one wait are no chance: a server that is started again may have cost two. */
const MANY_HOSTS = 4;

async function explainDeferred(database: Database, row: InstanceListRow): Promise<string[]> {
  const wait = await findWait(database.pool, row);
  if (wait === null) return ['deferred, and its trigger is gone: clear it'];
  const ms = database.clock.nowMs() - wait.createdAt;
  const until = wait.timeoutAt === null ? 'without a time-out' : `until ${isoOf(wait.timeoutAt)} at the latest`;
  return [
    `waits for the trigger ${wait.classpath} since ${isoOf(wait.createdAt)} (${Math.max(0, Math.round(ms / 1000))} s), ${until}`,
    wait.hostPid === null ? 'no trigger host has taken it yet' : `the trigger host, process ${wait.hostPid}, has taken it`,
    ...(wait.hosts < MANY_HOSTS ? [] : [`${wait.hosts - 1} hosts before it have ended: does a trigger of this DAG version end its process, or take all memory? The server’s log says how each ended`]),
  ];
}

/** What its last move left behind. */
async function explainEnded(database: Database, row: InstanceListRow): Promise<string[]> {
  const last = await database.kysely.selectFrom('attempt_events').select(['cause', 'detail']).where('run', '=', row.run).where('task_id', '=', row.taskId).where('map_index', '=', row.mapIndex)
    .where('to_state', '=', row.state).orderBy('id', 'desc').limit(1).executeTakeFirst();
  const known = [await findCulprits(database, row), row.reason, last?.detail ?? null].flatMap((reason) => (reason === null || reason === '' ? [] : [reason]));
  const told = known.length > 0 ? [...new Set(known)] : [tellEnd(row, last?.cause ?? null)];
  if (row.state === 'failed') return [...told, ...(await tellLastTry(database, row))];
  return row.state === 'skipped' && row.startDate !== null && row.attemptId !== null ? [...told, tellLog(row)] : told;
}

function tellEnd(row: InstanceListRow, cause: string | null): string {
  if (row.state === 'success') return row.tryNumber > 1 ? `it succeeded: ${ordinal(row)}` : 'it succeeded';
  return row.state === 'failed' ? tellCause(cause) : `the task ended as ${row.state ?? 'none'}`;
}

/** What became of callbacks that the server was to have made. */
async function tellCallbacks(database: Database, row: InstanceListRow): Promise<string[]> {
  const words = { pending: 'is about to be made', begun: 'is being made', done: 'was made', failed: 'failed' };
  return (await listCallbacksOf(database.pool, row)).map(({ kind, state, attempts, error }) => {
    const what = kind === 'dag' ? 'the callback of its DAG' : kind === 'email' ? 'the e-mail about it' : 'its callback';
    return `${what} ${words[state]}${attempts > 1 ? ` (attempt ${attempts})` : ''}${error === null ? '' : `: ${error}`}`;
  });
}

/** `upstream_failed: X failed`, for one that its trigger rule ended; null for others. */
async function findCulprits(database: Database, row: InstanceListRow): Promise<string | null> {
  const { state, reason } = row;
  if ((state !== 'upstream_failed' && state !== 'skipped') || reason === null) return null;
  const run = await findRunSnapshot(database, row);
  const instance = run?.tasks[run.graph.byId.get(row.taskId) ?? -1]?.instances.get(row.mapIndex);
  if (run === null || instance === undefined || !reason.startsWith(`${instance.task.rule}: `)) return null;
  const culprits = tellCulprits(run, instance, state);
  return culprits === null ? null : `${state}: ${culprits}`;
}

/** A mapped task as one: the state that tells most of it, and how many instances are in which. */
interface TaskExplanation {
  readonly state: TaskState;
  readonly reasons: readonly string[];
}

/** Which state stands for many: the first of these that any instance has. Source: Airflow 3.2.1 `TaskInstanceState` priority of a mapped task. */
const STATE_PRIORITY: readonly TaskState[] = [
  'failed', 'upstream_failed', 'up_for_retry', 'up_for_reschedule', 'queued', 'scheduled', 'deferred', 'running', 'restarting', null, 'success', 'skipped', 'removed',
];

/** Sums up the instances of an expanded task; null when it has none. */
export async function explainMappedTask(database: Database, key: Omit<InstanceKey, 'mapIndex'>): Promise<TaskExplanation | null> {
  const counts = await database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select(['t.state', (eb) => eb.fn.countAll<number>().as('total'), (eb) => eb.fn.min('t.map_index').as('first')])
    .where('r.tenant', '=', 'default').where('r.dag_id', '=', key.dagId).where('r.run_id', '=', key.runId).where('t.task_id', '=', key.taskId).where('t.map_index', '>=', 0)
    .groupBy('t.state').orderBy('total', 'desc').orderBy('t.state').execute();
  if (counts.length === 0) return null;
  const total = counts.reduce((sum, { total: each }) => sum + each, 0);
  const waiting = counts.find(({ state }) => state === 'scheduled') ?? counts.find(({ state }) => state === null);
  const row = waiting === undefined ? null : await findInstanceRow(database, { ...key, mapIndex: waiting.first });
  const blockers = row === null ? [] : await findBlockers(database, row);
  const listed = counts.map(({ state, total: each }) => `${grouped(each)} ${state ?? 'not started'}`).join(', ');
  const held = blockers.length === 0 ? '' : `; ${waiting?.state === null ? 'those not started' : 'scheduled ones'}${tellOfMany(blockers)}`;
  return {
    state: STATE_PRIORITY.find((each) => counts.some(({ state }) => state === each)) ?? null,
    reasons: [`${grouped(total)} ${total === 1 ? 'instance' : 'instances'}: ${listed}${held}`, '--map-index N tells of one of them'],
  };
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

const WAITS = 'waits for ';

/** ` wait for max_active_tasks 16/16`; what is no thing to wait for stands behind a colon. */
function tellOfMany(blockers: readonly Blocker[]): string {
  const things = blockers.filter(({ told, isLimit }) => isLimit === true || told.startsWith(WAITS)).map(({ told }) => (told.startsWith(WAITS) ? told.slice(WAITS.length) : told));
  const others = blockers.filter(({ told, isLimit }) => isLimit !== true && !told.startsWith(WAITS)).map(({ told }) => told);
  return `${things.length === 0 ? '' : ` wait for ${things.join(' and ')}`}${others.length === 0 ? '' : `: ${others.join('; ')}`}`;
}
