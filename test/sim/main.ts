// The simulation proof: `main.ts [--seeds 1000] [--from 1] [--workers 2]`, or `main.ts --replay N` for one seed with everything that happened in it.
// `--stop-at 'ghost, limit'` ends it with the first seed that breaks one of these rules.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Played } from './play-seed.ts';
import { playSeed } from './play-seed.ts';
import { withRealDatabase } from './real-database.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1000' }, from: { type: 'string', default: '1' }, workers: { type: 'string', default: '2' }, replay: { type: 'string' }, worker: { type: 'string' }, 'stop-at': { type: 'string' } } });

const awaited: readonly string[] = values['stop-at']?.split(', ') ?? [];

interface Totals { seeds: number; failed: number; virtualMs: number; events: number; statements: number; starts: number }

async function playRange(seeds: Iterable<number>, onPlayed: (played: Played) => boolean): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'leoflow-sim-'));
  try {
    await withRealDatabase(async (real) => {
      for (const seed of seeds) if (!onPlayed(await playSeed(seed, { real, home }))) break;
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function* range(first: number, count: number, step: number): Generator<number> {
  for (let index = 0; index < count; index += step) yield first + index;
}

function describePlayed(played: Played): string {
  return [`seed ${played.seed} broke ${played.violations.length} rules; its faults: ${played.faults.join(', ')}`, ...played.violations.slice(0, 12).map(({ rule, detail }) => `  ${rule}: ${detail}`), `  replay: make prove-sim SEED=${played.seed}`].join('\n');
}

async function replay(seed: number): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'leoflow-sim-'));
  await withRealDatabase(async (real) => {
    const played = await playSeed(seed, { real, home, isTold: true });
    process.stdout.write(`${played.diary.join('\n')}\n\n${played.violations.length === 0 ? `seed ${seed} is clean` : describePlayed(played)}\n`);
    process.stdout.write(`digest ${played.digest}, ${Math.round(played.virtualMs / 1000)} virtual seconds, ${played.events} events, ${played.statements} statements, ${played.starts} starts\n`);
    process.exitCode = played.violations.length === 0 ? 0 : 1;
  });
  rmSync(home, { recursive: true, force: true });
}

/** A worker plays every n-th seed and sends what came of each. */
async function work(index: number, workers: number): Promise<void> {
  await playRange(range(Number(values.from) + index, Number(values.seeds) - index, workers), (played) => {
    if (process.connected) process.send?.({ ...played, diary: [] }, undefined, undefined, () => undefined);
    // The other worker found a broken rule, and that is enough.
    return process.connected;
  });
  if (process.connected) process.disconnect();
}

async function lead(): Promise<void> {
  const started = performance.now();
  const totals: Totals = { seeds: 0, failed: 0, virtualMs: 0, events: 0, statements: 0, starts: 0 };
  const workers = Number(values.workers);
  const children: ChildProcess[] = [];
  await Promise.all(Array.from({ length: workers }, (_, index) => new Promise<void>((resolve) => {
    const child = fork(import.meta.filename, ['--worker', `${index}/${workers}`, '--seeds', String(values.seeds), '--from', String(values.from)]);
    children.push(child);
    child.on('message', (message) => {
      const played = message as Played;
      totals.seeds += 1;
      totals.failed += played.violations.length > 0 ? 1 : 0;
      for (const key of ['virtualMs', 'events', 'statements', 'starts'] as const) totals[key] += played[key];
      if (played.violations.length > 0) process.stdout.write(`${describePlayed(played)}\n`);
      const found = played.violations.find(({ rule }) => awaited.includes(rule));
      if (found !== undefined) {
        process.stdout.write(`found by seed ${played.seed}, ${found.rule}: ${found.detail}\n`);
        for (const one of children) if (one.connected) one.disconnect();
      }
      if (process.stdout.isTTY && totals.seeds % 20 === 0) process.stderr.write(`\r${totals.seeds} seeds`);
    });
    child.on('exit', (code) => {
      if (code !== 0) totals.failed += 1;
      resolve();
    });
  })));
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${totals.seeds} seeds in ${seconds.toFixed(0)} s: ${(totals.virtualMs / 3_600_000).toFixed(1)} hours of two servers, ${totals.starts} executions, ${totals.events} events, ${totals.statements} statements on real PostgreSQL; ${totals.failed} seeds broke a rule\n`);
  process.exitCode = totals.failed === 0 && totals.seeds === Number(values.seeds) ? 0 : 1;
}

if (values.replay !== undefined) await replay(Number(values.replay));
else if (values.worker !== undefined) {
  const [index = 0, workers = 1] = values.worker.split('/').map(Number);
  await work(index, workers);
} else await lead();
