// The schedule: makes runs when they are due, driven by a timer at the next due date.
import { LIMITS } from '#contract/config.ts';
import { makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import { makeRunId, type RunInfo } from '#core/timetable.ts';
import type { Dag } from '#contract/dag.ts';
import { callLater, type Clock, monotonicMs, msOf } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { type DueDag, type DueResult, findPlan, planNext } from '#store/schedule.ts';
import type { Database } from '#store/database.ts';
import { findLastScheduled, type NextRun } from '#store/dag-versions.ts';
import { customPart, type FindNextRun } from './ask-timetable.ts';
import type { AssetPass } from './create-asset-runs.ts';
import type { Graphs } from './graphs.ts';

/** `slotsPerPass` bounds the runs made per DAG and pass. `listDue` names DAGs that may have a run now, of `only` when it is not null. `findNextDue` and `nowMs` are epoch milliseconds; `dagOf` is null when the version is gone. */
interface ScheduleOptions {
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly slotsPerPass: number;
  readonly listDue: (limit: number, only: readonly string[] | null) => Promise<DueDag[]>;
  readonly createDue: (due: { dag: DueDag; runId: string; after: NextRun | null; nowMs: number }) => Promise<DueResult>;
  readonly findNextDue: (afterMs: number) => Promise<number | null>;
  readonly dagOf: (version: VersionId) => Promise<Dag | null>;
  readonly findNextRun: FindNextRun;
  /** Runs that assets trigger. */
  readonly createAssetRuns: AssetPass;
  /** Looks again for what all DAGs want to have watched. */
  readonly syncWatchers: () => Promise<void>;
  readonly onCreated: (run: RunUuid) => void;
}

/** The clock of schedules may jump: nothing sleeps longer than this without looking again. */
const BACKSTOP_MS = 30_000;

/** One per term of leadership. */
export class Schedule {
  readonly #options: ScheduleOptions;
  /** DAGs to look at in the next pass, because one of their runs finished: max_active_runs may have held them up. Of all others nothing is asked, so that an end costs little. */
  readonly #freed = new Set<string>();
  /** DAGs whose projects are being asked for their own timetables, which may take a while. */
  readonly #asked = new Set<string>();
  /** The next pass looks at all DAGs. */
  #all = false;
  /** When all DAGs are looked at again at the latest, on the monotonic clock. */
  #allBy = 0;
  #callOff: () => void = () => undefined;
  #running: Promise<void> | null = null;
  #again = false;
  #closed = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  /** Looks now: a DAG was registered or unpaused, or assets were updated. */
  poke(): Promise<void> {
    this.#all = true;
    return this.#look();
  }

  /** A run of the DAG finished: its schedule may go on. One that ends while a pass is on its way is looked at in the next. */
  onRunFinished(dagId: string): void {
    this.#freed.add(dagId);
    void this.#look();
  }

  #look(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#pass().finally(() => {
      this.#running = null;
      if (this.#again && !this.#closed) {
        this.#again = false;
        void this.#look();
      }
    });
    return this.#running;
  }

  async #pass(): Promise<void> {
    if (this.#closed) return;
    const { clock, reporter } = this.#options;
    const only = this.#all ? null : [...this.#freed];
    this.#all = false;
    this.#freed.clear();
    if (only === null) this.#allBy = monotonicMs() + BACKSTOP_MS;
    try {
      const due = await this.#options.listDue(LIMITS.maxRunsPerPass, only);
      let made = 0;
      for (const dag of due) made += await this.#createRunsOf(dag);
      made += await this.#options.createAssetRuns(only);
      if (only === null) await this.#options.syncWatchers();
      if (made > 0 && due.length >= LIMITS.maxRunsPerPass) this.#all = this.#again = true;
      const next = await this.#options.findNextDue(clock.nowMs());
      this.#wakeIn(Math.min(next === null ? BACKSTOP_MS : next - clock.nowMs(), this.#allBy - monotonicMs()));
    } catch (error) {
      reporter.report({ event: 'failure', where: 'schedule', error: errorText(error) });
      this.#wakeIn(1000);
    }
  }

  #wakeIn(ms: number): void {
    this.#callOff();
    if (!this.#closed) this.#callOff = callLater(Math.min(Math.max(ms, 0) + 1, BACKSTOP_MS), () => void this.poke());
  }

  /** @returns how many runs were made. A project that has a timetable of its own is asked beside the pass: it holds up no other. */
  async #createRunsOf(due: DueDag): Promise<number> {
    const dag = await this.#options.dagOf(due.versionId);
    if (dag === null || this.#asked.has(due.dagId)) return 0;
    if (customPart(dag.timetable) === null) return this.#createRuns(due, dag);
    this.#asked.add(due.dagId);
    void this.#createBeside(due, dag);
    return 0;
  }

  async #createBeside(due: DueDag, dag: Dag): Promise<void> {
    let made = 0;
    try {
      made = await this.#createRuns(due, dag);
    } catch (error) {
      this.#options.reporter.report({ event: 'failure', where: `schedule of ${due.dagId}`, error: errorText(error) });
    }
    this.#asked.delete(due.dagId);
    // Its next date is known now.
    if (made > 0 && !this.#closed) this.onRunFinished(due.dagId);
  }

  /** @returns how many runs were made: with catchup several at once, up to the limit and max_active_runs */
  async #createRuns(due: DueDag, dag: Dag): Promise<number> {
    let { next, activeRuns } = due;
    let made = 0;
    while (made < this.#options.slotsPerPass && next.runAfter <= this.#options.clock.nowMs()) {
      if (activeRuns >= due.maxActiveRuns) return made;
      const nowMs = this.#options.clock.nowMs();
      const after = await this.#findAfter({ id: due.versionId, dag }, { now: nowMs, last: lastOf(next) });
      if (after === 'unknown') return made;
      const runId = makeRunId({ runType: 'scheduled', runAfter: next.runAfter, logicalDate: next.logicalDate, suffix: suffixOf(next, nowMs) });
      const result = await this.#options.createDue({ dag: { ...due, next }, runId, after, nowMs });
      if (result.kind === 'stale') return made;
      if (result.kind === 'created') {
        this.#options.reporter.report({ event: 'run.created', dag_id: due.dagId, run_id: runId, run_type: 'scheduled' });
        this.#options.onCreated(result.id);
        activeRuns += 1;
        made += 1;
      }
      if (after === null) return made;
      next = after;
    }
    if (next.runAfter <= this.#options.clock.nowMs()) {
      this.#freed.add(due.dagId);
      this.#again = true;
    }
    return made;
  }

  /** Code of the project may fail: its DAG is looked at again with the next pass over all, and holds up no other. */
  async #findAfter(version: { readonly id: VersionId; readonly dag: Dag }, at: { readonly now: number; readonly last: ReturnType<typeof lastOf> }): Promise<RunInfo | null | 'unknown'> {
    try {
      return await this.#options.findNextRun(version, { ...scheduleBounds(version.dag), ...at });
    } catch (error) {
      this.#options.reporter.report({ event: 'failure', where: `schedule of ${version.dag.dag_id}`, error: errorText(error) });
      return 'unknown';
    }
  }
}

/** What sets runs without logical date apart. Source: Airflow 3.2.1 `CronPartitionTimetable.generate_run_id`. */
function suffixOf({ partitionKey }: NextRun, nowMs: number): string {
  const own = makeUuidV7(nowMs).slice(-8);
  return partitionKey === undefined ? own : `_${partitionKey}__${own}`;
}

function lastOf(run: NextRun): Pick<RunInfo, 'intervalStart' | 'intervalEnd' | 'runAfter'> {
  return { intervalStart: run.intervalStart, intervalEnd: run.intervalEnd, runAfter: run.runAfter };
}

/** A DAG's dates and catchup as the timetable functions take them. */
export function scheduleBounds(dag: Dag): { start: number | null; end: number | null; catchup: boolean } {
  return {
    start: dag.start_date === undefined ? earliestTaskDate(dag, 'start_date') : msOf(dag.start_date),
    end: dag.end_date === undefined ? null : msOf(dag.end_date),
    catchup: dag.catchup ?? false,
  };
}

/** Without a date of its own a DAG starts with its earliest task, as in Airflow. */
function earliestTaskDate(dag: Dag, field: 'start_date'): number | null {
  const dates = dag.tasks.flatMap((task) => (task[field] === undefined ? [] : [msOf(task[field])]));
  return dates.length === 0 ? null : Math.min(...dates);
}

/** A DAG whose planned date lies far back (it was paused) is planned from now: without catchup only its newest slot is due. */
export async function planAnew(database: Database, at: { readonly graphs: Graphs; readonly epoch: number; readonly dagId: string; readonly findNextRun: FindNextRun }): Promise<void> {
  const { graphs, epoch, dagId, findNextRun } = at;
  const plan = await findPlan(database.pool, dagId);
  const dag = plan === null ? null : (await graphs.get(plan.versionId))?.dag;
  if (plan === null || dag === null || dag === undefined) return;
  const next = await findNextRun({ id: plan.versionId, dag }, { ...scheduleBounds(dag), now: database.clock.nowMs(), last: await findLastScheduled(database, dagId) });
  if ((next?.runAfter ?? null) !== plan.nextRunAfter) await planNext(database.pool, epoch, { dagId, next });
}
