// Our operations against Airflow's own released OpenAPI document: all paths and methods, and for what is built its parameters and schemas.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TSchema } from '@sinclair/typebox';
import { parse } from 'yaml';
import { renderSchema } from '#api/openapi.ts';
import { AIRFLOW_ROUTES, type Route } from '#api/routes.ts';

const WHEEL = process.env['LEOFLOW_TEST_AIRFLOW_WHEEL'] ?? '';
const skip = WHEEL === '' && 'set LEOFLOW_TEST_AIRFLOW_WHEEL to the folder that `pip download --no-deps apache-airflow-core==3.2.1 && unzip apache_airflow_core-*.whl -d FOLDER` fills';

interface Schema { $ref?: string; type?: string; properties?: Record<string, Schema>; required?: string[]; anyOf?: Schema[]; items?: Schema; additionalProperties?: unknown; enum?: string[] }
interface Parameter { name: string; in: string; required?: boolean }
interface Content { content?: Record<string, { schema?: Schema }> }
interface Operation { operationId: string; parameters?: Parameter[]; requestBody?: Content; responses: Record<string, Content> }
interface Document { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, Schema> } }

const document: Document = WHEEL === '' ? { paths: {}, components: { schemas: {} } } : (parse(readFileSync(join(WHEEL, 'airflow', 'api_fastapi', 'core_api', 'openapi', 'v2-rest-api-generated.yaml'), 'utf8')) as Document);
const theirs = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ id: operation.operationId, method: method.toUpperCase(), path: path.replace('/api/v2', ''), operation })));
const byId = new Map(theirs.map((each) => [each.id, each]));
const built = AIRFLOW_ROUTES.filter((route) => route.operation !== undefined);

test('all 110 operations have a row, with their paths and methods', { skip }, () => {
  const lineOf = (each: { id: string; method: string; path: string }): string => `${each.id} ${each.method} ${each.path}`;
  assert.equal(AIRFLOW_ROUTES.length, 110);
  assert.deepEqual(AIRFLOW_ROUTES.map(lineOf).sort(), theirs.map(lineOf).sort());
});

function operationOf(route: Route): Operation {
  const found = byId.get(route.id);
  assert.ok(found, route.id);
  return found.operation;
}

const names = (parameters: readonly Parameter[], place: string): string[] => parameters.filter((each) => each.in === place).map((each) => each.name).sort();

test('what is built takes the same path and query parameters', { skip }, () => {
  for (const route of built) {
    const parameters = operationOf(route).parameters ?? [];
    assert.deepEqual(Object.keys(route.operation?.params.properties ?? {}).sort(), names(parameters, 'path'), `${route.id}: path`);
    assert.deepEqual(Object.keys(route.operation?.query.properties ?? {}).sort(), names(parameters, 'query'), `${route.id}: query`);
  }
});

/** Schemas that were compared, so that each is compared once. */
const compared = new Set<string>();

function resolve(schema: Schema | undefined, components: Record<string, Schema>): Schema {
  const name = schema?.$ref?.split('/').at(-1);
  return name === undefined ? (schema ?? {}) : (components[name] ?? {});
}

const isNullable = (schema: Schema): boolean => schema.anyOf?.some((member) => member.type === 'null') ?? false;

/** Names, required names and nullable names of an object's fields, and the same of every named schema below it. */
function compareObjects(mine: Schema | undefined, other: Schema | undefined, at: { where: string; components: Record<string, Schema> }): void {
  const name = other?.$ref?.split('/').at(-1);
  if (name !== undefined) {
    if (compared.has(name)) return;
    compared.add(name);
  }
  const own = resolve(mine, at.components);
  const their = resolve(other, document.components.schemas);
  if (their.anyOf !== undefined) return compareUnions(own, their, at);
  if (their.items !== undefined) return compareObjects(own.items, their.items, { ...at, where: `${at.where}[]` });
  if (their.enum !== undefined) return assert.deepEqual([...(own.enum ?? [])].sort(), [...their.enum].sort(), at.where);
  if (their.properties !== undefined) compareFields(own, { ...their, properties: their.properties }, { ...at, where: name ?? at.where });
}

type Place = { where: string; components: Record<string, Schema> };

function compareFields(own: Schema, their: Schema & { properties: Record<string, Schema> }, at: Place): void {
  const place = at.where;
  const fields = Object.keys(their.properties).sort();
  assert.deepEqual(Object.keys(own.properties ?? {}).sort(), fields, `${place}: fields`);
  assert.deepEqual([...(own.required ?? [])].sort(), [...(their.required ?? [])].sort(), `${place}: required`);
  if (their.additionalProperties === false) assert.equal(own.additionalProperties, false, `${place}: refuses unknown keys`);
  const nullable = (schema: Schema): string[] => fields.filter((field) => isNullable(resolve(schema.properties?.[field], {})));
  assert.deepEqual(nullable(own), nullable(their), `${place}: nullable`);
  for (const field of fields) compareObjects(own.properties?.[field], their.properties[field], { ...at, where: `${place}.${field}` });
}

function compareUnions(own: Schema, their: Schema, at: { where: string; components: Record<string, Schema> }): void {
  const members = (schema: Schema): Schema[] => (schema.anyOf ?? [schema]).filter((member) => member.type !== 'null');
  const ours = members(own);
  members(their).forEach((member, index) => compareObjects(ours.find((each) => each.$ref !== undefined && each.$ref === member.$ref) ?? ours[index], member, at));
}

function ourSchema(schema: TSchema): { schema: Schema; components: Record<string, Schema> } {
  const components: Record<string, Record<string, unknown>> = {};
  return { schema: renderSchema(schema, components) as Schema, components: components as Record<string, Schema> };
}

test('what is built answers the same status with the same fields', { skip }, () => {
  for (const route of built) {
    const operation = operationOf(route);
    const status = String(route.operation?.status);
    // Its document says 200 for delete_dag, its program answers 204.
    if (route.id !== 'delete_dag') assert.ok(status in operation.responses, `${route.id}: ${status}`);
    const their = operation.responses[status]?.content?.['application/json']?.schema;
    const own = route.operation?.response ?? null;
    if (their === undefined || own === null || Object.keys(their).length === 0) continue;
    const { schema, components } = ourSchema(own);
    compareObjects(schema, their, { where: route.id, components });
  }
});

test('what is built takes the same bodies', { skip }, () => {
  for (const route of built) {
    const their = operationOf(route).requestBody?.content?.['application/json']?.schema;
    const own = route.operation?.body ?? null;
    assert.equal(own === null, their === undefined, `${route.id}: has a body`);
    if (own === null || their === undefined) continue;
    const { schema, components } = ourSchema(own);
    compareObjects(schema, their, { where: route.id, components });
  }
});
