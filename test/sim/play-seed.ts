// Plays one seed: a world is made, faults strike for some minutes, then all is well and everything must come to an end.
import { createHash, randomFillSync } from 'node:crypto';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type pg from 'pg';
import { makeUuidV7 } from '#contract/ids.ts';
import { nextRun } from '#core/timetable.ts';
import { scheduleBounds } from '#scheduler/create-due-runs.ts';
import { createRun } from '#store/dag-runs.ts';
import { registerVersion } from '#store/dag-versions.ts';
import { createPool } from '#store/pools.ts';
import { planFaults } from './faults.ts';
import type { Violation } from './ledger.ts';
import { isAtRest, judge } from './oracles.ts';
import { Random } from './random.ts';
import { emptyRealDatabase } from './sim-database.ts';
import { Stage } from './stage.ts';
import { makeDags, SIM_POOLS, type SimDag } from './workload.ts';
import { Node } from './world.ts';

/** What came of a seed. `digest` is equal for equal worlds. */
export interface Played {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly string[];
  readonly diary: readonly string[];
  readonly digest: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly statements: number;
  readonly starts: number;
}

const CHAOS_MS = 150_000;
const REST_MS = 1_800_000;
const LOOK_MS = 5000;

/** Ids and tokens come from the seed as well. */
function seedCrypto(random: Random): void {
  const fill = (bytes: Uint8Array): Uint8Array => {
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = random.below(256);
    return bytes;
  };
  crypto.randomFillSync = fill as typeof randomFillSync;
  crypto.randomBytes = ((size: number) => fill(Buffer.alloc(size))) as typeof crypto.randomBytes;
  syncBuiltinESMExports();
  // Ids come from a buffer that is filled now and then: from here on it holds this seed's bytes.
  let isFresh = false;
  crypto.randomFillSync = ((bytes: Uint8Array) => {
    isFresh = true;
    return fill(bytes);
  }) as typeof randomFillSync;
  syncBuiltinESMExports();
  while (!isFresh) makeUuidV7(0);
}

/** @param isTold keeps a diary of everything that happens */
export async function playSeed(seed: number, where: { real: pg.Client; home: string; isTold?: boolean }): Promise<Played> {
  await emptyRealDatabase(where.real);
  const text = `seed ${seed}`;
  seedCrypto(new Random(`${text} crypto`));
  const dags = makeDags(new Random(`${text} workload`), CHAOS_MS, new Random(`${text} deferrals`));
  const stage = new Stage({ real: where.real, seed: text, dags, home: where.home, isTold: where.isTold === true });
  const { world, ledger } = stage;
  const onCrash = (error: unknown): void => ledger.accuse('crash', error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.on('unhandledRejection', onCrash);
  process.on('uncaughtException', onCrash);
  try {
    await prepare(stage, dags);
    const begin = world.now;
    for (let server = 0; server < 2; server += 1) stage.startServer();
    const random = new Random(`${text} plan`);
    const faults = planFaults(stage, random, CHAOS_MS);
    await world.run(begin + CHAOS_MS);
    stage.heal();
    for (let rest = false; !rest && world.now < begin + CHAOS_MS + REST_MS; rest = await isAtRest(stage, dags)) {
      world.at(world.now, () => void stage.people.letPastGo(dags), null);
      await world.run(world.now + LOOK_MS);
    }
    await judge(stage, dags);
    const digest = await digestOf(stage);
    return { seed, violations: ledger.violations, faults, diary: stage.diary, digest, virtualMs: world.now - begin, events: world.events, statements: stage.database.statements, starts: ledger.entries.size };
  } finally {
    stage.close();
    process.off('unhandledRejection', onCrash);
    process.off('uncaughtException', onCrash);
  }
}

/** DAGs are registered and triggers planned. */
async function prepare(stage: Stage, dags: readonly SimDag[]): Promise<void> {
  const node = new Node('operator');
  const store = stage.database.connect(node);
  const { world } = stage;
  let isDone = false;
  const setUp = async (): Promise<void> => {
    for (const [name, slots] of SIM_POOLS) await createPool(store, name, { slots, description: null, includeDeferred: false });
    for (const { dag } of dags) {
      const next = nextRun(dag.timetable, { ...scheduleBounds(dag), now: world.now, last: null });
      await registerVersion(store, { dag, sources: [{ path: 'dag.py', content: Buffer.from('from airflow.sdk import dag\n') }], bundle: 'sim', active: true, parseMs: null, next, timetable: { summary: null, description: null } });
    }
    isDone = true;
  };
  world.as(node, () => void setUp());
  await world.run(world.now + 60_000, () => isDone);
  for (const { dag, triggers } of dags) {
    for (const [index, at] of triggers.entries()) {
      const trigger = async (): Promise<void> => {
        for (;;) {
          try {
            await createRun(store, { dagId: dag.dag_id, runId: `manual__${index}`, runType: 'manual', logicalDate: null, interval: null, runAfter: at, conf: {}, triggeredBy: 'rest_api', user: null, note: null });
            return;
          } catch {
            // The database was away; a person asks again, and a run that was made after all is a duplicate then.
            await new Promise<void>((resolve) => void world.after(1000, resolve));
          }
        }
      };
      world.at(at, () => void trigger(), node);
    }
  }
}

/** Everything that the engine wrote, hashed. */
async function digestOf(stage: Stage): Promise<string> {
  const { rows } = await stage.database.execute<{ line: string }>(`select concat_ws(' ', id, run, task_id, map_index, execution_id, from_state, to_state, epoch, cause, at) as line from attempt_events order by id`);
  const hash = createHash('sha256');
  for (const { line } of rows) hash.update(line);
  return hash.update(String(stage.world.events)).digest('hex').slice(0, 16);
}
