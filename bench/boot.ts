// From the start of the process to ready: `leoflow lite` with its embedded PostgreSQL, the first time and again, and `leoflow server`.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { userEnvironment } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import type { Measured } from './figures.ts';
import { startServer } from './server-process.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const PROGRAM = join(import.meta.dirname, '..', 'bin', 'leoflow');
const EXAMPLE = join(import.meta.dirname, '..', 'examples', 'demo', 'branch_retry_join.py');

/** Starts lite on a home folder, waits for its word, and ends it. @returns seconds to `ready` */
async function bootLite(bench: Workbench, home: string): Promise<number> {
  const dags = join(bench.folder, 'dags');
  mkdirSync(dags, { recursive: true });
  copyFileSync(EXAMPLE, join(dags, 'example.py'));
  const started = performance.now();
  const child = spawn(PROGRAM, ['lite', dags, '--home', home, '--port', '0'], { env: { ...userEnvironment(), LEOFLOW_PYTHON: bench.python }, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  };
  bench.defer(end);
  const seconds = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve((performance.now() - started) / 1000);
    });
    child.once('exit', (code) => reject(new Error(`lite ended with ${code}`)));
  });
  await end();
  return seconds;
}

async function bareNode(): Promise<number> {
  const started = performance.now();
  await run(process.execPath, ['-e', '0'], { timeoutMs: 10_000 });
  return (performance.now() - started) / 1000;
}

/** The case. */
export async function measureBoot(bench: Workbench): Promise<Measured> {
  const [first, again, server, floor] = [[], [], [], []] as [number[], number[], number[], number[]];
  const postgres = await startPostgres(bench);
  const database = await openMigrated(bench, postgres);
  for (let round = 0; round < bench.rounds; round += 1) {
    floor.push(await bareNode());
    const home = join(bench.folder, `h${round}`);
    mkdirSync(home, { mode: 0o711 });
    first.push(await bootLite(bench, home));
    again.push(await bootLite(bench, home));
    const started = await startServer(bench, { home: `s${round}`, databaseUrl: database.url });
    server.push(started.bootMs / 1000);
    await started.stop();
  }
  const base = { name: 'node -e 0', rounds: floor };
  return {
    figures: [
      { name: 'boot to ready, embedded store, first time', unit: 's', target: { of: 'value', atMost: 5 }, rounds: first, base },
      { name: 'boot to ready, embedded store, again', unit: 's', target: { of: 'value', atMost: 2 }, rounds: again, base },
      { name: '`leoflow server` to ready and leading', unit: 's', target: { of: 'value', atMost: 2 }, rounds: server, base },
    ],
    details: ['From the start of the process to `ready`: lite has then a database, an admin, a listening API, a leader and one DAG file compiled and registered. The first time makes the cluster, and as root also a copy of PostgreSQL\'s binaries for the user it runs as.'],
  };
}
