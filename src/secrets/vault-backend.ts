// Secrets in HashiCorp Vault's key-value engine, version 1 or 2, over its HTTP API.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { SecretsBackend } from '#contract/secrets.ts';
import { connectionOf } from '#core/connection-text.ts';
import { monotonicMs } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import { readConnection } from './read-connection.ts';

/** Where Vault is and how it keeps what. */
export interface VaultOptions {
  readonly url: string;
  /** Asked before each request: a file may have a fresh token. */
  readonly token: () => string;
  readonly mount: string;
  readonly kvVersion: '1' | '2';
  readonly variablesPath: string;
  readonly connectionsPath: string;
  readonly namespace: string | null;
  /** PEM; null: the authorities that Node knows. */
  readonly ca: string | null;
  readonly timeoutMs: number;
  readonly cacheMs: number;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_CACHED = 1000;
const MAX_BYTES = 1024 * 1024;

/** Answers are kept for `cacheMs`, those that say there is none as well; failures are not. */
export function createVaultBackend(options: VaultOptions): SecretsBackend {
  const name = `Vault at ${options.url}`;
  const cache = new Map<string, { readonly until: number; readonly fields: Fields | null }>();
  const find = async (path: string, id: string): Promise<Fields | null> => {
    const full = [path, id].map((part) => part.split('/').filter((step) => step !== '').map(encodeURIComponent).join('/')).filter((part) => part !== '').join('/');
    const known = cache.get(full);
    if (known !== undefined && known.until > monotonicMs()) return known.fields;
    const fields = await readFields(options, name, full);
    cache.delete(full);
    if (options.cacheMs > 0) cache.set(full, { until: monotonicMs() + options.cacheMs, fields });
    for (const oldest of cache.keys()) if (cache.size > MAX_CACHED) cache.delete(oldest);
    return fields;
  };
  return {
    name,
    async findVariable(key) {
      const fields = isPath(key) ? await find(options.variablesPath, key) : null;
      return fields === null ? null : variableOf(key, fields, name);
    },
    async findConnection(connId) {
      const fields = isPath(connId) ? await find(options.connectionsPath, connId) : null;
      return fields === null ? null : connectionFrom(connId, fields, name);
    },
  };
}

/** A name that stays below its path. */
const isPath = (id: string): boolean => id.split('/').every((step) => step !== '' && step !== '.' && step !== '..');

function variableOf(key: string, fields: Fields, name: string): string {
  const value = fields['value'];
  if (value === undefined || value === null) throw new AppError('secret_unreadable', `the variable ${key} of ${name} has no field named value`);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function connectionFrom(connId: string, fields: Fields, name: string): ConnectionValue {
  const uri = fields['conn_uri'];
  if (typeof uri === 'string') return readConnection(connId, uri, name);
  const read = connectionOf(connId, fields);
  if (read.kind === 'connection') return read.connection;
  throw new AppError('secret_unreadable', `the connection ${connId} of ${name} cannot be read: ${read.reason}`);
}

/** The fields of a secret; null for 404, which Vault also answers for one whose newest version is deleted. */
async function readFields(options: VaultOptions, name: string, path: string): Promise<Fields | null> {
  const url = `${options.url.replace(/\/+$/, '')}/v1/${options.mount.replace(/^\/+|\/+$/g, '')}/${options.kvVersion === '2' ? 'data/' : ''}${path}`;
  const { status, text } = await ask(options, url).catch((cause: unknown) => {
    throw new AppError('secrets_unavailable', `${name} does not answer (${errorText(cause)})`, { cause });
  });
  if (status === 404) return null;
  if (status === 403) throw new AppError('secrets_unavailable', `${name} refuses ${path}: its token may not read it, or is no longer valid`, { hint: 'Check the token and its policies.' });
  if (status !== 200) throw new AppError('secrets_unavailable', `${name} answered ${status} for ${path}`);
  const data = fieldOf(parse(text), 'data');
  const fields = options.kvVersion === '2' ? fieldOf(data, 'data') : data;
  if (typeof fields !== 'object' || fields === null) throw new AppError('secrets_unavailable', `${name} answered no secret for ${path}`, { hint: 'Check LEOFLOW_VAULT_KV_VERSION and LEOFLOW_VAULT_MOUNT.' });
  return fields as Fields;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const fieldOf = (value: unknown, name: string): unknown => (typeof value === 'object' && value !== null ? (value as Fields)[name] : null);

function ask(options: VaultOptions, url: string): Promise<{ status: number; text: string }> {
  const { timeoutMs, namespace, ca } = options;
  return new Promise((resolve, reject) => {
    const headers = { 'X-Vault-Token': options.token(), 'X-Vault-Request': 'true', ...(namespace === null ? {} : { 'X-Vault-Namespace': namespace }) };
    const signal = AbortSignal.timeout(timeoutMs);
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    const request = send(url, { headers, signal, agent: false, ...(ca === null ? {} : { ca }) }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) request.destroy(new Error(`its answer is larger than ${MAX_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', reject);
    });
    request.on('error', (error) => reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error));
    request.end();
  });
}
