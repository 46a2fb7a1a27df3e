// Where a case works: a folder of its own, Python, PostgreSQL, and a promise that everything started is ended again.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPython } from '#cli/python-command.ts';
import type { Config } from '#contract/config.ts';
import { readConfig } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import { type Database, openDatabase, probeDatabase } from '#store/database.ts';
import { type EmbeddedPostgres, startThrowawayPostgres } from '#store/embedded-postgres.ts';
import { migrate } from '#store/migrate.ts';

const HERE = import.meta.dirname;

/** What a case is given. `rounds` is how often it repeats what it compares. */
export interface Workbench {
  readonly folder: string;
  readonly python: string;
  readonly config: Config;
  readonly rounds: number;
  /** Ends something when the case is over; the last one first. */
  readonly defer: (end: () => Promise<void> | void) => void;
  /** Progress, for the person who waits. */
  readonly say: (text: string) => void;
}

/** Runs a case in a folder that is gone afterwards. */
export async function withWorkbench<R>(rounds: number, work: (bench: Workbench) => Promise<R>): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), 'lb-'));
  // PostgreSQL runs as another user when we are root, and must be able to walk to its folder.
  chmodSync(folder, 0o711);
  const ends: (() => Promise<void> | void)[] = [];
  const endAll = async (): Promise<void> => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      // What is in the middle of something loses its database now: that is no news.
      process.on('uncaughtException', () => undefined);
      void endAll().finally(() => process.exit(130));
    });
  }
  try {
    const config = readConfig({ LEOFLOW_HOME: folder });
    const say = (text: string): void => void process.stderr.write(`    ${text}\n`);
    const python = await findPython(config, folder, say);
    return await work({ folder, python, config, rounds, defer: (end) => void ends.push(end), say });
  } finally {
    await endAll();
  }
}

/** A PostgreSQL of the case's own, with fsync, as the embedded one is set. */
export async function startPostgres(bench: Workbench): Promise<EmbeddedPostgres> {
  const server = await startThrowawayPostgres(join(bench.folder, 'template'), join(bench.folder, 'postgres'));
  bench.defer(() => server.stop());
  return server;
}

/** Opens a migrated database; `name` makes a new one beside the default. */
export async function openMigrated(bench: Workbench, server: EmbeddedPostgres, name?: string): Promise<Database> {
  let { url } = server;
  if (name !== undefined) {
    const admin = openDatabase(url);
    await admin.pool.query(`create database ${name}`);
    await admin.close();
    url = url.replace('/postgres?', `/${name}?`);
  }
  await migrate(url);
  const database = openDatabase(url);
  bench.defer(() => database.close());
  await probeDatabase(database);
  return database;
}

/** What bare forks of the same bodies took. `hopsMs` is filled when one ran after the other. */
export interface Floor { readonly seconds: number; readonly hopsMs: readonly number[]; readonly faultsPerChild: number }

let floors = 0;

/** The floor: `count` bodies forked from a warm Python, `atOnce` at a time, nothing recorded. */
export async function measureFloor(bench: Workbench, what: { count: number; atOnce: number }): Promise<Floor> {
  floors += 1;
  const done = await run(bench.python, [join(HERE, 'floor.py'), String(what.count), String(what.atOnce), join(bench.folder, `floor-${floors}`)], { timeoutMs: 120_000 });
  if (done.status !== 0) throw new Error(`floor.py: ${done.stderr}`);
  const said = JSON.parse(done.stdout) as { seconds: number; hops_ms: number[]; faults_per_child: number };
  return { seconds: said.seconds, hopsMs: said.hops_ms, faultsPerChild: said.faults_per_child };
}
