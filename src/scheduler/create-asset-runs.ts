// Runs that assets trigger: when the events that came make a DAG's condition hold, one run takes them all.
import { LIMITS } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import { conditionHolds, conditionOf } from '#core/asset-condition.ts';
import { makeRunId } from '#core/timetable.ts';
import type { Executor } from '#executor/executor.ts';
import type { Clock } from '#platform/clock.ts';
import type { Reporter } from '#platform/report.ts';
import { type AwaitingDag, createAssetRun, listAwaiting } from '#store/asset-queue.ts';
import type { Database } from '#store/database.ts';

/** `dagOf` is null when the version is gone. */
export interface AssetRunOptions {
  readonly database: Pick<Database, 'pool'>;
  readonly epoch: number;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly executor: Pick<Executor, 'call'>;
  readonly dagOf: (version: VersionId) => Promise<Dag | null>;
  readonly onCreated: (run: RunUuid) => void;
}

/** One pass over DAGs with queued events, of `only` when it is not null. @returns how many runs were made */
export type AssetPass = (only: readonly string[] | null) => Promise<number>;

/** One per term of leadership; passes must not overlap. */
export function createAssetPass(options: AssetRunOptions): AssetPass {
  return async (only) => {
    let made = 0;
    // All of them, part by part: a DAG whose condition does not hold for long must not keep others from being looked at.
    for (let after: string | undefined = ''; after !== undefined;) {
      const dags: readonly AwaitingDag[] = await listAwaiting(options.database.pool, { limit: LIMITS.maxRunsPerPass, only, after });
      for (const dag of dags) if (await createRunOf(dag, options)) made += 1;
      after = dags.length < LIMITS.maxRunsPerPass ? undefined : dags.at(-1)?.dagId;
    }
    return made;
  };
}

async function createRunOf(dag: AwaitingDag, { database, epoch, clock, reporter, dagOf, onCreated }: AssetRunOptions): Promise<boolean> {
  const timetable = (await dagOf(dag.versionId))?.timetable;
  if (timetable === undefined || timetable.kind === 'custom' || !conditionHolds(conditionOf(timetable), dag.assets)) return false;
  const nowMs = clock.nowMs();
  const runId = makeRunId({ runType: 'asset_triggered', runAfter: dag.newestAt, logicalDate: null, suffix: makeUuidV7(nowMs).slice(-8) });
  const run = await createAssetRun(database.pool, epoch, { dag, runId, nowMs });
  if (run === null) return false;
  reporter.report({ event: 'run.created', dag_id: dag.dagId, run_id: runId, run_type: 'asset_triggered' });
  onCreated(run);
  return true;
}
