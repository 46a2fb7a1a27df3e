// Airflow's schemas of pools.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, defaulted, named, nullable, optional, strict } from './fields.ts';

export const PoolResponse = named('PoolResponse', {
  name: T.String(), slots: T.Integer(), description: T.Optional(nullable(T.String())), include_deferred: T.Boolean(), occupied_slots: T.Integer(), running_slots: T.Integer(),
  queued_slots: T.Integer(), scheduled_slots: T.Integer(), open_slots: T.Integer(), deferred_slots: T.Integer(), team_name: nullable(T.String()),
});
export type PoolResponse = Static<typeof PoolResponse>;
export const PoolCollectionResponse = collection('PoolCollectionResponse', 'pools', PoolResponse);

const slots = T.Integer({ minimum: -1 });
export const PoolBody = T.Object({
  name: T.String({ maxLength: 256, minLength: 1 }), slots, description: optional(T.String()), include_deferred: defaulted(T.Boolean(), false), team_name: optional(T.String({ maxLength: 50 })),
}, { ...strict, $id: 'PoolBody' });
export const PoolPatchBody = T.Object({
  pool: optional(T.String()), slots: optional(slots), description: optional(T.String()), include_deferred: optional(T.Boolean()), team_name: optional(T.String({ maxLength: 50 })),
}, { ...strict, $id: 'PoolPatchBody' });
