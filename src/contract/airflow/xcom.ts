// Airflow's schemas of XComs.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, fieldsOf, Instant, Json, named, nullable } from './fields.ts';

export const XComResponse = named('XComResponse', {
  key: T.String(), timestamp: Instant, logical_date: nullable(Instant), map_index: T.Integer(), task_id: T.String(), dag_id: T.String(), run_id: T.String(),
  dag_display_name: T.String(), task_display_name: T.String(), run_after: Instant,
});
export type XComResponse = Static<typeof XComResponse>;
export const XComCollectionResponse = collection('XComCollectionResponse', 'xcom_entries', XComResponse);

/** The value as JSON, byte for byte as the task wrote it. */
export const XComResponseNative = named('XComResponseNative', { ...fieldsOf(XComResponse), value: Json });
/** The value's JSON text. */
export const XComResponseString = named('XComResponseString', { ...fieldsOf(XComResponse), value: nullable(T.String()) });
