// Runs one fault: load, injections in its middle, then everything must come to its right end, by the reconciler's word.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { sleep, wallMs } from '#platform/clock.ts';
import type { Cluster } from './cluster.ts';
import { exportRows, type Rows } from './export-rows.ts';
import type { Fault } from './fault.ts';
import { PYTHON, RUNTIME } from './programs.ts';
import { Scene } from './scene.ts';

/** What one fault came to. Times are milliseconds; `violations` counts by the reconciler's codes. */
export interface Proof {
  readonly name: string;
  readonly about: string;
  readonly injected: number;
  readonly recovered: Fault['recovered'];
  readonly starts: number;
  /** From each injection to the next decision, sorted. */
  readonly recoveredMs: readonly number[];
  readonly violations: Readonly<Record<string, number>>;
  /** The first of them, in words. */
  readonly examples: readonly string[];
  readonly seconds: number;
  /** Where everything lies when something was found. */
  readonly folder: string | null;
}

/** `starts` is the least number of task starts, `seed` spreads the injections over time. */
export interface ProofOptions {
  readonly starts: number;
  readonly seed: number;
  readonly times?: number;
  readonly keep?: boolean;
}

interface Injection { readonly at: number; readonly epoch: number }

const RECOVERY_LIMIT_MS = 60_000;
const DRAIN_LIMIT_MS = 120_000;

/** A small generator: the same seed injects at the same distances. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Runs a fault to its end. Throws only when the stage itself cannot be set. */
export async function prove(cluster: Cluster, fault: Fault, options: ProofOptions): Promise<Proof> {
  const began = wallMs();
  const scene = await Scene.open(cluster, fault.scene);
  let failed = true;
  try {
    await fault.prepare?.(scene);
    scene.load.start(fault.scene.mix);
    await scene.until(() => scene.ledger.read().length >= 25, 'work is on its way');
    const injections = await injectAll(scene, fault, options);
    await scene.until(() => scene.ledger.read().length >= options.starts, `${options.starts} starts`, 120_000);
    await fault.cleanUp?.(scene);
    await scene.load.drain(DRAIN_LIMIT_MS);
    await sleep(200);
    const rows = await exportRows(scene.database.pool, join(scene.folder, 'dump.json'));
    const found = await reconcile(scene, fault);
    failed = found.violations.length > 0;
    return {
      name: fault.name, about: fault.about, injected: injections.length, recovered: fault.recovered, starts: found.starts, recoveredMs: measure(fault, injections, { scene, rows }), violations: found.counts,
      examples: found.violations.slice(0, 5).map((one) => `${one.code} ${one.text}`), seconds: (wallMs() - began) / 1000, folder: failed || options.keep === true ? scene.folder : null,
    };
  } finally {
    await scene.close(failed || options.keep === true);
  }
}

async function injectAll(scene: Scene, fault: Fault, options: ProofOptions): Promise<Injection[]> {
  const random = makeRandom(options.seed);
  const injections: Injection[] = [];
  for (let round = 0; round < (options.times ?? fault.times); round += 1) {
    const [row] = await scene.rows('select epoch from leader');
    const epoch = Number(row?.['epoch']);
    const injection = { at: await fault.inject(scene, round), epoch };
    injections.push(injection);
    await untilRecovered(scene, fault, injection);
    await fault.heal?.(scene, round);
    await sleep(200 + random() * 600);
  }
  return injections;
}

async function untilRecovered(scene: Scene, fault: Fault, { at, epoch }: Injection): Promise<void> {
  if (fault.recovered === 'next epoch') await scene.until(async () => (await scene.rows('select 1 from attempt_events where epoch > $1 limit 1', [epoch])).length > 0, `a decision after epoch ${epoch}`, RECOVERY_LIMIT_MS);
  else await scene.until(async () => {
    const started = scene.ledger.read().flatMap((line) => (line.wall * 1000 > at ? [line.execution] : []));
    return (await scene.rows('select 1 from executions where id = any($1::uuid[]) and created_at > to_timestamp($2::float8 / 1000) limit 1', [started, at])).length > 0;
  }, 'a task is decided on and starts', RECOVERY_LIMIT_MS);
}

/** Milliseconds from each injection to the first decision after it, sorted. */
function measure(fault: Fault, injections: readonly Injection[], { scene, rows }: { scene: Scene; rows: Rows }): number[] {
  const decidedAt = new Map(rows.executions.map((row) => [row.id, row.created_at * 1000]));
  const starts = scene.ledger.read().map((line) => ({ at: line.wall * 1000, decided: decidedAt.get(line.execution) ?? 0 }));
  return injections.map(({ at, epoch }) => {
    const moments = fault.recovered === 'next epoch'
      ? rows.events.filter((event) => event.epoch !== null && event.epoch > epoch && event.at * 1000 > at).map((event) => event.at * 1000)
      : starts.filter((start) => start.decided > at).map((start) => start.at);
    return Math.min(...moments) - at;
  }).sort((a, b) => a - b);
}

interface Found { readonly starts: number; readonly counts: Readonly<Record<string, number>>; readonly violations: readonly { readonly code: string; readonly text: string }[] }

/** Asks the reconciler, a program of its own. */
export function reconcile(scene: { readonly folder: string }, fault: Pick<Fault, 'grace'>): Promise<Found> {
  const args = [join(import.meta.dirname, 'reconcile.py'), scene.folder, ...(fault.grace === undefined ? [] : ['--grace', String(fault.grace)]), ...(RUNTIME === 'airflow' ? ['--task-sdk'] : [])];
  return new Promise((resolve, reject) => {
    execFile(PYTHON, args, { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 }, (error, stdout, stderr) => {
      if (stdout.startsWith('{')) resolve(JSON.parse(stdout) as Found);
      else reject(new Error(`the reconciler did not answer: ${stderr}`, { cause: error }));
    });
  });
}
