// The API as commands use it: which server, which token, and its refusals as failures of the catalogue.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, type ErrorCode } from '#contract/errors.ts';
import type { CliContext } from './context.ts';

/** Flags that choose the server. */
export interface ServerOptions {
  /** --server */
  readonly server?: string;
}

/** A query parameter; a list repeats it, null leaves it out. */
type Query = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;

/** A server as commands see it. */
export interface ApiClient {
  readonly url: string;
  /** Asks below /api/v2 and reads JSON. Throws what the answer means. */
  json<R>(method: Method, path: string, more?: { query?: Query; body?: unknown }): Promise<R>;
  /** Asks and hands the lines of the answer on as they come. */
  lines(path: string, more: { query?: Query; onLine: (line: string) => void }): Promise<void>;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** The client of the server that the flag, LEOFLOW_SERVER_URL or the home folder's `server.json` names. */
export function openClient(context: CliContext, options: ServerOptions): ApiClient {
  const config = context.readConfig(options.server === undefined ? {} : { LEOFLOW_SERVER_URL: options.server });
  const home = context.homeOf(config);
  const url = (config.LEOFLOW_SERVER_URL ?? readServerFile(home)).replace(/\/+$/, '');
  const token = config.LEOFLOW_TOKEN ?? readText(join(home, 'token'))?.trim() ?? null;
  const ask = (method: Method, path: string, more: { query?: Query; body?: unknown; accept: string }): Promise<Response> => send(context, {
    method, url: `${url}/api/v2${path}${renderQuery(more.query ?? {})}`, token, accept: more.accept, body: more.body,
  });
  return {
    url,
    async json<R>(method: Method, path: string, more: { query?: Query; body?: unknown } = {}): Promise<R> {
      const response = await ask(method, path, { ...more, accept: 'application/json' });
      return (response.status === 204 ? null : await response.json()) as R;
    },
    async lines(path, { query, onLine }) {
      const response = await ask('GET', path, { query: query ?? {}, accept: 'application/x-ndjson' });
      await eachLine(response, onLine);
    },
  };
}

/** A path segment as URLs want it. */
export const segment = (text: string): string => encodeURIComponent(text);

interface Request { readonly method: Method; readonly url: string; readonly token: string | null; readonly accept: string; readonly body: unknown }

/** Sends one request. Throws `server_unreachable` when nobody answers, and what a refusal means otherwise. */
async function send(context: CliContext, request: Request): Promise<Response> {
  const headers: Record<string, string> = { accept: request.accept };
  if (request.token !== null) headers['authorization'] = `Bearer ${request.token}`;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  const response = await reach(context, request.url, { method: request.method, headers, ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }) });
  if (!response.ok) throw await refusalOf(response, request.token !== null);
  return response;
}

/** A request that may find nobody. */
export async function reach(context: CliContext, url: string, init: RequestInit): Promise<Response> {
  try {
    return await (context.fetch ?? fetch)(url, { ...init, signal: context.stop });
  } catch (cause) {
    if (context.stop.aborted) throw new AppError('interrupted', 'interrupted', { cause });
    throw new AppError('server_unreachable', `no Leoflow server answers at ${new URL(url).origin}`, { cause });
  }
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'usage', 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 413: 'too_large', 422: 'invalid_value', 429: 'too_many_requests', 501: 'unsupported', 503: 'database_unavailable',
};

/** An answer that is no success as a failure of the catalogue, in the server's words. */
export async function refusalOf(response: Response, hadToken: boolean): Promise<AppError> {
  const text = await response.text();
  const message = detailOf(text) ?? `the server answered ${response.status}`;
  const code = CODES[response.status] ?? 'bug';
  if (code === 'unauthenticated' && !hadToken) return new AppError(code, 'the server wants a token');
  // The server's own hint is part of its text; the one of `usage` is about commands.
  if (code === 'usage') return new AppError(code, message, { hint: 'Correct what the server names and try again.' });
  return new AppError(code, message);
}

function detailOf(text: string): string | null {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
    if (Array.isArray(detail)) return detail.map((problem: { loc?: unknown[]; msg?: string }) => `${(problem.loc ?? []).slice(1).join('.')}: ${problem.msg ?? ''}`).join('\n');
    if (typeof detail === 'object' && detail !== null && 'reason' in detail) return detail.reason === 'Unique constraint violation' ? 'there is one of this name or date already' : String(detail.reason);
  } catch {
    // No JSON: the status has to do.
  }
  return null;
}

function readServerFile(home: string): string {
  const text = readText(join(home, 'server.json'));
  const url = text === null ? null : (JSON.parse(text) as { url?: unknown }).url;
  if (typeof url !== 'string') throw new AppError('server_unreachable', 'no server is known', { hint: 'Start one with `leoflow lite DIR`, pass --server URL, or set LEOFLOW_SERVER_URL.' });
  return url;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function renderQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) parameters.append(name, String(item));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

async function eachLine(response: Response, onLine: (line: string) => void): Promise<void> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  }
  if (rest !== '') onLine(rest);
}

/** Every page of a list, at most 10,000 rows. */
export async function listAll<R>(client: ApiClient, path: string, list: { key: string; query?: Query }): Promise<R[]> {
  const rows: R[] = [];
  while (rows.length < 10_000) {
    const page = await client.json<Record<string, unknown>>('GET', path, { query: { ...list.query, limit: 100, offset: rows.length } });
    const found = page[list.key] as R[];
    rows.push(...found);
    if (found.length === 0 || rows.length >= Number(page['total_entries'])) break;
  }
  return rows;
}
