// The documents below /execution: one description per version, made of the table of routes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDocument, renderExecutionApi } from './documents.ts';

const get = (path: string, query = ''): ReturnType<typeof findDocument> => findDocument({ method: 'GET', path, query });
const countOf = (version: '2026-04-06' | '2025-11-05'): number => Object.values((renderExecutionApi(version) as { paths: Record<string, object> }).paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);

test('each version is described with its own operations', () => {
  assert.deepEqual([countOf('2026-04-06'), countOf('2025-11-05')], [39, 37]);
  const { paths, components } = JSON.parse(get('/openapi.json', 'version=2026-04-06')?.body ?? '') as { paths: Record<string, Record<string, { operationId: string; parameters: { name: string }[] }>>; components: { schemas: Record<string, { required?: string[]; additionalProperties?: boolean }> } };
  assert.equal(paths['/xcoms/{dag_id}/{run_id}/{task_id}/{key}']?.['head']?.operationId, 'head_xcom');
  assert.deepEqual(paths['/dags/{dag_id}']?.['get']?.parameters.map((parameter) => parameter.name), ['dag_id', 'Airflow-API-Version']);
  assert.deepEqual([components.schemas['TIHeartbeatInfo']?.required, components.schemas['TIHeartbeatInfo']?.additionalProperties], [['hostname', 'pid'], false]);
});

test('a version that is not there has no description', () => {
  assert.deepEqual([get('/openapi.json')?.status, get('/openapi.json')?.body], [404, '{"detail":"OpenApi file of with version `None` not found"}']);
  assert.equal(get('/openapi.json', 'version=x')?.body, '{"detail":"OpenApi file of with version `x` not found"}');
});

test('pages name the versions, then their operations, and load nothing from elsewhere', () => {
  for (const path of ['/docs', '/redoc']) {
    const [all, one] = [get(path), get(path, 'version=2025-11-05')];
    assert.match(all?.body ?? '', /href="\?version=2026-04-06"/);
    assert.match(one?.body ?? '', /<td>GET<\/td><td><code>\/dag-runs\/\{dag_id\}\/previous<\/code>/);
    for (const page of [all, one]) assert.deepEqual([page?.status, page?.headers['content-type'], /https?:/.test(page?.body ?? '')], [200, 'text/html; charset=utf-8', false]);
  }
  const { versions } = JSON.parse(get('/changelog')?.body ?? '') as { versions: { value: string; changes: unknown[] }[] };
  assert.deepEqual(versions.map(({ value, changes }) => [value, changes.length]), [['2026-04-06', 8], ['2025-11-05', 0]]);
  for (const path of ['/docs/', '/health', '/openapi']) assert.equal(get(path), null);
  assert.equal(findDocument({ method: 'POST', path: '/docs', query: '' }), null);
});
