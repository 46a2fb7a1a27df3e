// A pool as Airflow's clients read it.
import type { PoolResponse } from '#contract/airflow/pool.ts';
import type { PoolRow } from '#store/pools.ts';

/** `open_slots` is −1 for a pool without limit. */
export function renderPool(row: PoolRow): PoolResponse {
  const occupied = row.running + row.queued + (row.includeDeferred ? row.deferred : 0);
  return {
    name: row.name, slots: row.slots, description: row.description, include_deferred: row.includeDeferred, occupied_slots: occupied, running_slots: row.running,
    queued_slots: row.queued, scheduled_slots: row.scheduled, open_slots: row.slots < 0 ? -1 : row.slots - occupied, deferred_slots: row.deferred, team_name: null,
  };
}
