// The agent API: what children and agents call. Plain node:http, because every execution pays for it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { rmSync } from 'node:fs';
import type { AttemptService } from '#contract/attempt.ts';
import type { TriggerService } from '#contract/execution-api.ts';
import { LIMITS } from '#contract/config.ts';
import { AppError, ERRORS } from '#contract/errors.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { isRefusal } from '#store/database.ts';
import { answerExecution, isForExecution } from '../execution/mount.ts';
import type { ExecutionApi } from '../execution/serve-execution.ts';
import { parseConnectionRequest, parsePark, parseReport, parseVariableRequest, parseXComRequest } from './agent-messages.ts';
import { parseCallAnswer, parseTriggerEvents, parseTriggerWatch } from './trigger-messages.ts';

/** Listening until `close`, which cuts open calls (parked children learn it that way) and removes the socket file. */
export interface AgentServer {
  close(): Promise<void>;
}

/** `gone` makes the signal that aborts when the caller hangs up: only who waits long pays for it. */
type Handler = (service: AttemptService, call: { token: string; body: unknown; gone: () => AbortSignal }) => Promise<unknown>;

/** Every call of the agent protocol, by path. */
const CALLS: Readonly<Record<string, Handler>> = {
  '/agent/v1/park': async (service, { body, gone }) => ({ spec: await service.park({ ...parsePark(body), gone: gone() }) }),
  '/agent/v1/report': async (service, { token, body }) => {
    const answer = await service.report(token, parseReport(body));
    if (answer.kind === 'stale') throw new AppError('stale', 'this execution was closed before');
    return answer;
  },
  '/agent/v1/xcom': async (service, { token, body }) => {
    const { executionId, request } = parseXComRequest(body);
    return { value: await service.findXCom(token, executionId, request) };
  },
  '/agent/v1/variable': async (service, { token, body }) => {
    const { executionId, request } = parseVariableRequest(body);
    return { value: await service.useVariable(token, executionId, request) };
  },
  '/agent/v1/connection': async (service, { token, body }) => {
    const { executionId, connId } = parseConnectionRequest(body);
    return { connection: await service.findConnection(token, executionId, connId) };
  },
};

/** Every call of hosts, by path. */
const HOST_CALLS: Readonly<Record<string, (hosts: TriggerService, body: unknown, gone: () => AbortSignal) => Promise<unknown>>> = {
  '/agent/v1/triggers/watch': (hosts, body, gone) => hosts.watchTriggers(parseTriggerWatch(body), gone()),
  '/agent/v1/triggers/events': async (hosts, body) => {
    const { forkServerId, events } = parseTriggerEvents(body);
    return { answers: await hosts.takeTriggerEvents(forkServerId, events) };
  },
  '/agent/v1/call': async (hosts, body) => {
    const { id, answer } = parseCallAnswer(body);
    await hosts.answerCall(id, answer);
    return {};
  },
};

interface Surroundings {
  readonly reporter: Reporter;
  /** Airflow's Task Execution API, served below /execution; absent where no engine runs. */
  readonly execution?: ExecutionApi;
  /** For trigger hosts and children that make calls; absent likewise. */
  readonly hosts?: TriggerService;
}

type Listeners = Surroundings & { readonly service: AttemptService };

/** Listens on a unix socket that only this user may open. */
export function startAgentServer(socketPath: string, service: AttemptService, around: Surroundings): Promise<AgentServer> {
  rmSync(socketPath, { force: true });
  const server = createServer({ keepAlive: true, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 }, (request, response) => void answer(request, response, { service, ...around }));
  server.timeout = 0;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => resolve({ close: () => close(server, socketPath) }));
  });
}

function close(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
    rmSync(socketPath, { force: true });
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, to: Listeners): Promise<void> {
  try {
    if (to.execution !== undefined && isForExecution(request.url)) return await answerExecution(to.execution, { request, response, body: await readBody(request) });
    send(response, 200, await answerAgent(request, to));
  } catch (error) {
    if (!request.socket.destroyed) sendFailure(response, error, { reporter: to.reporter, where: `agent ${request.url}` });
  }
}

async function answerAgent(request: IncomingMessage, to: Listeners): Promise<unknown> {
  const path = request.method === 'POST' ? (request.url ?? '') : '';
  const [hostCall, handler] = [HOST_CALLS[path], CALLS[path]];
  const gone = (): AbortSignal => signalOf(request.socket);
  const read = async (): Promise<unknown> => JSON.parse((await readBody(request)).toString('utf8'));
  if (hostCall !== undefined && to.hosts !== undefined) return hostCall(to.hosts, await read(), gone);
  if (handler === undefined) throw new AppError('not_found', `there is no ${request.method} ${request.url}`);
  return handler(to.service, { token: (request.headers.authorization ?? '').replace(/^Bearer /, ''), body: await read(), gone });
}

function sendFailure(response: ServerResponse, error: unknown, at: { readonly reporter: Reporter; readonly where: string }): void {
  const failure = error instanceof SyntaxError ? new AppError('invalid_json', error.message) : error;
  if (failure instanceof AppError) return send(response, ERRORS[failure.code].status, { code: failure.code, detail: failure.message });
  at.reporter.report({ event: 'failure', where: at.where, error: errorText(error) });
  // The database refused what this report holds; asking again would not help. Everything else is worth another try.
  const isFinal = isRefusal(error);
  send(response, isFinal ? 422 : 503, { code: isFinal ? 'invalid_value' : 'database_unavailable', detail: errorText(error) });
}

function signalOf(socket: Socket): AbortSignal {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  return gone.signal;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const payload = Buffer.from(JSON.stringify(body), 'utf8');
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': payload.length });
  response.end(payload);
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LIMITS.maxReportBytes) reject(new AppError('too_large', `the body is larger than ${LIMITS.maxReportBytes} bytes`));
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
  });
}
