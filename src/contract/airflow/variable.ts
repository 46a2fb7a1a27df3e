// Airflow's schemas of variables. What a body leaves out stays undefined: a patch changes only what it names.
import { type Static, Type as T } from '@sinclair/typebox';
import { bulkBody } from './bulk.ts';
import { collection, Json, named, nullable, strict } from './fields.ts';

export const VariableResponse = named('VariableResponse', { key: T.String(), value: T.String(), description: nullable(T.String()), is_encrypted: T.Boolean(), team_name: nullable(T.String()) });
export type VariableResponse = Static<typeof VariableResponse>;
export const VariableCollectionResponse = collection('VariableCollectionResponse', 'variables', VariableResponse);

export const VariableBody = T.Object({
  key: T.String({ maxLength: 250 }), value: Json, description: T.Optional(nullable(T.String())), team_name: T.Optional(nullable(T.String({ maxLength: 50 }))),
}, { ...strict, $id: 'VariableBody' });
export type VariableBody = Static<typeof VariableBody>;
export const BulkVariableBody = bulkBody(VariableBody, 'VariableBody');
