// The API's own OpenAPI document, derived from the table of routes and the schemas of its operations.
import { Kind, OptionalKind, type TObject, type TSchema } from '@sinclair/typebox';
import type { Route } from './routes.ts';

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** OpenAPI 3.1 of the operations that are part of this version. */
export function renderOpenApi(routes: readonly Route[], version: string): Json {
  const components: Record<string, Json> = {};
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    if (route.operation === undefined) continue;
    const path = `/api/v2${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: renderOperation(route, components) };
  }
  components['HTTPExceptionResponse'] = { type: 'object', title: 'HTTPExceptionResponse', required: ['detail'], properties: { detail: { anyOf: [{ type: 'string' }, { type: 'object' }] } } };
  components['HTTPValidationError'] = { type: 'object', title: 'HTTPValidationError', properties: { detail: { type: 'array', items: { type: 'object' } } } };
  return {
    openapi: '3.1.0',
    info: { title: 'Leoflow API', version, description: 'Apache Airflow 3.2’s stable REST API, served by Leoflow. Get a token from POST /auth/token.' },
    paths,
    components: { schemas: components, securitySchemes: { HTTPBearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
}

function renderOperation(route: Route, components: Record<string, Json>): Json {
  const operation = route.operation;
  if (operation === undefined) return {};
  const parameters = [...renderParameters(operation.params, 'path', components), ...renderParameters(operation.query, 'query', components)];
  const problem = { 'application/json': { schema: { $ref: '#/components/schemas/HTTPExceptionResponse' } } };
  return {
    tags: [route.tag],
    operationId: route.id,
    ...(route.access === 'none' ? {} : { security: [{ HTTPBearer: [] }] }),
    parameters,
    ...(operation.body === null ? {} : { requestBody: { required: true, content: { 'application/json': { schema: renderSchema(operation.body, components) } } } }),
    responses: {
      [String(operation.status)]: operation.response === null ? { description: 'Successful Response' } : { description: 'Successful Response', content: { 'application/json': { schema: renderSchema(operation.response, components) } } },
      ...(route.access === 'none' ? {} : { 401: { description: 'Unauthorized', content: problem }, 403: { description: 'Forbidden', content: problem } }),
      ...(parameters.length > 0 || operation.body !== null ? { 422: { description: 'Validation Error', content: { 'application/json': { schema: { $ref: '#/components/schemas/HTTPValidationError' } } } } } : {}),
    },
  };
}

/** Parameters of a place, each with its schema. */
export function renderParameters(schema: TObject, place: 'path' | 'query', components: Record<string, Json>): Json[] {
  return Object.entries(schema.properties).map(([name, property]) => ({ name, in: place, required: place === 'path' || isRequired(property), schema: renderSchema(property, components) }));
}

/** A field that must be given: neither optional nor with a default. */
export function isRequired(schema: TSchema): boolean {
  return schema[OptionalKind] === undefined && !('default' in schema);
}

/** JSON Schema of a schema; named ones become components. */
export function renderSchema(schema: TSchema, components: Record<string, Json>): Json {
  const name = schema.$id;
  if (name === undefined || !/^\w+$/.test(name)) return renderPlain(schema, components);
  if (!(name in components)) {
    components[name] = {};
    components[name] = { title: name, ...renderPlain(schema, components) };
  }
  return { $ref: `#/components/schemas/${name}` };
}

function renderPlain(schema: TSchema, components: Record<string, Json>): Json {
  switch (schema[Kind]) {
    case 'Object': {
      const properties = schema['properties'] as Record<string, TSchema>;
      const required = Object.entries(properties).filter(([, property]) => isRequired(property)).map(([name]) => name);
      return {
        type: 'object', properties: Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, renderSchema(property, components)])),
        ...(required.length > 0 ? { required } : {}), ...('additionalProperties' in schema ? { additionalProperties: schema['additionalProperties'] } : {}),
      };
    }
    case 'Array': return { type: 'array', items: renderSchema(schema['items'] as TSchema, components), ...defaultOf(schema) };
    case 'Tuple': return { type: 'array', prefixItems: (schema['items'] as TSchema[]).map((item) => renderSchema(item, components)) };
    case 'Union': return { anyOf: (schema['anyOf'] as TSchema[]).map((member) => renderSchema(member, components)), ...defaultOf(schema) };
    case 'Record': return { type: 'object', additionalProperties: true };
    default: {
      const { $id: _id, aware: _aware, ...plain } = schema;
      return plain as Json;
    }
  }
}

function defaultOf(schema: TSchema): Json {
  return 'default' in schema && schema.default !== null ? { default: schema.default } : {};
}
