// GET …/hitlDetails: what tasks ask people, one by one and as a list.
import { Type as T } from '@sinclair/typebox';
import { many, optional, orderBy, page, timeRange } from '#contract/airflow/fields.ts';
import { HITLDetail, HITLDetailCollection, HITLDetailHistory } from '#contract/airflow/hitl.ts';
import type { Database } from '#store/database.ts';
import { findHitlDetail, type HitlDetail, listHitlDetails } from '#store/hitl-details.ts';
import { listInstancesByKey } from '#store/task-instances.ts';
import { listTries } from '#store/task-tries.ts';
import { json, MAPPED_PARAMS, operation, RUN_PARAMS } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { orAll, pageOf, readTaskStates, timeBounds } from '../../read-query.ts';
import { findTaskOf, getInstance } from '../task-instances/find-instance.ts';
import { renderInstance, renderInstances, renderTry } from '../task-instances/render-instance.ts';
import { renderHitl } from './render-hitl.ts';

/** The question of a try. Throws Airflow's 404 when it asks nothing. */
export async function getQuestion(database: Database, attemptId: string | null, shownId: string): Promise<HitlDetail> {
  const detail = attemptId === null ? null : await findHitlDetail(database, attemptId);
  if (detail === null) throw notFound(`Human-in-the-loop detail does not exist for Task Instance with id ${shownId}`);
  return detail;
}

/** Airflow's `get_hitl_detail`: of the current try. */
export const getHitlDetail = operation({
  params: MAPPED_PARAMS, response: HITLDetail,
  async run({ params, services: { database } }) {
    const row = await getInstance(database, params, params.map_index);
    const instance = renderInstance(row, await findTaskOf(database, row));
    return json({ ...renderHitl(await getQuestion(database, row.attemptId, instance.id)), task_instance: instance });
  },
});

/** Airflow's `get_hitl_detail_try_detail`. */
export const getHitlDetailTryDetail = operation({
  params: T.Object({ ...MAPPED_PARAMS.properties, try_number: T.Integer() }), response: HITLDetailHistory,
  async run({ params, services: { database } }) {
    const row = await getInstance(database, params, params.map_index);
    const tried = (await listTries(database, row)).findLast((each) => each.tryNumber === params.try_number);
    if (tried === undefined) throw notFound(`The Task Instance with dag_id: \`${params.dag_id}\`, run_id: \`${params.dag_run_id}\`, task_id: \`${params.task_id}\` and map_index: \`${params.map_index}\` was not found`);
    const detail = await getQuestion(database, tried.id === '' ? null : tried.id, tried.id);
    return json({ ...renderHitl(detail), task_instance: renderTry(row, tried, await findTaskOf(database, row)) });
  },
});

/** Airflow's `get_hitl_details`: of current tries. */
export const getHitlDetails = operation({
  params: RUN_PARAMS, response: HITLDetailCollection,
  query: T.Object({
    ...page, order_by: orderBy('ti_id'), dag_id_pattern: optional(T.String()), task_id: optional(T.String()), task_id_pattern: optional(T.String()), map_index: optional(T.Integer()),
    state: many(T.String()), response_received: optional(T.Boolean()), responded_by_user_id: many(T.String()), responded_by_user_name: many(T.String()), subject_search: optional(T.String()),
    body_search: optional(T.String()), ...timeRange('created_at'),
  }),
  async run({ params, query, services: { database } }) {
    const { rows, total } = await listHitlDetails(database, {
      dagId: orAll(params.dag_id), runId: orAll(params.dag_run_id), dagIdPattern: query.dag_id_pattern, taskId: query.task_id, taskIdPattern: query.task_id_pattern, mapIndex: query.map_index,
      states: readTaskStates(query.state), hasAnswer: query.response_received, userIds: query.responded_by_user_id, userNames: query.responded_by_user_name, subjectPattern: query.subject_search,
      bodyPattern: query.body_search, createdAt: timeBounds(query, 'created_at'),
    }, pageOf(query));
    const { task_instances: instances } = await renderInstances(database, await listInstancesByKey(database, rows), rows.length);
    const byId = new Map(instances.map((instance) => [instance.id, instance]));
    return json({ hitl_details: rows.flatMap((row) => { const instance = byId.get(row.attemptId); return instance === undefined ? [] : [{ ...renderHitl(row), task_instance: instance }]; }), total_entries: total });
  },
});
