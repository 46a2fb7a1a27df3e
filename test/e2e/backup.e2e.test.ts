// A backup under load, restored for a server with another home: what was over is as it was, what was not goes on without the old home's processes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import pg from 'pg';
import { compilePython } from '#compile/from-python.ts';
import { userEnvironment } from '#platform/config.ts';
import { run as runProgram } from '#platform/exec.ts';
import { createRun } from '#store/dag-runs.ts';
import { registerVersion } from '#store/dag-versions.ts';
import type { Database } from '#store/database.ts';
import { migrate } from '#store/migrate.ts';
import { withDatabase } from '../support/database.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const SERVER = join(import.meta.dirname, '..', 'crash', 'server-process.ts');
const LIMIT_MS = 40_000;
const FINISHED_BEFORE = 6;

interface Said { readonly event: string; readonly [key: string]: unknown }
type Row = Record<string, unknown>;

/** A server with a home folder of its own; its tasks write to `ledger`. */
class Server {
  readonly home = mkdtempSync(join(tmpdir(), 'lb-'));
  readonly ledger = join(this.home, 'ledger');
  readonly said: Said[] = [];
  readonly #child: ChildProcess;
  readonly #ledgerWatcher = watch(this.home, () => this.#look());
  readonly #watchers = new Set<() => void>();
  #errors = '';

  constructor(databaseUrl: string) {
    this.#child = spawn(process.execPath, [SERVER, this.home, databaseUrl], { env: { ...userEnvironment(), LEDGER: this.ledger }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => void (this.#errors += chunk.toString()));
    if (this.#child.stdout !== null) createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.said.push(JSON.parse(line) as Said);
      this.#look();
    });
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }

  /** Lines of the ledger by phase: [execution, run id, task, word]. */
  noted(phase: string): string[][] {
    const text = existsSync(this.ledger) ? readFileSync(this.ledger, 'utf8') : '';
    return text.split('\n').filter((line) => line.startsWith(`${phase} `)).map((line) => line.split(' ').slice(1));
  }

  openGate(): void {
    writeFileSync(`${this.ledger}.gate`, '');
  }

  async until(holds: (said: readonly Said[]) => boolean, what: string): Promise<void> {
    if (holds(this.said)) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited ${LIMIT_MS} ms for: ${what}; ${this.#errors.slice(-1000)}; ${JSON.stringify(this.said.slice(-6))}`)), LIMIT_MS);
      const look = (): void => {
        if (!holds(this.said)) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
    });
  }

  async end(): Promise<void> {
    this.#ledgerWatcher.close();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.kill('SIGTERM')) await ended;
    rmSync(this.home, { recursive: true, force: true });
  }
}

async function rowsOf(client: Pick<pg.Client, 'query'>, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  return (await client.query(text, [...values])).rows as Row[];
}

async function register(database: Database): Promise<void> {
  const compiled = await compilePython({ root: join(import.meta.dirname, 'dags'), file: 'backup_load.py', python: 'python3', ...BARE_REQUEST });
  assert.equal(compiled.dags.length, 2, JSON.stringify(compiled.problems));
  for (const { dag, sources } of compiled.dags) await registerVersion(database, { dag, sources, bundle: 'backup', active: true, parseMs: null, next: null, timetable: { summary: null, description: null } });
}

async function trigger(database: Database, dagId: string, runId: string): Promise<string> {
  const created = await createRun(database, { dagId, runId, runType: 'manual', logicalDate: null, interval: null, runAfter: database.clock.nowMs(), conf: { of: runId }, triggeredBy: 'cli', user: null, note: null });
  return created.kind === 'created' ? created.run.id : assert.fail(created.kind);
}

/** Everything that is stored of finished runs, as one text a run. */
async function readFinished(client: Pick<pg.Client, 'query'>): Promise<Map<string, string>> {
  const below = ['task_instances', 'task_attempts', 'executions', 'attempt_events', 'xcoms', 'xcom_values'].map((table) => `(select json_agg(x order by x::text) from ${table} x where x.run = r.id)`);
  const rows = await rowsOf(client, `select r.id, json_build_array(to_json(r), ${below.join(', ')})::text as whole from dag_runs r where r.finished`);
  return new Map(rows.map((row) => [String(row['id']), String(row['whole'])]));
}

const listUnfinished = async (client: Pick<pg.Client, 'query'>): Promise<string[]> => (await rowsOf(client, 'select id from dag_runs where not finished order by id')).map((row) => String(row['id']));
const listOpen = (client: Pick<pg.Client, 'query'>): Promise<Row[]> => rowsOf(client, 'select id, attempt_id, run from executions where not ended order by id');

/** A pg_dump that can read this server, and its pg_restore: no older than it. */
async function findPgDump(client: pg.Client): Promise<{ dump: string; restore: string } | null> {
  const [row] = await rowsOf(client, "select current_setting('server_version_num')::int / 10000 as major");
  for (const dump of ['pg_dump', ...globSync('/usr/lib/postgresql/*/bin/pg_dump')]) {
    const told = await runProgram(dump, ['--version'], { timeoutMs: 5000 }).catch(() => null);
    const major = Number(/(\d+)(?:\.\d+)?/.exec(told?.stdout ?? '')?.[1] ?? 0);
    if (major >= Number(row?.['major'])) return { dump, restore: dump.replace(/pg_dump$/, 'pg_restore') };
  }
  return null;
}

/**
 * Backs up while the source goes on, restores into an empty database.
 * Without a pg_dump of the server's major: the rows of one snapshot table by table, which is what pg_dump reads too.
 */
async function backUp(client: pg.Client, to: { url: string; folder: string }): Promise<string> {
  const [exported] = await rowsOf(client, 'select pg_export_snapshot() as id');
  const programs = await findPgDump(client);
  if (programs === null) {
    await copySnapshot(client, to.url);
    return 'rows of one snapshot';
  }
  const source = client as pg.Client & { connectionParameters: { host: string; port: number; database: string; user: string } };
  const { host, port, database, user } = source.connectionParameters;
  const file = join(to.folder, 'dump');
  const address = ['--host', host, '--port', String(port), '--username', user];
  const dumped = await runProgram(programs.dump, [...address, '--format=custom', `--snapshot=${String(exported?.['id'])}`, '--file', file, database], { timeoutMs: LIMIT_MS });
  assert.equal(dumped.status, 0, dumped.stderr);
  const restored = await runProgram(programs.restore, [...address, '--exit-on-error', '--dbname', new URL(to.url.replace('@/', '@localhost/')).pathname.slice(1), file], { timeoutMs: LIMIT_MS });
  assert.equal(restored.status, 0, restored.stderr);
  return programs.dump;
}

async function copySnapshot(from: pg.Client, url: string): Promise<void> {
  await migrate(url);
  const to = new pg.Client(url);
  await to.connect();
  try {
    await to.query('set session_replication_role = replica');
    const tables = (await rowsOf(from, "select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1")).map((row) => String(row['name']));
    await to.query(`truncate ${tables.join(', ')}`);
    for (const table of tables) {
      const [rows] = await rowsOf(from, `select coalesce(json_agg(t), '[]')::text as all from ${table} t`);
      await to.query(`insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1)`, [rows?.['all']]);
    }
    const columns = await rowsOf(to, "select table_name, column_name from information_schema.columns where table_schema = 'public' and is_identity = 'YES'");
    for (const { table_name: table, column_name: column } of columns) await to.query(`select setval(pg_get_serial_sequence('${String(table)}', '${String(column)}'), (select coalesce(max(${String(column)}), 0) + 1 from ${String(table)}))`);
  } finally {
    await to.end();
  }
}

/** Sends a report as an agent does. @returns the HTTP status */
function send(server: Server, execution: string, token: string): Promise<number> {
  const { socket } = JSON.parse(readFileSync(join(server.home, 'run', 'agent.json'), 'utf8')) as { socket: string };
  const at = new Date().toISOString();
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method: 'POST', path: '/agent/v1/report', headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end(JSON.stringify({ execution_id: execution, outcome: 'success', started_at: at, ended_at: at }));
  });
}

interface Taken { readonly finished: Map<string, string>; readonly unfinished: string[]; readonly open: Row[]; readonly epoch: number; readonly means: string }

/** The backup, and what the same snapshot of the source says. */
async function take(source: Database, to: { url: string; folder: string }): Promise<Taken> {
  const client = new pg.Client(source.url);
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const means = await backUp(client, to);
    const [leader] = await rowsOf(client, 'select epoch from leader');
    return { finished: await readFinished(client), unfinished: await listUnfinished(client), open: await listOpen(client), epoch: Number(leader?.['epoch']), means };
  } finally {
    await client.end();
  }
}

const hasEnded = (runId: string) => (said: readonly Said[]): boolean => said.some((one) => one.event === 'run.moved' && one['run_id'] === runId && one['to'] !== 'running');

/** Triggers short runs, three at a time, until told to stop; then waits for the last. */
function keepBusy(source: Database, server: Server): { stop: () => Promise<number> } {
  let isOn = true;
  let started = 0;
  const lane = async (): Promise<void> => {
    while (isOn) {
      started += 1;
      const runId = `quick${started}`;
      await trigger(source, 'backup_quick', runId);
      await server.until(hasEnded(runId), `${runId} ends`);
    }
  };
  const lanes = Promise.all([lane(), lane(), lane()]);
  return {
    async stop() {
      isOn = false;
      await lanes;
      return started;
    },
  };
}

/** Runs with an empty database beside the given one. */
async function withEmptyDatabase<R>(beside: Database, work: (url: string) => Promise<R>): Promise<R> {
  const [row] = await rowsOf(beside.pool, "select current_database() || '_restored' as name");
  const name = String(row?.['name']);
  await beside.pool.query(`create database ${name}`);
  try {
    return await work(beside.url.replace(/\/[^/?]+(\?|$)/, `/${name}$1`));
  } finally {
    await beside.pool.query(`drop database ${name} with (force)`);
  }
}

interface Restored { readonly server: Server; readonly pool: pg.Pool; readonly taken: Taken; readonly old: Server }

/** The old home's processes live on; none of them is heard here. */
async function assertOldAgentsAreRefused({ server, pool, taken, old }: Restored): Promise<void> {
  const [execution = '', , , token = ''] = old.noted('HOLD')[0] ?? [];
  assert.ok(taken.open.some((row) => row['id'] === execution), 'the held task ran when the backup was taken');
  const before = await rowsOf(pool, 'select * from executions where id = $1', [execution]);
  assert.equal(await send(server, execution, token), 409, 'its execution is closed here: kept as history, changes nothing');
  assert.equal(await send(server, execution, 'x'.repeat(32)), 401, 'a token that is not its own');
  const [later = '', , , laterToken = ''] = old.noted('HOLD')[1] ?? [];
  assert.equal((await rowsOf(pool, 'select 1 from executions where id = $1', [later])).length, 0, 'started after the backup');
  assert.equal(await send(server, later, laterToken), 401, 'an execution that the backup does not know');
  assert.deepEqual(await rowsOf(pool, 'select * from executions where id = $1', [execution]), before);
}

/** What was not over in the backup is run again as a loss of the infrastructure, and ends. */
async function assertUnfinishedWentOn({ server, pool, taken, old }: Restored): Promise<void> {
  assert.deepEqual(await listUnfinished(pool), []);
  for (const id of taken.unfinished) assert.deepEqual(await rowsOf(pool, 'select state from dag_runs where id = $1', [id]), [{ state: 'success' }]);
  for (const { id, attempt_id: attempt } of taken.open) {
    const [closed] = await rowsOf(pool, 'select state, cause, ended from executions where id = $1', [id]);
    assert.deepEqual(closed, { state: 'lost', cause: 'lost', ended: true }, 'an execution of the old home is not adopted');
    const [again] = await rowsOf(pool, "select count(*)::int as launches, min(a.try_number) as try, bool_or(e.state = 'success') as succeeded from executions e join task_attempts a on a.id = e.attempt_id where a.id = $1", [attempt]);
    assert.deepEqual(again, { launches: 2, try: 1, succeeded: true }, 'the same try is launched again');
  }
  const known = new Set([...old.noted('VALUE'), ...old.noted('GOT'), ...old.noted('HOLD')].map(([execution]) => execution));
  const here = [...server.noted('VALUE'), ...server.noted('GOT'), ...server.noted('HOLD')].map(([execution]) => execution);
  assert.deepEqual(here.filter((execution) => known.has(execution)), [], 'no execution ran under both');
}

/** Bytes of every value are what their row says, and what the task wrote down itself. */
async function assertValuesAreWhole({ server, pool, old }: Restored): Promise<number> {
  const values = await rowsOf(pool, "select x.run, x.task_id, x.sha256, v.value, r.run_id from xcoms x join dag_runs r on r.id = x.run left join xcom_values v using (run, task_id, key, map_index)");
  const sha = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');
  const written = new Set([...old.noted('VALUE'), ...server.noted('VALUE')].map(([, runId, , hash]) => `${runId} ${hash}`));
  for (const row of values) {
    const value = row['value'] as Buffer;
    assert.equal(sha(value), (row['sha256'] as Buffer).toString('hex'));
    if (row['task_id'] !== 'produce') continue;
    const [first = ''] = JSON.parse(value.toString('utf8')) as string[];
    assert.ok(written.has(`${String(row['run_id'])} ${sha(first)}`), 'as the task wrote it down');
  }
  return values.length;
}

test('a backup under load, restored for a server with another home', { timeout: 110_000 }, async (context) => withDatabase((source) => withEmptyDatabase(source, async (url) => {
  await register(source);
  const old = new Server(source.url);
  const servers = [old];
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => undefined);
  try {
    await old.until((said) => said.some((one) => one.event === 'leader.ready'), 'the old server leads');
    await trigger(source, 'backup_held', 'held');
    const load = keepBusy(source, old);
    await old.until((said) => said.filter((one) => one.event === 'run.moved' && one['to'] === 'success').length >= FINISHED_BEFORE && old.noted('HOLD').length > 0, 'runs end and one is held');
    const taken = await take(source, { url, folder: old.home });
    await trigger(source, 'backup_held', 'held_later');
    const runs = await load.stop();
    await old.until(() => old.noted('HOLD').length > 1, 'a task that the backup does not know');
    assert.ok(taken.finished.size >= FINISHED_BEFORE - 3 && taken.finished.size < runs && taken.unfinished.length > 0, `${taken.finished.size} of ${runs} were over`);
    assert.deepEqual(await readFinished(pool), taken.finished, 'restored as it was');
    assert.deepEqual(await listUnfinished(pool), taken.unfinished);

    // As docs/guides/operations.md says: else the new server gives those of another home five minutes to be heard of.
    await pool.query('update executions set host = $1 where not ended', [hostname()]);
    const server = new Server(url);
    servers.push(server);
    const restored: Restored = { server, pool, taken, old };
    await server.until((said) => said.some((one) => one.event === 'leader.ready'), 'a server leads the restored database');
    const [leader] = await rowsOf(pool, 'select epoch from leader');
    assert.ok(Number(leader?.['epoch']) > taken.epoch, 'with a later epoch than any in the backup');
    await server.until((said) => said.some((one) => one.event === 'task.moved' && one['task_id'] === 'hold' && one['to'] === 'running'), 'the held task is launched again');
    await assertOldAgentsAreRefused(restored);
    server.openGate();
    await server.until(hasEnded('held'), 'the held run ends here');
    while ((await listUnfinished(pool)).length > 0) await new Promise((resolve) => setImmediate(resolve));
    await assertUnfinishedWentOn(restored);
    const values = await assertValuesAreWhole(restored);
    const now = await readFinished(pool);
    assert.deepEqual([...taken.finished].filter(([id, whole]) => now.get(id) !== whole), [], 'nothing that was over has changed');
    old.openGate();
    await old.until((said) => hasEnded('held')(said) && hasEnded('held_later')(said), 'the old database goes on as if nothing had been');
    context.diagnostic(`by ${taken.means}: ${taken.finished.size} finished runs, ${taken.unfinished.length} unfinished with ${taken.open.length} open executions, ${values} values`);
  } finally {
    for (const server of servers.reverse()) await server.end();
    await pool.end();
  }
})));
