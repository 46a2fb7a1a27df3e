// Runs for partitions of assets: the DAG's own mapper says which of its keys an event belongs to, and a key whose condition holds gets its run.
import { LIMITS } from '#contract/config.ts';
import { makeUuidV7, type RunUuid } from '#contract/ids.ts';
import { conditionHolds, conditionOf } from '#core/asset-condition.ts';
import { makeRunId } from '#core/timetable.ts';
import { errorText } from '#platform/report.ts';
import { listArrivals, listGathered, type PartitionArrival, type PartitionPlace, placeArrival } from '#store/partition-queue.ts';
import { askProject, type Custom, customPart, isProjectFault } from './ask-timetable.ts';
import type { AssetPass, AssetRunOptions } from './create-asset-runs.ts';

/** One per term of leadership; passes must not overlap. */
export function createPartitionPass(options: AssetRunOptions): AssetPass {
  return async (only) => {
    let made = 0;
    const passedOver = new Set<string>();
    for (let isStuck = true; isStuck;) {
      const arrivals = await listArrivals(options.database.pool, { limit: LIMITS.maxRunsPerPass, only, except: [...passedOver] });
      isStuck = arrivals.length === LIMITS.maxRunsPerPass;
      for (const arrival of arrivals) {
        if (passedOver.has(arrival.dagId)) continue;
        const runs = await takeUnlessFailed(arrival, options);
        if (runs === null) passedOver.add(arrival.dagId);
        else isStuck = false;
        made += runs ?? 0;
      }
    }
    return made;
  };
}

/** Null: its events stay queued. One project that cannot be asked is asked once in a pass, and holds up no other. */
async function takeUnlessFailed(arrival: PartitionArrival, options: AssetRunOptions): Promise<number | null> {
  try {
    return await take(arrival, options);
  } catch (error) {
    options.reporter.report({ event: 'failure', where: `partitions of ${arrival.dagId}`, error: errorText(error) });
    return null;
  }
}

/** @returns how many runs were made; null when nothing was taken */
async function take(arrival: PartitionArrival, options: AssetRunOptions): Promise<number | null> {
  const { database, epoch, clock, reporter, dagOf, onCreated } = options;
  const timetable = (await dagOf(arrival.versionId))?.timetable;
  const custom = timetable === undefined ? null : customPart(timetable);
  if (timetable === undefined || custom === null) return null;
  const keys = await keysOf(arrival, custom, options);
  const nowMs = clock.nowMs();
  const gathered = await listGathered(database.pool, { dagId: arrival.dagId, keys });
  const places = keys.map((key): PartitionPlace => {
    const isWhole = conditionHolds(conditionOf(timetable), [...(gathered.get(key) ?? []), { ...arrival.asset, aliases: [] }]);
    const id = makeUuidV7<RunUuid>(nowMs);
    return { key, run: isWhole ? { id, runId: makeRunId({ runType: 'asset_triggered', runAfter: nowMs, logicalDate: null, suffix: id.slice(-8) }) } : null };
  });
  const runs = await placeArrival(database.pool, epoch, { arrival, places, nowMs });
  for (const { run } of places) {
    if (run === null || runs?.includes(run.id) !== true) continue;
    reporter.report({ event: 'run.created', dag_id: arrival.dagId, run_id: run.runId, run_type: 'asset_triggered' });
    onCreated(run.id);
  }
  return runs?.length ?? null;
}

/** Events that the DAG's mapper does not know what to do with belong to no key, as in Airflow; people are told. */
async function keysOf(arrival: PartitionArrival, custom: Custom, { executor, reporter }: AssetRunOptions): Promise<string[]> {
  try {
    const { name, uri } = arrival.asset;
    const { keys } = await askProject<{ keys: string[] }>(executor, arrival, { custom, ask: 'partition_keys', asset: { name, uri }, key: arrival.sourceKey });
    return [...new Set(keys)];
  } catch (error) {
    if (!isProjectFault(error)) throw error;
    reporter.report({ event: 'failure', where: `partitions of ${arrival.dagId}`, error: `the partition ${arrival.sourceKey} of the asset ${arrival.asset.name} belongs to no key: ${errorText(error)}` });
    return [];
  }
}
