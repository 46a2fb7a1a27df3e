// Airflow's Task Execution API as a function from request to answer; servers mount it.
import type { TSchema } from '@sinclair/typebox';
import type { TaskCaller } from '#contract/execution-api.ts';
import { MASK } from '#core/sensitive.ts';
import { errorText } from '#platform/report.ts';
import { checkJson, notJson, parseJsonBody } from '../json-body.ts';
import { withoutSecrets } from '../operation.ts';
import { HttpProblem, invalid, type ValidationProblem } from '../problems.ts';
import { readValue } from '../validate.ts';
import type { AnyCall, ExecutionAnswer, ExecutionOperation, ExecutionRequest, ExecutionRoute, ExecutionServices, Outcome } from './execution-call.ts';
import { findDocument } from './documents.ts';
import { createMatcher } from './match-path.ts';
import { failureOf, refusal } from './refusals.ts';
import { EXECUTION_ROUTES } from './routes.ts';
import { API_VERSIONS, type ApiVersion, isIn, LATEST_VERSION, versionFor } from './versions.ts';

/** The API, ready to be mounted. It answers every request and never throws. */
export interface ExecutionApi {
  handle(request: ExecutionRequest): Promise<ExecutionAnswer>;
}

const MATCHERS = new Map(API_VERSIONS.map((version) => [version, createMatcher(EXECUTION_ROUTES.filter((route) => isIn(version, route)))]));
const JSON_TYPE = 'application/json';

/** Puts the API together. */
export function createExecutionApi(services: ExecutionServices): ExecutionApi {
  return {
    async handle(request) {
      const headers: Record<string, string> = { 'airflow-api-version': request.headers['airflow-api-version'] ?? LATEST_VERSION };
      const correlation = request.headers['correlation-id'];
      if (correlation !== undefined) headers['correlation-id'] = correlation;
      const answer = await answerOf(services, request).catch((error: unknown) => answerFailure(services, request, error));
      return { ...answer, headers: { ...answer.headers, ...headers } };
    },
  };
}

function answerFailure(services: ExecutionServices, request: ExecutionRequest, error: unknown): ExecutionAnswer {
  const { status, body, isBug } = failureOf(error);
  const correlation = request.headers['correlation-id'];
  if (isBug) services.reporter.report({ event: 'failure', where: `${request.method} /execution${request.path}`, error: errorText(error) });
  const shown = isBug && correlation !== undefined ? { ...(body as object), 'correlation-id': correlation } : body;
  return { status, headers: { 'content-type': JSON_TYPE }, body: request.method === 'HEAD' ? null : JSON.stringify(shown) };
}

async function answerOf(services: ExecutionServices, request: ExecutionRequest): Promise<ExecutionAnswer> {
  const document = findDocument(request);
  if (document !== null) return document;
  const version = versionFor(request.headers['airflow-api-version']);
  const match = MATCHERS.get(version)?.(request.method, request.path);
  if (match === undefined || match.kind === 'no_route') return answerNoRoute(match?.allowed ?? []);
  const { route, params } = match;
  const caller = await admit(services, request, { route, params });
  const outcome = await route.operation.run(read(route.operation, request, { services, caller, params, version }));
  return render(route.operation, outcome, version);
}

function answerNoRoute(allowed: readonly string[]): ExecutionAnswer {
  if (allowed.length === 0) return { status: 404, headers: { 'content-type': JSON_TYPE }, body: '{"detail":"Not Found"}' };
  return { status: 405, headers: { 'content-type': JSON_TYPE, allow: allowed.join(', ') }, body: '{"detail":"Method Not Allowed"}' };
}

/** Only operations without a caller see this one. */
const NOBODY = null as unknown as TaskCaller;

/** Who calls, and whether he may. Throws Airflow's 401 and 403. */
async function admit(services: ExecutionServices, request: ExecutionRequest, to: { route: ExecutionRoute; params: Readonly<Record<string, string>> }): Promise<TaskCaller> {
  const { access, operation } = to.route;
  if (access === 'none') return NOBODY;
  const bearer = /^bearer\s+(.+)$/i.exec(request.headers['authorization'] ?? '')?.[1];
  if (bearer === undefined) throw new HttpProblem(401, 'Missing auth token');
  const caller = await services.service.identify(bearer);
  if (access === 'execution' && caller.kind !== 'execution') throw new HttpProblem(403, `Token type '${caller.kind}' not allowed for this endpoint. Allowed types: execution`);
  if (caller.kind === 'callback' && !isForCallbacks(to.route)) throw new HttpProblem(403, `A callback may not call ${to.route.id}`);
  if (access !== 'token' && to.params['task_instance_id']?.toLowerCase() !== caller.attemptId) throw new HttpProblem(403, 'Token subject does not match task instance ID');
  if (operation.needsOpen && !caller.isOpen) throw refusal(409, { reason: 'invalid_state', message: 'The execution that this token names has ended, so it changes nothing any more' });
  return caller;
}

/** As Airflow's processor of DAG files: reads, and variables. */
function isForCallbacks({ method, tag }: ExecutionRoute): boolean {
  return method === 'GET' || method === 'HEAD' || tag === 'Variables';
}

interface Known {
  readonly services: ExecutionServices;
  readonly caller: TaskCaller;
  readonly params: Readonly<Record<string, string>>;
  readonly version: ApiVersion;
}

/** Checks path, query and body; all problems are told at once. */
function read(operation: ExecutionOperation, request: ExecutionRequest, known: Known): AnyCall {
  const bodyText = operation.bodyAs === 'none' ? '' : textOf(request.body);
  if (operation.bodyAs === 'text' && bodyText !== '') checkJson(bodyText);
  const given = operation.bodyAs === 'json' && bodyText !== '' ? parseJsonBody(bodyText) : undefined;
  const problems: ValidationProblem[] = [];
  const checked = (schema: TSchema, value: unknown, place: string): unknown => {
    const done = readValue(schema, value, [place]);
    problems.push(...done.problems);
    return done.value;
  };
  const params = checked(operation.params, known.params, 'path');
  const query = checked(operation.query, queryOf(request.query), 'query');
  let body: unknown;
  if (operation.body !== null && given === undefined) problems.push({ type: 'missing', loc: ['body'], msg: 'Field required', input: null });
  else if (operation.body !== null) body = checked(operation.body, given, 'body');
  if (problems.length > 0) throw invalid(problems.map((problem) => (operation.isSecret ? { ...problem, input: MASK } : withoutSecrets(problem))));
  return { services: known.services, caller: known.caller, version: known.version, headers: request.headers, params, query, body, bodyText };
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw notJson('');
  }
}

function queryOf(query: string): Record<string, string | string[]> {
  const read: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const known = Object.hasOwn(read, name) ? read[name] : undefined;
    read[name] = known === undefined ? value : [known, value].flat();
  }
  return read;
}

function render(operation: ExecutionOperation, outcome: Outcome, version: ApiVersion): ExecutionAnswer {
  const { status, downgrade } = operation;
  if (outcome.kind === 'nothing') return { status, headers: { ...outcome.headers }, body: null };
  if (outcome.kind === 'text') return { status, headers: { 'content-type': JSON_TYPE }, body: outcome.text };
  const value = version === LATEST_VERSION || downgrade === undefined ? outcome.value : downgrade(outcome.value);
  return { status: outcome.status ?? status, headers: { 'content-type': JSON_TYPE }, body: JSON.stringify(value) };
}
