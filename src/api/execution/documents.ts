// The documents of the Task Execution API below /execution: its OpenAPI description by version, a page that shows it, and what changed between versions.
import { EXECUTION_ROUTES } from './routes.ts';
import type { ExecutionAnswer, ExecutionRequest, ExecutionRoute } from './execution-call.ts';
import { type Json, renderParameters, renderSchema } from '../openapi.ts';
import { API_VERSIONS, type ApiVersion, isIn, VERSION_HEADER } from './versions.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const HTML_TYPE = { 'content-type': 'text/html; charset=utf-8' };

/** The document that a path names; null when it names none. Nobody has to say who asks. */
export function findDocument(request: Pick<ExecutionRequest, 'method' | 'path' | 'query'>): ExecutionAnswer | null {
  if (request.method !== 'GET') return null;
  const asked = new URLSearchParams(request.query).get('version');
  const version = API_VERSIONS.find((each) => each === asked);
  switch (request.path) {
    case '/openapi.json':
      if (version === undefined) return { status: 404, headers: JSON_TYPE, body: JSON.stringify({ detail: `OpenApi file of with version \`${asked ?? 'None'}\` not found` }) };
      return { status: 200, headers: JSON_TYPE, body: JSON.stringify(renderExecutionApi(version)) };
    case '/changelog': return { status: 200, headers: JSON_TYPE, body: JSON.stringify(CHANGELOG) };
    case '/docs': case '/redoc': return { status: 200, headers: HTML_TYPE, body: version === undefined ? VERSIONS_PAGE : pageOf(version) };
    default: return null;
  }
}

/** OpenAPI 3.1 of a version, made of the table of routes. Answers are described as the latest version has them. */
export function renderExecutionApi(version: ApiVersion): Json {
  const components: Record<string, Json> = {
    HTTPValidationError: { type: 'object', title: 'HTTPValidationError', properties: { detail: { type: 'array', items: { type: 'object' } } } },
  };
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of EXECUTION_ROUTES.filter((each) => isIn(version, each))) {
    const path = route.path.replaceAll(':path}', '}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: renderRoute(route, components) };
  }
  return {
    openapi: '3.1.0', info: { title: 'Airflow Task Execution API', version, description: 'Apache Airflow’s Task Execution API, served by Leoflow.' }, servers: [{ url: '/execution' }], paths,
    components: { schemas: components, securitySchemes: { TaskToken: { type: 'http', scheme: 'bearer' } } },
  };
}

function renderRoute(route: ExecutionRoute, components: Record<string, Json>): Json {
  const { operation } = route;
  const body = operation.bodyAs === 'text' ? {} : operation.body;
  const answer = { description: 'Successful Response', ...(operation.response === null ? {} : { content: { 'application/json': { schema: renderSchema(operation.response, components) } } }) };
  const version = { name: VERSION_HEADER, in: 'header', required: false, schema: { type: 'string', format: 'date' } };
  return {
    tags: [route.tag], operationId: route.id, summary: route.summary, ...(route.access === 'none' ? {} : { security: [{ TaskToken: [] }] }),
    parameters: [...renderParameters(operation.params, 'path', components), ...renderParameters(operation.query, 'query', components), version],
    ...(body === null ? {} : { requestBody: { required: operation.bodyAs === 'json', content: { 'application/json': { schema: operation.body === null ? {} : renderSchema(operation.body, components) } } } }),
    responses: { [String(operation.status)]: answer, 422: { description: 'Validation Error', content: { 'application/json': { schema: { $ref: '#/components/schemas/HTTPValidationError' } } } } },
  };
}

/** What stands between the versions that are served. */
const CHANGELOG = {
  versions: [
    {
      value: '2026-04-06', changes: [
        'Add the `partition_key` field to DagRun, AssetEventResponse, DagRunAssetReference and TriggerDAGRunPayload.', 'Move GET /dag-runs/{dag_id}/previous to GET /dag-runs/previous.',
        'Add GET /dag-runs/{dag_id}/{run_id}.', 'Make `start_date` of DagRun nullable for runs that have not started yet.', 'Take `trigger_kwargs` and `next_kwargs` as any JSON.',
        'Remove `upstream_map_indexes` from TIRunContext: the Task SDK computes them.', 'Add the `note` field to DagRun.', 'Add GET /dags/{dag_id}.',
      ].map((description) => ({ description, side_effects: false })),
    },
    { value: '2025-11-05', changes: [] },
  ],
};

const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const page = (body: string): string => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Airflow Task Execution API</title></head><body><h1>Airflow Task Execution API</h1>${body}</body></html>`;

const VERSIONS_PAGE = page(`<ul>${API_VERSIONS.map((version) => `<li><a href="?version=${version}">${version}</a></li>`).join('')}</ul><p><a href="changelog">What changed</a></p>`);

function pageOf(version: ApiVersion): string {
  const rows = EXECUTION_ROUTES.filter((route) => isIn(version, route)).map((route) => `<tr><td>${route.method}</td><td><code>${escapeHtml(route.path.replaceAll(':path}', '}'))}</code></td><td>${escapeHtml(route.summary)}</td></tr>`);
  return page(`<p>Version ${version}, <a href="openapi.json?version=${version}">OpenAPI document</a></p><table>${rows.join('')}</table>`);
}
