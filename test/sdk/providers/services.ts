// The services that tasks of providers talk to: PostgreSQL, Redis, and FTP, SFTP, SMTP, HTTP and S3 of servers.py, with passwords of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { emptyTestDatabase } from '../../support/database.ts';
import { TestRedis } from '../../support/redis.ts';

const USER = 'tester';
const NAMES = ['ftp', 'sftp', 'smtp', 'http', 's3'] as const;
type Name = (typeof NAMES)[number];

/** A mail as it reached the sink. */
export interface Mail { readonly from: string; readonly to: readonly string[]; readonly subject: string; readonly text: string }
/** What the HTTP and SMTP servers were sent. */
export interface Received { readonly orders: readonly { item: string }[]; readonly mails: readonly Mail[] }
/** A connection as the public API takes it. */
export type ConnectionBody = Readonly<Record<string, string | number>> & { readonly connection_id: string; readonly conn_type: string };

/** All of them, started together. */
export class Services {
  /** Passwords of the services, which no log may hold. */
  readonly secrets: Readonly<Record<Name | 'postgres' | 'hidden', string>>;
  readonly folder: string;
  readonly redis: TestRedis;
  readonly databaseUrl: string;
  readonly #child: ChildProcess;
  readonly #ports: Readonly<Record<Name, number>>;
  readonly #redisPort: number;

  private constructor(of: Pick<Services, 'secrets' | 'folder' | 'redis' | 'databaseUrl'> & { child: ChildProcess; ports: Record<Name, number>; redisPort: number }) {
    ({ secrets: this.secrets, folder: this.folder, redis: this.redis, databaseUrl: this.databaseUrl, child: this.#child, ports: this.#ports, redisPort: this.#redisPort } = of);
  }

  /**
   * @param python interpreter that holds what servers.py imports
   * @param folder of the files that are sent and received
   */
  static async start(python: string, folder: string): Promise<Services> {
    mkdirSync(folder, { recursive: true });
    const makeSecret = (name: string): string => `${name}-${randomBytes(9).toString('hex')}`;
    const secrets = { ftp: makeSecret('ftp'), sftp: makeSecret('sftp'), smtp: makeSecret('smtp'), http: makeSecret('http'), s3: makeSecret('s3'), postgres: makeSecret('postgres'), hidden: makeSecret('hidden') };
    const passwords = Object.fromEntries(NAMES.map((name) => [`PROVIDERS_PASSWORD_${name.toUpperCase()}`, secrets[name]]));
    const child = spawn(python, [join(import.meta.dirname, 'servers.py'), folder], { env: { ...process.env, ...passwords }, stdio: ['pipe', 'pipe', 'ignore'] });
    const redisPort = await freePort();
    const [ports, redis, databaseUrl] = await Promise.all([readPorts(child), TestRedis.start({ port: String(redisPort), bind: '127.0.0.1', appendonly: 'no' }), emptyTestDatabase()]);
    return new Services({ secrets, folder, redis, databaseUrl, child, ports, redisPort });
  }

  /** How tasks reach them. */
  connections(): ConnectionBody[] {
    const { secrets } = this;
    const at = (connType: string, name: Name): { conn_type: string; host: string; port: number; login: string; password: string } =>
      ({ conn_type: connType, host: '127.0.0.1', port: this.#ports[name], login: USER, password: secrets[name] });
    return [
      this.#postgres('warehouse', secrets.postgres),
      { connection_id: 'shelf', conn_type: 'sqlite', host: join(this.folder, 'shelf.db') },
      { connection_id: 'cache', conn_type: 'redis', host: '127.0.0.1', port: this.#redisPort },
      { connection_id: 'disk', conn_type: 'fs', extra: JSON.stringify({ path: this.folder }) },
      { connection_id: 'dropbox', ...at('ftp', 'ftp') },
      { connection_id: 'vault', ...at('sftp', 'sftp'), extra: JSON.stringify({ no_host_key_check: 'true' }) },
      { connection_id: 'shop', ...at('http', 'http') },
      ...['post', 'smtp_default'].map((id) => ({ connection_id: id, ...at('smtp', 'smtp'), extra: JSON.stringify({ disable_ssl: true, disable_tls: true, from_email: 'flow@example.com' }) })),
      { connection_id: 'lake', conn_type: 'aws', login: USER, password: secrets.s3, extra: JSON.stringify({ endpoint_url: this.#url('s3'), region_name: 'us-east-1' }) },
    ];
  }

  /** The same database under a name and password that no API was told. */
  hiddenConnection(): ConnectionBody {
    return this.#postgres('hidden', this.secrets.hidden);
  }

  /** What was sent by HTTP and SMTP until now. */
  async received(): Promise<Received> {
    return (await (await fetch(`${this.#url('http')}/received`)).json()) as Received;
  }

  /** Text of an object in S3; null when there is none. */
  async readObject(path: string): Promise<string | null> {
    const answer = await fetch(`${this.#url('s3')}/${path}`, { headers: { authorization: `AWS4-HMAC-SHA256 Credential=${USER}/20260101/us-east-1/s3/aws4_request` } });
    const text = await answer.text();
    return answer.status === 404 ? null : text;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill();
    await ended;
    await this.redis[Symbol.asyncDispose]();
  }

  #url(name: Name): string {
    return `http://127.0.0.1:${this.#ports[name]}`;
  }

  #postgres(id: string, password: string): ConnectionBody {
    const url = new URL(this.databaseUrl.replace('@/', '@localhost/'));
    return { connection_id: id, conn_type: 'postgres', host: url.searchParams.get('host') ?? url.hostname, port: Number(url.port || 5432), login: decodeURIComponent(url.username), password: decodeURIComponent(url.password) || password, schema: url.pathname.slice(1) };
  }
}

async function readPorts(child: ReturnType<typeof spawn>): Promise<Record<Name, number>> {
  if (child.stdout === null) throw new Error('its output is not read');
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as Record<Name, number>;
  throw new Error(`servers.py ended with ${child.exitCode}: run bin/setup`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
