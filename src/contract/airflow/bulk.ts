// Airflow's bulk requests: lists of creations, updates and deletions of one kind of thing.
import { type Static, type TObject, Type as T } from '@sinclair/typebox';
import { defaulted, named, nullable, optional, strict, words } from './fields.ts';

const onExistence = defaulted(words(['fail', 'skip', 'overwrite']), 'fail');
const onAbsence = defaulted(words(['fail', 'skip']), 'fail');

/** `BulkBody[X]` of a body named X. */
export function bulkBody<E extends TObject>(entity: E, name: string) {
  const create = T.Object({ action: T.Literal('create'), entities: T.Array(entity), action_on_existence: onExistence }, { ...strict, $id: `BulkCreateAction_${name}_` });
  const update = T.Object({ action: T.Literal('update'), entities: T.Array(entity), update_mask: optional(T.Array(T.String())), action_on_non_existence: onAbsence }, { ...strict, $id: `BulkUpdateAction_${name}_` });
  const remove = T.Object({ action: T.Literal('delete'), entities: T.Array(T.Union([T.String(), entity])), action_on_non_existence: onAbsence }, { ...strict, $id: `BulkDeleteAction_${name}_` });
  return T.Object({ actions: T.Array(T.Union([create, update, remove], { discriminator: { propertyName: 'action' } })) }, { ...strict, $id: `BulkBody_${name}_` });
}

export const BulkActionResponse = named('BulkActionResponse', { success: T.Optional(T.Array(T.String())), errors: T.Optional(T.Array(T.Record(T.String(), T.Unknown()))) });
export type BulkActionResponse = Static<typeof BulkActionResponse>;
export const BulkResponse = named('BulkResponse', { create: T.Optional(nullable(BulkActionResponse)), update: T.Optional(nullable(BulkActionResponse)), delete: T.Optional(nullable(BulkActionResponse)) });
export type BulkResponse = Static<typeof BulkResponse>;
