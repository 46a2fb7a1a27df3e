// GET /connections and /connections/{connection_id}.
import { Type as T } from '@sinclair/typebox';
import { ConnectionCollectionResponse, ConnectionResponse } from '#contract/airflow/connection.ts';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { findConnection, listConnections } from '#store/connections.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { type HttpProblem, notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';
import { reportUnreadable } from '../../report-unreadable.ts';
import { renderConnection } from './render-connection.ts';

/** Path of one connection. */
export const CONNECTION_PARAMS = T.Object({ connection_id: T.String() });

/** 404 of a connection that is not there. */
export const connectionNotFound = (id: string): HttpProblem => notFound(`The Connection with connection_id: \`${id}\` was not found`);

/** Airflow's `get_connections`. */
export const getConnections = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, order_by: orderBy('id'), connection_id_pattern: optional(T.String()) }),
  response: ConnectionCollectionResponse,
  async run({ query, services }) {
    const { rows, total, unreadable } = await listConnections(services, query.connection_id_pattern, pageOf(query));
    reportUnreadable(services.reporter, unreadable);
    return json({ connections: rows.map(renderConnection), total_entries: total });
  },
});

/** Airflow's `get_connection`. */
export const getConnection = operation({
  params: CONNECTION_PARAMS,
  response: ConnectionResponse,
  async run({ params, services }) {
    const row = await findConnection(services, params.connection_id);
    if (row === null) throw connectionNotFound(params.connection_id);
    return json(renderConnection(row));
  },
});
