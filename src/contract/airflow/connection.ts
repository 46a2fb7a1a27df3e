// Airflow's schemas of connections. What a body leaves out stays undefined: a patch changes only what it names.
import { type Static, Type as T } from '@sinclair/typebox';
import { bulkBody } from './bulk.ts';
import { collection, named, nullable, strict } from './fields.ts';

const text = nullable(T.String());

export const ConnectionResponse = named('ConnectionResponse', {
  connection_id: T.String(), conn_type: T.String(), description: text, host: text, login: text, schema: text, port: nullable(T.Integer()), password: text, extra: text, team_name: text,
});
export type ConnectionResponse = Static<typeof ConnectionResponse>;
export const ConnectionCollectionResponse = collection('ConnectionCollectionResponse', 'connections', ConnectionResponse);

const given = T.Optional(text);
export const ConnectionBody = T.Object({
  connection_id: T.String({ maxLength: 200, pattern: '^[\\w.-]+$' }), conn_type: T.String(), description: given, host: given, login: given, schema: given, port: T.Optional(nullable(T.Integer())),
  password: given, extra: given, team_name: T.Optional(nullable(T.String({ maxLength: 50 }))),
}, { ...strict, $id: 'ConnectionBody' });
export type ConnectionBody = Static<typeof ConnectionBody>;
export const BulkConnectionBody = bulkBody(ConnectionBody, 'ConnectionBody');
export const ConnectionTestResponse = named('ConnectionTestResponse', { status: T.Boolean(), message: T.String() });
