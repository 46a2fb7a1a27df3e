// POST and PATCH /connections, PATCH and DELETE /connections/{connection_id}, POST /connections/test.
import { Type as T } from '@sinclair/typebox';
import { BulkResponse } from '#contract/airflow/bulk.ts';
import { BulkConnectionBody, ConnectionBody, ConnectionResponse, ConnectionTestResponse } from '#contract/airflow/connection.ts';
import { many } from '#contract/airflow/fields.ts';
import { fieldsOf } from '#core/connection-text.ts';
import { MASK, mayHoldMask, unmaskText } from '#core/sensitive.ts';
import { changeConnection, type ChangedConnection, type Connection, createConnection, deleteConnection as deleteRow, type KnownConnection, listConnectionIds, setConnection } from '#store/connections.ts';
import type { Vault } from '#store/variables.ts';
import { type BulkKind, runBulk } from '../../bulk.ts';
import { empty, json, NO_PARAMS, operation } from '../../operation.ts';
import { badRequest, HttpProblem, invalid, uniqueViolation } from '../../problems.ts';
import { CONNECTION_PARAMS, connectionNotFound } from './get-connections.ts';
import { renderConnection } from './render-connection.ts';

/** Airflow's `post_connection`. */
export const postConnection = operation({
  params: NO_PARAMS,
  body: ConnectionBody,
  response: ConnectionResponse,
  status: 201,
  async run({ body, services }) {
    const connection = connectionOf(body);
    if (!(await createConnection(services, connection))) throw uniqueViolation();
    return json(renderConnection(connection));
  },
});

/** Airflow's `patch_connection`. A mask that comes back keeps what it hides; an empty password changes nothing. */
export const patchConnection = operation({
  params: CONNECTION_PARAMS,
  query: T.Object({ update_mask: many(T.String()) }),
  body: ConnectionBody,
  response: ConnectionResponse,
  async run({ params, query, body, services }) {
    if (body.connection_id !== params.connection_id) throw badRequest('The connection_id in the request body does not match the URL parameter');
    const changed = await changeConnection(services, params.connection_id, (known) => patched(known, body, query.update_mask));
    if (changed === null) throw connectionNotFound(params.connection_id);
    return json(renderConnection(changed));
  },
});

const FIELDS = ['conn_type', 'description', 'host', 'login', 'schema', 'port'] as const;

function patched(known: KnownConnection, body: ConnectionBody, mask: readonly string[]): ChangedConnection {
  const isMeant = (field: keyof ConnectionBody): boolean => body[field] !== undefined && (mask.length === 0 || mask.includes(field));
  const { reveal: _, ...plain } = known;
  const given = Object.fromEntries(FIELDS.filter(isMeant).map((field) => [field, body[field]]));
  const password = isMeant('password') ? passwordOf(body) : null;
  return { ...plain, ...given, ...(password === null || password === MASK ? {} : { password }), ...(isMeant('extra') ? keptExtra(known, body) : {}) };
}

/** The extra to store; none when the one that is stored stays. That is read only where a mask may stand for a part of it. */
function keptExtra(known: KnownConnection, body: ConnectionBody): Pick<ChangedConnection, 'extra'> {
  if (body.extra === MASK) return {};
  const extra = extraOf(body);
  const stored = extra !== null && mayHoldMask(extra) ? known.reveal('extra') : null;
  return { extra: extra === null || stored === null ? extra : unmaskText(extra, stored) };
}

const passwordOf = (body: ConnectionBody): string | null => (body.password === '' ? null : (body.password ?? null));

/** An empty text stands for an empty object. Throws 422 when it is no JSON object. */
function extraOf({ extra }: ConnectionBody): string | null {
  if (extra === undefined || extra === null) return null;
  if (extra === '') return '{}';
  if (fieldsOf(extra) !== null) return extra;
  const where = /^\s*[[\d"tfn-]/.test(extra) ? '' : ', but encountered non-JSON in `extra` field';
  throw invalid([{ type: 'value_error', loc: ['body', 'extra'], msg: `Value error, The \`extra\` field must be a valid JSON object (e.g., {'key': 'value'})${where}`, input: MASK, ctx: { error: {} } }]);
}

function connectionOf(body: ConnectionBody): Connection {
  const { connection_id: id, conn_type: type, description = null, host = null, login = null, schema = null, port = null } = body;
  return { conn_id: id, conn_type: type, description, host, login, schema, port, password: passwordOf(body), extra: extraOf(body) };
}

/** Airflow's `delete_connection`. */
export const deleteConnection = operation({
  params: CONNECTION_PARAMS,
  response: null,
  async run({ params, services }) {
    if (!(await deleteRow(services, params.connection_id))) throw connectionNotFound(params.connection_id);
    return empty;
  },
});

/** Airflow's `test_connection`, which its default settings refuse: hooks run in tasks, never in the server. */
export const testConnection = operation({
  params: NO_PARAMS,
  body: ConnectionBody,
  response: ConnectionTestResponse,
  run: () => Promise.reject(new HttpProblem(403, 'Testing connections is disabled in Airflow configuration. Contact your deployment admin to enable it.')),
});

/** Airflow's `bulk_connections`. */
export const bulkConnections = operation({
  params: NO_PARAMS,
  body: BulkConnectionBody,
  response: BulkResponse,
  async run({ body, services }) {
    return json(await runBulk(kindOf(services), body.actions));
  },
});

const kindOf = (vault: Vault): BulkKind<ConnectionBody> => ({
  words: ['connections', 'connection_ids'],
  idOf: (body) => body.connection_id,
  listKnown: (ids) => listConnectionIds(vault, ids),
  put: async (body) => {
    const replaced = await changeConnection(vault, body.connection_id, (known) => {
      const { password, ...given } = connectionOf({ ...body, extra: null });
      return { ...given, ...(password === MASK ? {} : { password }), ...keptExtra(known, body) };
    });
    if (replaced === null) await setConnection(vault, connectionOf(body));
  },
  update: async (body, mask) => void (await changeConnection(vault, body.connection_id, (known) => patched(known, body, mask))),
  remove: async (id) => void (await deleteRow(vault, id)),
});
