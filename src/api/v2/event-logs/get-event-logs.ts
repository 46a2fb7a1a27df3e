// GET /eventLogs and /eventLogs/{event_log_id}: the audit log.
import { Type as T } from '@sinclair/typebox';
import { Instant, many, optional, orderBy, page } from '#contract/airflow/fields.ts';
import { EventLogCollectionResponse, EventLogResponse } from '#contract/airflow/monitor.ts';
import { type AuditRow, findAudit, listAudit } from '#store/audit-log.ts';
import { renderInstant, renderInstantOrNull } from '../../instants.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';

/** Airflow's `get_event_logs`. */
export const getEventLogs = operation({
  params: NO_PARAMS,
  query: T.Object({
    ...page, order_by: orderBy('id'), dag_id: optional(T.String()), task_id: optional(T.String()), run_id: optional(T.String()), map_index: optional(T.Integer()),
    try_number: optional(T.Integer()), owner: optional(T.String()), event: optional(T.String()), excluded_events: many(T.String()), included_events: many(T.String()),
    before: optional(Instant), after: optional(Instant), dag_id_pattern: optional(T.String()), task_id_pattern: optional(T.String()), run_id_pattern: optional(T.String()),
    owner_pattern: optional(T.String()), event_pattern: optional(T.String()),
  }),
  response: EventLogCollectionResponse,
  async run({ query, services }) {
    const { rows, total } = await listAudit(services.database, {
      dagId: query.dag_id, taskId: query.task_id, runId: query.run_id, mapIndex: query.map_index, tryNumber: query.try_number, owner: query.owner, event: query.event,
      excludedEvents: query.excluded_events, includedEvents: query.included_events, before: query.before, after: query.after, dagIdPattern: query.dag_id_pattern,
      taskIdPattern: query.task_id_pattern, runIdPattern: query.run_id_pattern, ownerPattern: query.owner_pattern, eventPattern: query.event_pattern,
    }, pageOf(query));
    return json({ event_logs: rows.map(render), total_entries: total });
  },
});

/** Airflow's `get_event_log`. */
export const getEventLog = operation({
  params: T.Object({ event_log_id: T.Integer() }),
  response: EventLogResponse,
  async run({ params, services }) {
    const row = await findAudit(services.database, params.event_log_id);
    if (row === null) throw notFound(`The Event Log with id: \`${params.event_log_id}\` not found`);
    return json(render(row));
  },
});

function render(row: AuditRow): EventLogResponse {
  return {
    event_log_id: row.id, when: renderInstant(row.at), dag_id: row.dagId, task_id: row.taskId, run_id: row.runId, map_index: row.mapIndex, try_number: row.tryNumber, event: row.event,
    logical_date: renderInstantOrNull(row.logicalDate), owner: row.owner, extra: row.extra, dag_display_name: row.displayName, task_display_name: row.taskId,
  };
}
