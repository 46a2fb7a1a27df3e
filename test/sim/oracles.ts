// What must hold of a world when it has come to rest: the ledger of its tasks against the tables of the engine.
import type { Task } from '#contract/dag.ts';
import type { TriggerId } from '#contract/ids.ts';
import { findUnexpected } from './expected-states.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Stage } from './stage.ts';
import { SIM_POOLS, type SimDag } from './workload.ts';

interface RunRow { id: string; dag_id: string; run_id: string; run_type: string; state: string; logical: number | null; started: number | null; ended: number | null }
interface InstanceRow { run: string; task_id: string; map_index: number; state: string | null; try_number: number; execution_id: string | null; finished: boolean }
interface ExecutionRow { id: string; attempt_id: string; run: string; task_id: string; map_index: number; state: string; ended: boolean; cause: string | null; started: number; ended_at: number | null; pool: string; pool_slots: number }
interface EventRow { id: number; run: string; task_id: string; map_index: number; attempt_id: string | null; execution_id: string | null; from_state: string | null; to_state: string | null; epoch: number | null; detail: string | null }

interface MoveRow { tx: number; at: number; what: 'run' | 'instance' | 'dag'; run: string; task_id: string | null; map_index: number | null; dag_id: string | null; old: string | null; new: string | null }

interface TriggerRow { id: string; run: string; task_id: string; resumed: boolean }

interface Tables { readonly triggers: readonly TriggerRow[]; readonly moves: readonly MoveRow[]; readonly runs: readonly RunRow[]; readonly instances: readonly InstanceRow[]; readonly executions: readonly ExecutionRow[]; readonly events: readonly EventRow[] }

/** True when nothing moves any more: every run is finished and no execution is open. */
export async function isAtRest(stage: Stage, dags: readonly SimDag[]): Promise<boolean> {
  const { rows } = await stage.database.execute<{ open: number; runs: number }>({ name: 'simAtRest', text: `select (select count(*)::int from dag_runs where not finished) + (select count(*)::int from executions where not ended) as open, (select count(*)::int from dag_runs) as runs` });
  const planned = dags.reduce((sum, { slots, triggers }) => sum + slots.length + triggers.length, 0);
  return (rows[0]?.open ?? 1) === 0 && (rows[0]?.runs ?? 0) >= planned && stage.machine.jobs.size === 0;
}

/** Compares ledger and tables. Violations go into the ledger. */
export async function judge(stage: Stage, dags: readonly SimDag[]): Promise<void> {
  const tables = await readTables(stage);
  const { ledger } = stage;
  const accuse = (rule: string, detail: string): void => ledger.accuse(rule, detail);
  judgeStarts(stage, tables, accuse);
  judgeNotice(stage, tables, accuse);
  judgeOverlap(stage, accuse);
  judgeHistory(stage, tables, accuse);
  judgeKills(stage, tables, accuse);
  judgeClosed(stage, { tables, dags }, accuse);
  judgePauses(stage, tables, accuse);
  judgePast(stage, { tables, dags }, accuse);
  judgeFailFast(stage, { tables, dags }, accuse);
  judgeRest(stage, tables, accuse);
  judgeRuns(stage, { tables, dags }, accuse);
  judgeLimits(stage, { tables, dags }, accuse);
  judgeTriggers(stage, tables, accuse);
}

type Accuse = (rule: string, detail: string) => void;

async function readTables(stage: Stage): Promise<Tables> {
  const ms = (column: string): string => `round(extract(epoch from ${column}) * 1000)::float8`;
  const runs = await stage.database.execute<RunRow>(`select id, dag_id, run_id, run_type, state, ${ms('logical_date')} as logical, ${ms('start_date')} as started, ${ms('end_date')} as ended from dag_runs order by dag_id, run_id`);
  const instances = await stage.database.execute<InstanceRow>('select run, task_id, map_index, state, try_number, execution_id, finished from task_instances order by run, task_id, map_index');
  const executions = await stage.database.execute<ExecutionRow>(`select e.id, e.attempt_id, e.run, a.task_id, a.map_index, e.state, e.ended, e.cause, ${ms('e.started_at')} as started, ${ms('e.ended_at')} as ended_at, t.pool, t.pool_slots
    from executions e join task_attempts a on a.id = e.attempt_id join task_instances t on t.run = a.run and t.task_id = a.task_id and t.map_index = a.map_index order by e.started_at, e.id`);
  const events = await stage.database.execute<EventRow>('select id, run, task_id, map_index, attempt_id, execution_id, from_state, to_state, epoch, detail from attempt_events order by id');
  const moves = await stage.database.execute<MoveRow>(`select tx, ${ms('at')} as at, what, run, task_id, map_index, dag_id, old, new from sim.moves order by id`);
  const triggers = await stage.database.execute<TriggerRow>('select id, run, task_id, resumed from triggers order by id');
  return { triggers: triggers.rows, moves: moves.rows, runs: runs.rows, instances: instances.rows, executions: executions.rows, events: events.rows };
}

/** Each start belongs to a row, and is the only one of its execution; what a task was told and what it left is what the row says. */
function judgeStarts({ ledger, people }: Stage, tables: Tables, accuse: Accuse): void {
  const rows = new Map(tables.executions.map((row) => [row.id, row]));
  for (const entry of ledger.entries.values()) {
    const row = rows.get(entry.id);
    if (entry.starts > 1) accuse('started twice', entry.id);
    if (row === undefined) accuse('ghost', `${entry.taskId} ran as ${entry.id}, which no row knows`);
    else judgeEnd(entry, row, accuse);
  }
  for (const row of tables.executions) if (row.state === 'success' && ledger.entries.get(row.id as LedgerEntry['id']) === undefined) accuse('false success', `${row.task_id}: ${row.id} never began`);
  const succeeded = new Set(tables.executions.flatMap((row) => (row.state === 'success' ? [`${row.run}/${row.task_id}/${row.map_index}`] : [])));
  for (const row of tables.instances) {
    if (row.state === 'success' && !succeeded.has(`${row.run}/${row.task_id}/${row.map_index}`) && !people.touched.has(row.run)) accuse('false success', `${row.task_id} of ${row.run} has no successful execution`);
  }
}

function judgeEnd(entry: LedgerEntry, row: ExecutionRow, accuse: Accuse): void {
  if (entry.acknowledged !== null && row.state !== entry.acknowledged) accuse('lost report', `${entry.taskId}: ${entry.id} was told that ${entry.acknowledged} is recorded, its row says ${row.state}`);
  else if (entry.durable !== null && row.state === 'lost') accuse('lost outcome', `${entry.taskId}: ${entry.id} left ${entry.durable}, its row says lost`);
  if (row.state === 'success' && entry.outcome !== 'success') accuse('false success', `${entry.taskId}: ${entry.id}`);
  if (entry.outcome === 'success' && row.state === 'failed') accuse('false failure', `${entry.taskId}: ${entry.id}`);
}

/** An execution that was gone is noticed long before the silence limit, which is the last resort. */
const NOTICED_MS = 220_000;

function judgeNotice({ ledger }: Stage, tables: Tables, accuse: Accuse): void {
  for (const row of tables.executions) {
    const entry = ledger.entries.get(row.id as LedgerEntry['id']);
    const gone = entry === undefined ? row.started : entry.acknowledged === null ? entry.endedAt : null;
    if (gone !== null && row.ended_at !== null && row.ended_at - gone > NOTICED_MS) accuse('forgotten', `${row.task_id}: ${row.id} was gone for ${Math.round((row.ended_at - gone) / 1000)} s before anybody noticed`);
  }
}

/** A task instance runs once at a time: also one that was cleared waits until the process before is gone. */
function judgeOverlap({ ledger }: Stage, accuse: Accuse): void {
  const byInstance = Map.groupBy([...ledger.entries.values()], (entry) => `${entry.run}/${entry.taskId}/${entry.mapIndex}`);
  for (const [name, entries] of byInstance) {
    const sorted = [...entries].sort((a, b) => a.startedAt - b.startedAt);
    for (const [at, later] of sorted.entries()) {
      // Between its report and its end a process does nothing any more.
      const earlier = sorted.slice(0, at).find((one) => (one.finishedAt ?? one.endedAt ?? Infinity) > later.startedAt);
      if (earlier !== undefined) accuse('overlap', `${name}: ${later.id} began while ${earlier.id} ran`);
    }
  }
}

/** The history of each instance is one chain of moves, written by leaders in the order of their epochs. */
function judgeHistory({ people }: Stage, tables: Tables, accuse: Accuse): void {
  let newest = 0;
  const states = new Map<string, string | null>();
  for (const event of tables.events) {
    if (event.epoch !== null && event.epoch < newest) accuse('old epoch', `epoch ${event.epoch} wrote after epoch ${newest}`);
    newest = Math.max(newest, event.epoch ?? 0);
    if (event.detail?.startsWith('late report') === true) continue;
    judgeMove(event, { states, isTouched: people.touched.has(event.run) }, accuse);
  }
  for (const row of tables.instances) {
    const last = states.get(`${row.run}/${row.task_id}/${row.map_index}`);
    if (last !== undefined && last !== row.state) accuse('broken chain', `${row.task_id} of ${row.run} is ${String(row.state)}, its history ends with ${last}`);
  }
}

const FINAL: readonly (string | null)[] = ['success', 'failed', 'skipped', 'upstream_failed'];

function judgeMove(event: EventRow, known: { states: Map<string, string | null>; isTouched: boolean }, accuse: Accuse): void {
  const key = `${event.run}/${event.task_id}/${event.map_index}`;
  const before = known.states.get(key);
  known.states.set(key, event.to_state);
  if (before === undefined) return;
  if (before !== event.from_state) accuse('broken chain', `${key} was ${String(before)}, then moved from ${String(event.from_state)} to ${String(event.to_state)}`);
  if (FINAL.includes(before) && !known.isTouched) accuse('final state left', `${key} left ${String(before)}`);
}

/** Nobody is told to end whom nobody closed. */
function judgeKills({ ledger }: Stage, tables: Tables, accuse: Accuse): void {
  const states = new Map(tables.executions.map((row) => [row.id, row.state]));
  for (const entry of ledger.entries.values()) {
    const state = states.get(entry.id);
    if (entry.wasCancelled && entry.finishedAt === null && state !== 'cancelled') accuse('killed for nothing', `${entry.taskId}: ${entry.id} was told to end, its row says ${String(state)}`);
  }
}

/** Clocks of leaders differ from the world's by the network's delay. */
const CLOCK_MS = 1000;
/** A job that was on its way, or was sent there, when something went wrong is missed a moment later. */
const AFTERMATH_MS = 3000;

/** Of these a job may get lost on its way, or a leader that has just committed it. */
const LOSING: ReadonlySet<string> = new Set(['server killed', 'server stopped', 'database down', 'network cut', 'session ended', 'lock lost', 'bad network', 'commits unanswered', 'statements refused', 'slow database', 'fork server killed', 'launcher killed']);

/** Nobody is closed who is well: cancelled without a person or fail_fast, lost while it runs, or lost on its way although nothing went wrong. */
function judgeClosed(stage: Stage, { tables, dags }: { tables: Tables; dags: readonly SimDag[] }, accuse: Accuse): void {
  const fast = new Set(dags.filter(({ dag }) => dag.fail_fast === true).map(({ dag }) => dag.dag_id));
  // Also one that was cleared since, and ended well.
  const haveFailed = new Set(tables.moves.filter((move) => move.what === 'instance' && move.new === 'failed').map((move) => move.run));
  const mayBeCutShort = new Set(tables.runs.filter((run) => fast.has(run.dag_id) && haveFailed.has(run.id)).map((run) => run.id));
  for (const row of tables.executions) {
    const isTouched = (stage.people.touched.get(row.run) ?? Infinity) <= (row.ended_at ?? 0) + CLOCK_MS;
    if (row.state === 'cancelled' && !isTouched && !mayBeCutShort.has(row.run)) accuse('closed for nothing', `${row.task_id}: ${row.id} was cancelled, and neither a person nor fail_fast did it`);
    else if (row.state === 'lost') judgeLost(stage, { tables, row }, accuse);
  }
}

function judgeLost(stage: Stage, { tables, row }: { tables: Tables; row: ExecutionRow }, accuse: Accuse): void {
  const entry = stage.ledger.entries.get(row.id as LedgerEntry['id']);
  const endedAt = row.ended_at ?? 0;
  if (entry !== undefined) {
    if ((entry.endedAt ?? Infinity) > endedAt + CLOCK_MS) accuse('closed for nothing', `${row.task_id}: ${row.id} was lost while it ran`);
    return;
  }
  const launched = tables.moves.findLast((move) => move.run === row.run && move.task_id === row.task_id && move.map_index === row.map_index && move.new === 'running' && move.at <= endedAt + CLOCK_MS);
  const isTroubled = stage.troubles.some((one) => LOSING.has(one.name) && one.from <= (launched?.at ?? row.started) + CLOCK_MS && one.until + AFTERMATH_MS >= row.started);
  if (!isTroubled) accuse('closed for nothing', `${row.task_id}: ${row.id} was lost before it began, and nothing had gone wrong`);
}

/** How long a leader may not have heard of a switch: its commit was on its way. */
const UNHEARD_MS = 2000;
/** It hears of a switch only after these. */
const DEAFENING: ReadonlySet<string> = new Set(['deaf leader', 'server stopped', 'network cut', 'bad network', 'slow database']);
/** Its connection is found dead, and made anew. */
const REOPENED_MS = 12_000;

/** Of a paused DAG nothing begins. */
function judgePauses(stage: Stage, tables: Tables, accuse: Accuse): void {
  const dagOfRun = new Map(tables.runs.map((run) => [run.id, run.dag_id]));
  const pausedAt = new Map<string, number>();
  for (const move of tables.moves) {
    if (move.what === 'dag' && move.dag_id !== null) {
      if (move.new === 'true') pausedAt.set(move.dag_id, move.at);
      else pausedAt.delete(move.dag_id);
    } else if (move.what === 'instance' && move.new === 'running' && move.old !== 'running') {
      const since = pausedAt.get(dagOfRun.get(move.run) ?? '');
      if (since === undefined) continue;
      const heardLate = stage.troubles.filter((one) => DEAFENING.has(one.name) && one.from <= move.at && one.until >= since).map((one) => one.until + REOPENED_MS);
      if (move.at > Math.max(since + UNHEARD_MS, ...heardLate)) accuse('started while paused', `${String(move.task_id)} of ${move.run}, ${Math.round((move.at - since) / 1000)} s after the pause`);
    }
  }
}

/** With depends_on_past a task begins after the same task of the run before has ended well, all instances of it. */
function judgePast({ people }: Stage, { tables, dags }: { tables: Tables; dags: readonly SimDag[] }, accuse: Accuse): void {
  for (const { dag } of dags) {
    const runs = tables.runs.filter((run) => run.dag_id === dag.dag_id && run.run_type === 'scheduled').sort((a, b) => (a.logical ?? 0) - (b.logical ?? 0));
    for (const [index, run] of runs.entries()) {
      const before = runs[index - 1];
      if (before === undefined || people.touched.has(run.id) || people.touched.has(before.id)) continue;
      for (const { task_id: id } of dag.tasks.filter((task) => task.depends_on_past === true)) {
        const own = tables.moves.filter((move) => move.what === 'instance' && move.task_id === id);
        const began = own.findIndex((move) => move.run === run.id && move.new === 'running');
        const ended = own.findLastIndex((move) => move.run === before.id && (move.new === 'success' || move.new === 'skipped'));
        if (began >= 0 && (ended < 0 || began < ended)) accuse('started before its past', `${id} of ${run.run_id} began before that of ${before.run_id} had ended well`);
      }
    }
  }
}

/** With fail_fast nothing begins after a task has failed. */
function judgeFailFast({ people }: Stage, { tables, dags }: { tables: Tables; dags: readonly SimDag[] }, accuse: Accuse): void {
  const fast = new Set(dags.filter(({ dag }) => dag.fail_fast === true).map(({ dag }) => dag.dag_id));
  for (const run of tables.runs.filter(({ id, dag_id }) => fast.has(dag_id) && !people.touched.has(id))) {
    const moves = tables.moves.filter((move) => move.what === 'instance' && move.run === run.id);
    const failed = moves.findIndex((move) => move.new === 'failed');
    const later = failed < 0 ? undefined : moves.slice(failed).find((move) => move.new === 'running');
    if (later !== undefined) accuse('started after a failure', `${String(later.task_id)} of ${run.dag_id} ${run.run_id}, whose fail_fast had ended it`);
  }
}

/** Nothing is stuck, nothing runs on. */
function judgeRest({ machine }: Stage, tables: Tables, accuse: Accuse): void {
  for (const run of tables.runs) if (!['success', 'failed'].includes(run.state)) accuse('stuck', `${run.dag_id} ${run.run_id} is ${run.state}`);
  for (const row of tables.executions) if (!row.ended) accuse('stuck', `execution ${row.id} of ${row.task_id} is ${row.state}`);
  for (const [id, job] of machine.jobs) accuse('zombie', `${job.spec.task_id} still runs as ${id}`);
}

/** Runs are those of the calendar, and end as their tasks' plans say. */
function judgeRuns({ people }: Stage, { tables, dags }: { tables: Tables; dags: readonly SimDag[] }, accuse: Accuse): void {
  for (const sim of dags) {
    const runs = tables.runs.filter((run) => run.dag_id === sim.dag.dag_id);
    const slots = runs.filter((run) => run.run_type === 'scheduled').map((run) => run.logical).sort((a, b) => (a ?? 0) - (b ?? 0));
    if (slots.join() !== sim.slots.join()) accuse('calendar', `${sim.dag.dag_id} has the slots ${slots.map((at) => new Date(at ?? 0).toISOString()).join()}, not ${sim.slots.map((at) => new Date(at).toISOString()).join()}`);
    for (const run of runs) {
      if (people.touched.has(run.id) || !['success', 'failed'].includes(run.state)) continue;
      const instances = tables.instances.filter((row) => row.run === run.id).map((row) => ({ taskId: row.task_id, mapIndex: row.map_index, state: row.state, tries: row.try_number }));
      for (const text of findUnexpected(sim, { state: run.state, instances })) accuse('wrong end', `${run.dag_id} ${run.run_id}: ${text}`);
    }
  }
}

/** Every event is recorded at most once, goes into one try only, and none of the waits outlives its run. */
function judgeTriggers({ ledger }: Stage, tables: Tables, accuse: Accuse): void {
  for (const [id, { recorded }] of ledger.triggers) if (recorded > 1) accuse('event recorded twice', id);
  const rows = new Map(tables.executions.map((row) => [row.id, row]));
  const resumed = [...ledger.entries.values()].filter((entry) => entry.resumedBy !== null);
  for (const [id, entries] of Map.groupBy(resumed, (entry) => entry.resumedBy ?? '')) {
    if (!ledger.triggers.has(id as TriggerId)) accuse('event from nowhere', id);
    const sorted = [...entries].sort((a, b) => a.startedAt - b.startedAt);
    // Who got lost begins again with the same event.
    for (const entry of sorted.slice(0, -1)) if (!['lost', 'cancelled'].includes(rows.get(entry.id)?.state ?? '')) accuse('resumed twice', `${entry.taskId}: ${entry.id} and another went on with the event of ${id}`);
  }
  for (const row of tables.triggers) accuse('trigger left', `${row.task_id} of ${row.run}: ${row.id}`);
}

/** Pools, parallelism and limits per DAG were kept after every commit. */
function judgeLimits({ people }: Stage, { tables, dags }: { tables: Tables; dags: readonly SimDag[] }, accuse: Accuse): void {
  const dagOfRun = new Map(tables.runs.map((run) => [run.id, run.dag_id]));
  const taskOf = (move: MoveRow): Task | undefined => dags.find(({ dag }) => dag.dag_id === dagOfRun.get(move.run))?.dag.tasks.find((task) => task.task_id === move.task_id);
  const instances = tables.moves.filter((move) => move.what === 'instance');
  const most = (moves: readonly MoveRow[], weight: (move: MoveRow) => number): number => peak(moves.map((move) => ({ tx: move.tx, by: (Number(move.new === 'running') - Number(move.old === 'running')) * weight(move) })));
  if (most(instances, () => 1) > 8) accuse('limit', 'parallelism of 8 was exceeded');
  for (const [pool, slots] of people.isPoolResized ? [] : SIM_POOLS) {
    if (most(instances, (move) => (taskOf(move)?.pool === pool ? (taskOf(move)?.pool_slots ?? 1) : 0)) > slots) accuse('limit', `pool ${pool} was exceeded`);
  }
  for (const { dag } of dags) {
    const own = instances.filter((move) => dagOfRun.get(move.run) === dag.dag_id);
    // A run that a person set running again, or that was cleared, does not ask whether there is room.
    const runs = tables.moves.filter((move) => move.what === 'run' && move.dag_id === dag.dag_id);
    if (people.touched.size === 0 && most(runs, () => 1) > (dag.max_active_runs ?? 16)) accuse('limit', `max_active_runs of ${dag.dag_id} was exceeded`);
    for (const task of dag.tasks) {
      if (task.max_active_tis_per_dag === undefined) continue;
      if (most(own.filter((move) => move.task_id === task.task_id), () => 1) > task.max_active_tis_per_dag) accuse('limit', `max_active_tis_per_dag of ${task.task_id} was exceeded`);
    }
    for (const [run, moves] of Map.groupBy(own, (move) => move.run)) if (dag.max_active_tasks !== undefined && most(moves, () => 1) > dag.max_active_tasks) accuse('limit', `max_active_tasks of run ${run} was exceeded`);
  }
}

/** The greatest sum after a commit. */
function peak(moves: readonly { tx: number; by: number }[]): number {
  let sum = 0;
  let highest = 0;
  for (const [index, { tx, by }] of moves.entries()) {
    sum += by;
    if (moves[index + 1]?.tx !== tx) highest = Math.max(highest, sum);
  }
  return highest;
}
