// Airflow's schemas of what is watched: health, version, import errors, the audit log.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, Instant, named, nullable } from './fields.ts';

const status = nullable(T.String());
const BaseInfoResponse = named('BaseInfoResponse', { status });
const SchedulerInfoResponse = named('SchedulerInfoResponse', { status, latest_scheduler_heartbeat: nullable(T.String()) });
const TriggererInfoResponse = named('TriggererInfoResponse', { status, latest_triggerer_heartbeat: nullable(T.String()) });
const DagProcessorInfoResponse = named('DagProcessorInfoResponse', { status, latest_dag_processor_heartbeat: nullable(T.String()) });
export const HealthInfoResponse = named('HealthInfoResponse', {
  metadatabase: BaseInfoResponse, scheduler: SchedulerInfoResponse, triggerer: TriggererInfoResponse, dag_processor: T.Optional(nullable(DagProcessorInfoResponse)),
});
export type HealthInfoResponse = Static<typeof HealthInfoResponse>;

export const VersionInfo = named('VersionInfo', { version: T.String(), git_version: nullable(T.String()) });

export const ImportErrorResponse = named('ImportErrorResponse', {
  import_error_id: T.Integer(), timestamp: Instant, filename: T.String(), bundle_name: nullable(T.String()), stack_trace: T.String(),
});
export type ImportErrorResponse = Static<typeof ImportErrorResponse>;
export const ImportErrorCollectionResponse = collection('ImportErrorCollectionResponse', 'import_errors', ImportErrorResponse);

export const EventLogResponse = named('EventLogResponse', {
  event_log_id: T.Integer(), when: Instant, dag_id: nullable(T.String()), task_id: nullable(T.String()), run_id: nullable(T.String()), map_index: nullable(T.Integer()),
  try_number: nullable(T.Integer()), event: T.String(), logical_date: nullable(Instant), owner: nullable(T.String()), extra: nullable(T.String()),
  dag_display_name: T.Optional(nullable(T.String())), task_display_name: T.Optional(nullable(T.String())),
});
export type EventLogResponse = Static<typeof EventLogResponse>;
export const EventLogCollectionResponse = collection('EventLogCollectionResponse', 'event_logs', EventLogResponse);
