// A proxy before the Task Execution API that writes down who asked for what, in words that two servers have in common.
import { createServer, type IncomingMessage, request as forward, type RequestOptions, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call: when it came, whose it was (the bearer), and the call itself. */
interface Call { readonly bearer: string; readonly line: string; readonly dagId: string | null }

/** Listening until `close`. */
export interface RecordingProxy {
  /** Port, or null on a socket. */
  readonly port: number | null;
  /** By DAG: one list of calls per task instance and try, sorted. */
  read(): Record<string, string[][]>;
  close(): Promise<void>;
}

/**
 * @param to where requests go: host and port, or a socket
 * @param on a socket to listen on; absent: any port of loopback
 */
export async function startRecordingProxy(to: () => Pick<RequestOptions, 'host' | 'port' | 'socketPath'>, on?: string): Promise<RecordingProxy> {
  const calls: Call[] = [];
  const server = createServer({ keepAlive: true }, (request, response) => void relay({ request, response }, to(), calls));
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => (on === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(on, resolve)));
  return {
    port: on === undefined ? (server.address() as AddressInfo).port : null,
    read: () => grouped(calls),
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

async function relay({ request, response }: { request: IncomingMessage; response: ServerResponse }, to: Pick<RequestOptions, 'host' | 'port' | 'socketPath'>, calls: Call[]): Promise<void> {
  const body = await readAll(request);
  const asked = forward({ ...to, method: request.method, path: request.url, headers: { ...request.headers, 'accept-encoding': 'identity' } }, (answer) => {
    void readAll(answer).then((content) => {
      note(calls, request, { status: answer.statusCode ?? 0, body, content });
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.end(content);
    });
  });
  asked.on('error', () => response.destroy());
  // A caller that hangs up must be seen to hang up.
  response.on('close', () => asked.destroy());
  asked.end(body);
}

function note(calls: Call[], request: IncomingMessage, seen: { status: number; body: Buffer; content: Buffer }): void {
  const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '');
  const url = new URL(request.url ?? '/', 'http://proxy');
  // When a heartbeat comes is a matter of time.
  if (!url.pathname.startsWith('/execution/') || url.pathname.endsWith('/heartbeat')) return;
  const isRun = url.pathname.endsWith('/run');
  const dagId = isRun && seen.status === 200 ? (JSON.parse(seen.content.toString()) as { dag_run: { dag_id: string } }).dag_run.dag_id : null;
  const path = decodeURIComponent(url.pathname).replace('/execution', '').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{ti}').replace(/(?:triggered__)?manual__[^/]*/g, '{run}');
  const query = [...url.searchParams].map(([name, value]) => `${name}=${value.replace(/(?:triggered__)?manual__.*/, '{run}')}`).sort().join('&');
  calls.push({ bearer: subjectOf(bearer), dagId, line: [request.method, `${path}${query === '' ? '' : `?${query}`}`, ...detailOf(url.pathname, seen.body), seen.status].join(' ') });
}

/** What of a body two servers have in common and a reader wants to see. */
function detailOf(path: string, body: Buffer): string[] {
  if (!/\/(state|skip-downstream)$/.test(path) || body.length === 0) return [];
  const given = JSON.parse(body.toString()) as { state?: string; tasks?: unknown[] };
  // Which of several comes first is up to Python's sets.
  return [given.state ?? `[${(given.tasks ?? []).map((one) => JSON.stringify(one)).sort((a, b) => (a < b ? -1 : 1)).join(',')}]`];
}

/** Airflow's token is a JWT whose subject is the task instance; ours begins with the execution. */
function subjectOf(bearer: string): string {
  const [first = '', second = ''] = bearer.split('.');
  if (!bearer.startsWith('ey')) return first;
  return (JSON.parse(Buffer.from(second, 'base64url').toString()) as { sub: string }).sub;
}

function grouped(calls: readonly Call[]): Record<string, string[][]> {
  const groups = new Map<string, { dagId: string | null; lines: string[] }>();
  for (const call of calls) {
    const group = groups.get(call.bearer) ?? { dagId: null, lines: [] };
    groups.set(call.bearer, group);
    group.dagId ??= call.dagId;
    // Whoever waits asks the same again and again.
    if (group.lines.at(-1) !== call.line) group.lines.push(call.line);
  }
  const byDag: Record<string, string[][]> = {};
  for (const { dagId, lines } of groups.values()) if (dagId !== null) (byDag[dagId] ??= []).push(...byRun(lines));
  for (const lists of Object.values(byDag)) lists.sort((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1));
  return Object.fromEntries(Object.entries(byDag).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A bearer may begin several times (Airflow keeps the task instance through a deferral): one list for each. */
function byRun(lines: readonly string[]): string[][] {
  const lists: string[][] = [];
  for (const line of lines) {
    if (/^PATCH .*\/run /.test(line) || lists.length === 0) lists.push([]);
    lists.at(-1)?.push(line);
  }
  return lists;
}

function readAll(stream: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
  });
}
