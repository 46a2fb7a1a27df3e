// The public HTTP API as a Fastify server: every route with its access, one place for failures, one event per request.
import compress from '@fastify/compress';
import formbody from '@fastify/formbody';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify';
import { Readable } from 'node:stream';
import type { Config } from '#contract/config.ts';
import type { ValueReader } from '#contract/value-store.ts';
import type { LogStore } from '#logs/log-store.ts';
import type { KeySource } from '#platform/key-file.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { type Database, probeDatabase, translateDatabaseError } from '#store/database.ts';
import { authorize } from './auth/authenticate.ts';
import { addLogin } from './auth/login.ts';
import { type Access, roleFor } from './auth/roles.ts';
import { readSigningKey } from './auth/tokens.ts';
import { auditRequest } from './audit.ts';
import { addDocs } from './docs.ts';
import { addExecution, EXECUTION_PREFIX } from './execution/mount.ts';
import type { ExecutionApi } from './execution/serve-execution.ts';
import { parseJsonBody } from './json-body.ts';
import type { Answer, Person, RawCall, Services } from './operation.ts';
import { answerOf, HttpProblem } from './problems.ts';
import { ROUTES, type Route } from './routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call: see auth/roles.ts. */
    access?: Access;
  }
}

/** Routes that need no session. Whatever is not named here must name its access, or the server does not start. */
const PUBLIC = [
  'GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /openapi.json', 'GET /docs', 'GET /docs/*', 'POST /auth/token', 'POST /auth/token/cli',
  'GET /api/v2/monitor/health', 'GET /api/v2/version', 'GET /api/v2/auth/login', 'GET /api/v2/auth/logout',
];

/** What the composition root hands over. */
export interface ApiOptions {
  readonly database: Database;
  readonly config: Config;
  readonly logs: LogStore;
  /** XComs whose bytes lie outside PostgreSQL. */
  readonly values?: ValueReader | null;
  /** The keys of variables and connections. */
  readonly keys: KeySource;
  readonly reporter: Reporter;
  /** Version of this program. */
  readonly version: string;
  /** True when this server is being stopped: /readyz says so. */
  readonly isStopping?: () => boolean;
  /** Airflow's Task Execution API below /execution; absent where no engine runs. */
  readonly execution?: ExecutionApi;
  /** Operations of other parts of the system, below /api/v2. */
  readonly moreRoutes?: readonly Route[];
}

const PREFIX = '/api/v2';
/** Run ids and keys are up to 250 characters, each up to nine when percent-encoded. */
const MAX_PARAMETER_LENGTH = 2500;
/** Path parameters that may hold `/`. */
const GREEDY = ['pool_name', 'variable_key', 'xcom_key'];

/** Builds the server; the caller listens and closes. Reads (or makes) the signing key, so the database must be there. */
export async function buildApi(options: ApiOptions): Promise<FastifyInstance> {
  const { database, config, logs, reporter, version } = options;
  const stop = new AbortController();
  const services: Services = { database, config, logs, values: options.values ?? null, keys: options.keys, reporter, version, signingKey: await readSigningKey(database, config), stopping: stop.signal };
  const app = Fastify({ bodyLimit: config.LEOFLOW_MAX_BODY_BYTES, exposeHeadRoutes: false, forceCloseConnections: true, routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH } });
  app.addHook('preClose', () => Promise.resolve(stop.abort()));
  readBodies(app);
  app.addHook('onRoute', requireAccess);
  app.addHook('onResponse', (request, reply, done) => {
    reporter.report({ event: 'http.request', method: request.method, route: request.routeOptions.url ?? 'unknown', status: reply.statusCode, ms: Math.round(reply.elapsedTime * 1000) / 1000 });
    done();
  });
  app.setErrorHandler((error, request, reply) => sendError(services, error, { request, reply }));
  app.setNotFoundHandler(sendNotFound);
  await app.register(formbody);
  // Streams of lines are not compressed: each line must arrive when it is written.
  await app.register(compress, { global: true, threshold: 1024, encodings: ['gzip'], zlibOptions: { level: 5 }, customTypes: /^(application\/(json|javascript)|text\/)/ });
  addLogin(app, services);
  addProbes(app, services, options.isStopping ?? (() => false));
  const routes = [...ROUTES, ...(options.moreRoutes ?? [])];
  addDocs(app, { routes, version, requireAuth: config.LEOFLOW_DOCS_REQUIRE_AUTH, signingKey: services.signingKey });
  for (const route of routes) addOperation(app, services, route);
  // An XCom may be larger than any other body; a DAG that allows still larger ones pushes them through the agents' socket.
  if (options.execution !== undefined) addExecution(app, options.execution, Math.max(config.LEOFLOW_MAX_BODY_BYTES, config.LEOFLOW_XCOM_MAX_BYTES));
  return app;
}

/** JSON that cannot be read is FastAPI's 422; other types reach the operation as text, which refuses them. */
function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, body: string | Buffer): unknown => {
    const text = String(body);
    if (text === '') return undefined;
    const type = request.headers['content-type'];
    if (type !== undefined && !/json/i.test(type)) return text;
    return parseJsonBody(text);
  };
  for (const type of ['application/json', '*']) {
    app.addContentTypeParser(type, { parseAs: 'string' }, (request, body, done) => {
      try {
        done(null, parse(request, body));
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}

function requireAccess(route: RouteOptions): void {
  for (const method of [route.method].flat()) {
    const isPublic = PUBLIC.includes(`${method} ${route.url}`) || route.url === `${EXECUTION_PREFIX}/*`;
    const access = route.config?.access;
    if (isPublic !== (access === undefined || access === 'none')) throw new Error(`${method} ${route.url} is ${isPublic ? 'listed as public but names an access' : 'neither public nor does it name its access'}`);
    if (access !== undefined) roleFor(access);
  }
}

function addProbes(app: FastifyInstance, services: Services, isStopping: () => boolean): void {
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    if (isStopping()) return reply.code(503).send({ status: 'not ready', detail: 'this server is being stopped' });
    try {
      await probeDatabase(services.database);
      return { status: 'ready' };
    } catch (error) {
      return reply.code(503).send({ status: 'not ready', detail: errorText(error) });
    }
  });
  app.get('/metrics', async (_request, reply) => reply.type(services.reporter.metrics.contentType).send(await services.reporter.metrics.metrics()));
}

function addOperation(app: FastifyInstance, services: Services, route: Route): void {
  const greedy = GREEDY.find((name) => route.path.endsWith(`/{${name}}`));
  const path = route.path.replace(/\{(\w+)\}/g, (_all: string, name: string) => (name === greedy ? '*' : `:${name}`));
  const needed = roleFor(route.access);
  app.route({
    method: route.method,
    url: PREFIX + path,
    config: { access: route.access },
    ...(route.maxBody === 'push' ? { bodyLimit: services.config.LEOFLOW_MAX_PUSH_BYTES } : {}),
    async onRequest(request) {
      people.set(request, needed === null ? NOBODY : await authorize(services.signingKey, request.headers, needed));
    },
    async handler(request, reply) {
      if (route.operation === undefined) throw new HttpProblem(501, `${route.id} is not part of this version yet`);
      const call = rawCall(services, request, { reply, greedy });
      const answer = await route.operation.handle(call);
      if (route.audit) await auditRequest(services, route, call);
      return sendAnswer(reply, answer, route.operation.status);
    },
  });
}

const NOBODY: Person = { name: '', role: 'viewer' };
const people = new WeakMap<FastifyRequest, Person>();

function rawCall(services: Services, request: FastifyRequest, more: { reply: FastifyReply; greedy: string | undefined }): RawCall {
  const gone = new AbortController();
  more.reply.raw.once('close', () => gone.abort());
  const params = request.params as Record<string, string>;
  const named = more.greedy === undefined ? params : { ...params, [more.greedy]: params['*'] };
  return { services, person: people.get(request) ?? NOBODY, params: named, query: request.query, body: request.body, headers: request.headers, gone: gone.signal };
}

function sendAnswer(reply: FastifyReply, answer: Answer, status: number): FastifyReply {
  switch (answer.kind) {
    case 'empty': return reply.code(204).send();
    case 'json': return reply.code(answer.status ?? status).type('application/json').send(JSON.stringify(answer.value));
    case 'text': return reply.code(answer.status ?? status).headers({ ...answer.headers }).type(answer.type).send(answer.text);
    case 'stream': return reply.code(status).headers({ ...answer.headers }).type(answer.type).send(Readable.from(answer.chunks));
  }
}

function sendError(services: Services, error: unknown, at: { request: FastifyRequest; reply: FastifyReply }): FastifyReply {
  const translated = translateDatabaseError(error);
  const answer = answerOf(translated);
  if (answer.isBug) services.reporter.report({ event: 'failure', where: `${at.request.method} ${at.request.routeOptions.url ?? 'unknown'}`, error: errorText(error) });
  if (answer.status === 401) void at.reply.header('WWW-Authenticate', 'Bearer');
  if (answer.status === 429) void at.reply.header('Retry-After', '60');
  return typeof answer.body === 'string' ? at.reply.code(answer.status).type('text/plain; charset=utf-8').send(answer.body) : at.reply.code(answer.status).type('application/json').send(JSON.stringify(answer.body));
}

/** Airflow's words for paths that are not there. */
function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?')[0] ?? '';
  if (path === '/health') return reply.code(404).send({ error: 'Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`' });
  if (path.startsWith('/api/v1/')) return reply.code(404).send({ error: '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.' });
  if (path.startsWith('/api/')) return reply.code(404).send({ error: 'API route not found' });
  return reply.code(404).send({ detail: 'Not Found' });
}
