// PostgreSQL for tests: one cluster per process, one migrated template, a clone of it per database asked for.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { type Database, openDatabase, probeDatabase } from '#store/database.ts';
import { type EmbeddedPostgres, startThrowawayPostgres } from '#store/embedded-postgres.ts';
import { migrate } from '#store/migrate.ts';

interface Cluster {
  /** Connection string of a database by its name. */
  readonly urlOf: (name: string) => string;
  stop(): Promise<void>;
}

const TEMPLATE = `leoflow_test_${process.pid}`;
let cluster: Promise<Cluster> | null = null;
let made = 0;
const open = new Set<Database>();
const names = new Set<string>();

/** A migrated, empty database of its own. Closed and dropped when the process's tests are over. */
export async function testDatabase(): Promise<Database> {
  cluster ??= startCluster();
  const { urlOf } = await cluster;
  made += 1;
  const name = `${TEMPLATE}_${made}`;
  await withClient(urlOf('postgres'), (client) => client.query(`create database ${name} template ${TEMPLATE}`));
  names.add(name);
  const database = openDatabase(urlOf(name));
  await probeDatabase(database);
  open.add(database);
  return database;
}

/** Connection string of an empty database of its own, for tables that are not ours. Dropped when the process's tests are over. */
export async function emptyTestDatabase(): Promise<string> {
  cluster ??= startCluster();
  const { urlOf } = await cluster;
  made += 1;
  const name = `${TEMPLATE}_${made}`;
  await withClient(urlOf('postgres'), (client) => client.query(`create database ${name} template template0`));
  names.add(name);
  return urlOf(name);
}

/** Runs with a database of its own. */
export async function withDatabase<R>(work: (database: Database) => Promise<R>): Promise<R> {
  const database = await testDatabase();
  try {
    return await work(database);
  } finally {
    open.delete(database);
    await database.close();
  }
}

async function startCluster(): Promise<Cluster> {
  const given = process.env['LEOFLOW_TEST_DATABASE_URL'];
  const started = given === undefined || given === '' ? await startOwn() : external(given);
  await withClient(started.urlOf('postgres'), (client) => client.query(`create database ${TEMPLATE}`));
  names.add(TEMPLATE);
  await migrate(started.urlOf(TEMPLATE));
  return started;
}

function external(url: string): Cluster {
  const urlOf = (name: string): string => {
    const parsed = new URL(url);
    parsed.pathname = `/${name}`;
    return parsed.toString();
  };
  return {
    urlOf,
    stop: () => withClient(urlOf('postgres'), async (client) => {
      for (const name of names) await client.query(`drop database if exists ${name} with (force)`);
    }),
  };
}

/** The template cluster is made once per machine and user; each test process starts a copy. */
async function startOwn(): Promise<Cluster> {
  const base = join(tmpdir(), `leoflow-test-postgres-${process.getuid?.() ?? 0}`);
  mkdirSync(base, { recursive: true });
  // As root the server runs as another user, who must be able to walk to its folder.
  chmodSync(base, 0o711);
  const folder = mkdtempSync(join(base, 'c'));
  const server: EmbeddedPostgres = await startThrowawayPostgres(join(base, 'template'), folder);
  return { urlOf: (name) => server.url.replace('/postgres?', `/${name}?`), stop: () => server.stop() };
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

after(async () => {
  for (const database of open) await database.close();
  await (await cluster)?.stop();
});
