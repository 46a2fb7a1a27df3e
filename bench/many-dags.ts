// 10,000 registered DAGs with schedules: what an idle server costs, and how long their list takes.
import { performance } from 'node:perf_hooks';
import { nextRun } from '#core/timetable.ts';
import type { Database } from '#store/database.ts';
import type { EmbeddedPostgres } from '#store/embedded-postgres.ts';
import { registerVersion } from '#store/dag-versions.ts';
import { dagOf, task } from '../test/support/rows.ts';
import { type Measured, quantile, renderNumber } from './figures.ts';
import { cpuOf, cpuOfTree, pssOf } from './processes.ts';
import { adminHeaders, startServer } from './server-process.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const DAGS = 10_000;
const IDLE_SECONDS = 20;
const REQUESTS = 400;

/** Registers DAGs of five tasks each, unpaused, with a daily schedule whose next slot is not due while we look. */
export async function registerMany(database: Database, count: number): Promise<void> {
  const source = Buffer.from('from airflow.sdk import dag\n');
  const now = Date.now();
  // Due in at least two hours from now, whatever the time is.
  const hour = (new Date(now).getUTCHours() + 3) % 24;
  const register = async (at: number): Promise<void> => {
    const dag = dagOf(`dag_${String(at).padStart(5, '0')}`, Array.from({ length: 5 }, (_, n) => task(`task_${n}`, n === 0 ? [] : [`task_${n - 1}`])), {
      timetable: { kind: 'cron', expressions: [`${at % 60} ${hour} * * *`], timezone: 'UTC' }, start_date: '2026-01-01T00:00:00Z', tags: [`team_${at % 20}`], owners: ['airflow'],
    });
    const next = nextRun(dag.timetable, { now, last: null, start: Date.parse('2026-01-01T00:00:00Z'), end: null, catchup: false });
    // The slot before now is due at once without catchup: the plan starts with the one after it.
    const future = next !== null && next.runAfter <= now ? { ...next, runAfter: next.runAfter + 86_400_000, logicalDate: (next.logicalDate ?? next.runAfter) + 86_400_000 } : next;
    await registerVersion(database, { dag, sources: [{ path: 'dag.py', content: source }], bundle: 'bench', active: true, parseMs: 10, next: future, timetable: { summary: 'daily', description: null } });
  };
  for (let at = 0; at < count; at += 8) await Promise.all(Array.from({ length: Math.min(8, count - at) }, (_, n) => register(at + n)));
}

async function timeRequests(url: string, headers: Record<string, string>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < REQUESTS; at += 1) {
    const started = performance.now();
    const response = await fetch(url.replace('{offset}', String((at * 50) % DAGS)), { headers });
    const text = await response.text();
    times.push(performance.now() - started);
    if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text.slice(0, 300)}`);
  }
  return times;
}

/** Percent of a core over a while in which nobody asks for anything. */
async function measureIdle(server: { readonly pid: number }, postgres: { readonly pid: number }): Promise<{ node: number; postgres: number }> {
  const before = { node: cpuOf(server.pid), postgres: cpuOfTree(postgres.pid) };
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const ms = performance.now() - started;
  return { node: ((cpuOf(server.pid) - before.node) / ms) * 100, postgres: ((cpuOfTree(postgres.pid) - before.postgres) / ms) * 100 };
}

/** The same server without a DAG, percent of a core. */
async function measureIdleEmpty(bench: Workbench, postgres: EmbeddedPostgres): Promise<number> {
  const empty = await openMigrated(bench, postgres, 'empty');
  const server = await startServer(bench, { home: 'empty', databaseUrl: empty.url });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const idle = await measureIdle(server, postgres);
  await server.kill();
  return idle.node + idle.postgres;
}

/** The case. */
export async function measureManyDags(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const database = await openMigrated(bench, postgres);
  const idleEmpty = await measureIdleEmpty(bench, postgres);
  const begun = performance.now();
  await registerMany(database, DAGS);
  const registered = (performance.now() - begun) / 1000;
  await database.pool.query('vacuum analyze');
  const server = await startServer(bench, { home: 'home', databaseUrl: database.url });
  const headers = await adminHeaders();
  await timeRequests(`${server.url}/api/v2/dags?limit=50`, headers);
  // Background work of the registration and of the requests dies down first.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const runs = Number((await database.pool.query<{ n: string }>('select count(*) as n from dag_runs')).rows[0]?.n);
  if (runs > 0) throw new Error(`${runs} runs were made: the server was not idle`);
  const idle = await measureIdle(server, postgres);
  const version = await timeRequests(`${server.url}/api/v2/version`, headers);
  const first = await timeRequests(`${server.url}/api/v2/dags?limit=50`, headers);
  const pages = await timeRequests(`${server.url}/api/v2/dags?limit=50&offset={offset}`, headers);
  const list = (name: string, q: number, target: number | null) => ({
    name, unit: 'ms' as const, target: target === null ? null : { of: 'value' as const, atMost: target }, rounds: [quantile(first, q)], base: { name: 'GET /version', rounds: [quantile(version, q)] },
  });
  return {
    figures: [
      { name: '10,000 DAGs, idle: server and PostgreSQL', unit: '% of a core', target: { of: 'value', atMost: 5 }, rounds: [idle.node + idle.postgres], base: { name: 'the same server without a DAG', rounds: [idleEmpty] } },
      list('10,000 DAGs: GET /dags?limit=50, p50', 0.5, null),
      list('10,000 DAGs: GET /dags?limit=50, p99', 0.99, 50),
    ],
    details: [
      `Idle for ${IDLE_SECONDS} s: server ${renderNumber(idle.node)} %, PostgreSQL ${renderNumber(idle.postgres)} % of a core. All DAGs are unpaused and have a schedule; no slot is due. Registering them took ${registered.toFixed(0)} s, eight at a time.`,
      `${REQUESTS} requests one after the other over HTTP with a token, each answer read whole. Every page of the list in turn (offset 0 to 9,950): p50 ${renderNumber(quantile(pages, 0.5))}, p99 ${renderNumber(quantile(pages, 0.99))} ms. The server's memory then: ${pssOf(server.pid).toFixed(0)} MB (PSS).`,
    ],
  };
}
