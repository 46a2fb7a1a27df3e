// What the run before has to say to a run in memory (depends_on_past, wait_for_downstream), kept true while both move.
import type { RunUuid } from '#contract/ids.ts';
import { blockedByPast } from '#core/past-dependencies.ts';
import type { RunSnapshot } from '#core/run-snapshot.ts';
import { errorText } from '#platform/report.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { EngineMemory } from './engine-memory.ts';

/** One per term of leadership. */
export class PastRuns {
  readonly #memory: EngineMemory;
  readonly #advance: AdvanceRuns;
  readonly #reload: (run: RunUuid) => void;
  /** Runs whose past is being read, and whether something moved since. */
  readonly #rechecking = new Map<RunUuid, boolean>();
  /** How often an earlier run of a DAG moved: what was read before the last move may be old. */
  readonly #moves = new Map<string, number>();

  constructor(memory: EngineMemory, advance: AdvanceRuns, reload: (run: RunUuid) => void) {
    this.#memory = memory;
    this.#advance = advance;
    this.#reload = reload;
  }

  /** Ids of the tasks that the run before holds back; null when no task looks there. */
  async read(run: RunSnapshot): Promise<ReadonlySet<string> | null> {
    if (run.graph.pastSources.size === 0) return null;
    for (;;) {
      const moves = this.#moves.get(run.dagId);
      const blocked = blockedByPast(run.graph, await this.#memory.options.readPrevious(run));
      if (this.#moves.get(run.dagId) === moves) return blocked;
    }
  }

  /** A task that others look at has ended in this run, or somebody changed the run: whoever looks at it is told. */
  onMoved(run: RunSnapshot): void {
    if (run.graph.pastSources.size === 0 || run.logicalDate === null) return;
    this.#moves.set(run.dagId, (this.#moves.get(run.dagId) ?? 0) + 1);
    for (const later of this.#lookingAt(run, run.logicalDate)) this.#recheckOnce(later);
  }

  /** The next run; with catchup only scheduled runs are looked at, so several may have the same one before them. */
  #lookingAt(run: RunSnapshot, date: number): RunSnapshot[] {
    const later = [...(this.#memory.dags.get(run.dagId)?.ids() ?? [])].flatMap((id) => this.#memory.entries.get(id)?.run ?? [])
      .filter((other) => other.logicalDate !== null && other.logicalDate > date).sort((a, b) => (a.logicalDate ?? 0) - (b.logicalDate ?? 0));
    const last = later.findIndex((other) => other.graph.dag.catchup !== true || other.runType === 'scheduled');
    return last < 0 ? later : later.slice(0, last + 1);
  }

  /** A run is gone: whoever is held by the past may have been held by it. */
  recheckHeld(): void {
    for (const { run } of this.#memory.entries.values()) if (run.pastBlocked !== null && run.pastBlocked.size > 0) this.#recheckOnce(run);
  }

  /** One reading at a time per run; what moves meanwhile is one more. */
  #recheckOnce(run: RunSnapshot): void {
    if (this.#rechecking.has(run.id)) return void this.#rechecking.set(run.id, true);
    this.#rechecking.set(run.id, false);
    this.#recheck(run).catch((error: unknown) => {
      this.#memory.options.reporter.report({ event: 'failure', where: 'read the run before', error: errorText(error) });
      this.#reload(run.id);
    }).finally(() => {
      const isAgain = this.#rechecking.get(run.id) === true;
      this.#rechecking.delete(run.id);
      if (isAgain && this.#memory.entryOf(run) !== null) this.#recheckOnce(run);
    });
  }

  async #recheck(run: RunSnapshot): Promise<void> {
    const blocked = await this.read(run);
    const entry = this.#memory.entryOf(run);
    if (entry === null) return;
    const freed = [...(run.pastBlocked ?? [])].filter((id) => blocked?.has(id) !== true);
    run.pastBlocked = blocked;
    if (run.state !== 'running' || freed.length === 0) return;
    const plan = this.#advance.begin(entry);
    for (const id of freed) plan.dirty.set(run.graph.byId.get(id) ?? -1, 'all');
    this.#advance.conclude(entry, plan);
  }
}
