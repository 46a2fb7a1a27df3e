// What people do to runs while the world goes on: clear, mark, pause, resize. They use the store's own functions, at one instant.
import type { Database } from '#store/database.ts';
import { setPaused } from '#store/dags.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { updatePool } from '#store/pools.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { SimDatabase } from './sim-database.ts';
import type { SimDag } from './workload.ts';
import type { Node, World } from './world.ts';

/** They sit at a node of their own, whose network is always fair. */
export class People {
  readonly #parts: { readonly world: World; readonly database: SimDatabase; readonly store: Database; readonly node: Node; readonly random: Random; readonly ledger: Ledger };
  /** Runs that somebody changed by hand, with when that was first: how they end is no longer told by their DAG alone. */
  readonly touched = new Map<string, number>();
  isPoolResized = false;
  readonly #paused = new Set<string>();

  constructor(parts: { world: World; database: SimDatabase; store: Database; node: Node; random: Random; ledger: Ledger }) {
    this.#parts = parts;
  }

  async clear(): Promise<void> {
    const instance = await this.#pickInstance("t.state is not null");
    if (instance === null) return;
    await this.#act(async (store) => void (await applyAction(store, { ...NO_ACTION, clear: [instance], by: 'ann' })));
  }

  async mark(): Promise<void> {
    const instance = await this.#pickInstance('not r.finished');
    if (instance === null) return;
    const state = this.#parts.random.pick(['success', 'failed', 'skipped'] as const);
    await this.#act(async (store) => void (await applyAction(store, { ...NO_ACTION, mark: [{ ...instance, state }], by: 'ann' })));
  }

  async markRun(): Promise<void> {
    const { rows } = await this.#parts.database.execute<{ id: string }>("select id from dag_runs where state = 'running' order by run_after, dag_id, run_id");
    if (rows.length === 0) return;
    const { id } = this.#parts.random.pick(rows);
    this.#touch(id);
    const state = this.#parts.random.pick(['success', 'failed'] as const);
    await this.#act(async (store) => void (await applyAction(store, { ...NO_ACTION, runs: [{ id, state }], by: 'ann' })));
  }

  async pause(ms: number): Promise<void> {
    const { rows } = await this.#parts.database.execute<{ dag_id: string }>('select dag_id from dags order by dag_id');
    const { dag_id: dagId } = this.#parts.random.pick(rows);
    if (this.#paused.has(dagId)) return;
    this.#paused.add(dagId);
    await this.#act((store) => setPaused(store, [dagId], true));
    this.#parts.world.at(this.#parts.world.now + ms, () => void this.#unpause(dagId), null);
  }

  /** Until it is done: a DAG that stays paused is no fault of the engine. */
  async #unpause(dagId: string): Promise<void> {
    await this.#act((store) => setPaused(store, [dagId], false));
    const { rows } = await this.#parts.database.execute('select 1 from dags where dag_id = $1 and is_paused', [dagId]);
    if (rows.length === 0) this.#paused.delete(dagId);
    else this.#parts.world.at(this.#parts.world.now + 1000, () => void this.#unpause(dagId), null);
  }

  /** Sets to success what a person's failure left for a later run to wait for: only people can let it go. */
  async letPastGo(dags: readonly SimDag[]): Promise<void> {
    const tasks = dags.flatMap(({ dag }) => dag.tasks.filter((task) => task.depends_on_past === true).map((task) => `${dag.dag_id}/${task.task_id}`));
    const { rows } = await this.#parts.database.execute<{ run: string; task_id: string; map_index: number }>(
      `select t.run, t.task_id, t.map_index from task_instances t join dag_runs r on r.id = t.run where r.dag_id || '/' || t.task_id = any($1) and t.state in ('failed', 'upstream_failed') order by r.dag_id, r.run_id, t.task_id, t.map_index`, [tasks]);
    const mark = rows.filter(({ run }) => this.touched.has(run)).map((row) => ({ run: row.run, taskId: row.task_id, mapIndex: row.map_index, state: 'success' as const }));
    if (mark.length > 0) await this.#act(async (store) => void (await applyAction(store, { ...NO_ACTION, mark, by: 'ann' })));
  }

  async resizePool(): Promise<void> {
    this.isPoolResized = true;
    const slots = 2 + this.#parts.random.below(3);
    await this.#act((store) => updatePool(store, 'narrow', { slots, description: null, includeDeferred: false }));
  }

  async #pickInstance(where: string): Promise<{ run: string; taskId: string; mapIndex: number } | null> {
    const { rows } = await this.#parts.database.execute<{ run: string; task_id: string; map_index: number }>(
      `select t.run, t.task_id, t.map_index from task_instances t join dag_runs r on r.id = t.run where ${where} order by r.dag_id, r.run_id, t.task_id, t.map_index`);
    if (rows.length === 0) return null;
    const row = this.#parts.random.pick(rows);
    this.#touch(row.run);
    return { run: row.run, taskId: row.task_id, mapIndex: row.map_index };
  }

  #touch(run: string): void {
    if (!this.touched.has(run)) this.touched.set(run, this.#parts.world.now);
  }

  /** A database that is away is no person's fault; anything else is. */
  #act(what: (store: Database) => Promise<unknown>): Promise<void> {
    const { world, node, store, ledger, database } = this.#parts;
    if (!database.isUp) return Promise.resolve();
    return world.as(node, async () => {
      try {
        await what(store);
      } catch (error) {
        if (!/does not answer|ECONN|timeout|given up|kept coming in between/.test(String(error))) ledger.accuse('crash', `a person's action: ${String(error)}`);
      }
    });
  }
}
