// Airflow's schemas of DAG versions and of a DAG's source, and our own push of a version.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, Instant, Json, named, nullable, strict, Uuid } from './fields.ts';

export const DagVersionResponse = named('DagVersionResponse', {
  id: Uuid, version_number: T.Integer(), dag_id: T.String(), bundle_name: nullable(T.String()), bundle_version: nullable(T.String()), created_at: Instant,
  dag_display_name: T.String(), bundle_url: nullable(T.String()),
});
export type DagVersionResponse = Static<typeof DagVersionResponse>;

export const DAGVersionCollectionResponse = collection('DAGVersionCollectionResponse', 'dag_versions', DagVersionResponse);

export const DAGSourceResponse = named('DAGSourceResponse', {
  content: nullable(T.String()), dag_id: T.String(), version_number: nullable(T.Integer()), dag_display_name: T.String(),
});
export type DAGSourceResponse = Static<typeof DAGSourceResponse>;

/** Ours: a DAG version with the files it names. */
export const DAGVersionPushBody = T.Object({
  dag: Json,
  sources: T.Array(T.Object({ path: T.String({ minLength: 1, maxLength: 1024 }), content_base64: T.String() }, strict)),
}, { ...strict, $id: 'DAGVersionPushBody' });
export type DAGVersionPushBody = Static<typeof DAGVersionPushBody>;
