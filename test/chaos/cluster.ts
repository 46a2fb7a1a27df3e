// A PostgreSQL of our own that is stopped, killed and started again under load.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { sleep } from '#platform/clock.ts';
import { isAlive, killProcess } from '#platform/exec.ts';
import { startEmbeddedPostgres, startThrowawayPostgres } from '#store/embedded-postgres.ts';
import { migrate } from '#store/migrate.ts';

const TEMPLATE = 'chaos_template';

/** One per proof; each fault has a database of its own in it. */
export class Cluster {
  readonly folder: string;
  #url: string;
  #pid: number;
  #made = 0;

  private constructor(folder: string, server: { url: string; pid: number }) {
    this.folder = folder;
    this.#url = server.url;
    this.#pid = server.pid;
  }

  static async start(): Promise<Cluster> {
    const base = join(tmpdir(), `leoflow-test-postgres-${process.getuid?.() ?? 0}`);
    mkdirSync(base, { recursive: true });
    // As root PostgreSQL runs as another user, who must be able to walk to its folder.
    chmodSync(base, 0o711);
    const folder = mkdtempSync(join(base, 'x'));
    const cluster = new Cluster(folder, await startThrowawayPostgres(join(base, 'template'), folder));
    await cluster.query(`create database ${TEMPLATE}`);
    await migrate(cluster.urlOf(TEMPLATE));
    return cluster;
  }

  get socketFile(): string {
    return join(this.folder, 'socket', '.s.PGSQL.5432');
  }

  urlOf(database: string): string {
    return this.#url.replace('/postgres?', `/${database}?`);
  }

  /** A migrated, empty database. @returns its name */
  async makeDatabase(): Promise<string> {
    this.#made += 1;
    const name = `chaos_${this.#made}`;
    await this.query(`create database ${name} template ${TEMPLATE}`);
    return name;
  }

  async query(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client(this.urlOf('postgres'));
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** `fast` ends every session in order, `immediate` is a crash that recovers from its log. Resolves when it accepts connections again. */
  async restart(how: 'fast' | 'immediate', downMs: number): Promise<void> {
    killProcess(this.#pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    while (isAlive(this.#pid)) await sleep(5);
    await sleep(downMs);
    this.#pid = (await startEmbeddedPostgres(this.folder)).pid;
  }

  async stop(): Promise<void> {
    killProcess(this.#pid, 'SIGQUIT');
    while (isAlive(this.#pid)) await sleep(5);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
