// The table hitl_details: what tasks ask people, and what these answer.
import { sql, type SqlBool } from 'kysely';
import type { Database } from './database.ts';
import { cappedLimit, type Column, type Condition, inRange, isAnyOf, isEqual, isLike, type Listed, type OrderKeys, orderTerms, type Page, type Range, TENANT } from './list-query.ts';

/** Somebody who may answer, or has. */
export interface HitlUser { readonly id: string; readonly name: string }

/** What a try asks. `params` is JSON. */
export interface HitlQuestion {
  readonly options: readonly string[];
  readonly subject: string;
  readonly body: string | null;
  readonly defaults: readonly string[] | null;
  readonly multiple: boolean;
  readonly params: Readonly<Record<string, unknown>>;
  readonly assignedUsers: readonly HitlUser[];
}

/** What was answered; `by` is null when it was no person. */
export interface HitlAnswer {
  readonly by: HitlUser | null;
  readonly chosenOptions: readonly string[];
  readonly paramsInput: Readonly<Record<string, unknown>>;
}

/** A question with the try that asks it, and its answer once there is one. */
export interface HitlDetail extends HitlQuestion {
  readonly attemptId: string;
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly createdAt: Date;
  readonly answer: (HitlAnswer & { readonly at: Date }) | null;
}

/** The try that asks. */
export interface Asker { readonly attemptId: string; readonly run: string; readonly taskId: string; readonly mapIndex: number }

/** Keeps a try's question. One that it asked before stays as it was, and an answer to it is forgotten. */
export async function askPeople(database: Database, asker: Asker, question: HitlQuestion): Promise<HitlDetail> {
  const row = await database.kysely.insertInto('hitl_details').values({
    attempt_id: asker.attemptId, run: asker.run, task_id: asker.taskId, map_index: asker.mapIndex, options: JSON.stringify(question.options), subject: question.subject, body: question.body,
    defaults: question.defaults === null ? null : JSON.stringify(question.defaults), multiple: question.multiple, params: JSON.stringify(question.params), assigned_users: JSON.stringify(question.assignedUsers),
  }).onConflict((conflict) => conflict.column('attempt_id').doUpdateSet({ responded_at: null, responded_by: null, chosen_options: null, params_input: '{}' })).returningAll().executeTakeFirstOrThrow();
  return fromRow(row);
}

/** What a try asks; null when it asks nothing. */
export async function findHitlDetail(database: Database, attemptId: string): Promise<HitlDetail | null> {
  const row = await database.kysely.selectFrom('hitl_details').selectAll().where('attempt_id', '=', attemptId).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** Answers a question that has no answer yet. @returns null when there is no such question, or it has one: of two that answer at once, one does */
export async function answerPeople(database: Database, attemptId: string, answer: HitlAnswer): Promise<HitlDetail | null> {
  const row = await database.kysely.updateTable('hitl_details').set({
    responded_at: sql<Date>`clock_timestamp()`, responded_by: answer.by === null ? null : JSON.stringify(answer.by), chosen_options: JSON.stringify(answer.chosenOptions),
    params_input: JSON.stringify(answer.paramsInput),
  }).where('attempt_id', '=', attemptId).where('responded_at', 'is', null).returningAll().executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** What questions must match; null and empty lists match all. */
export interface HitlFilter {
  readonly dagId: string | null;
  readonly runId: string | null;
  readonly dagIdPattern: string | null;
  readonly taskId: string | null;
  readonly taskIdPattern: string | null;
  readonly mapIndex: number | null;
  readonly states: readonly (string | null)[] | null;
  readonly hasAnswer: boolean | null;
  readonly userIds: readonly string[];
  readonly userNames: readonly string[];
  readonly subjectPattern: string | null;
  readonly bodyPattern: string | null;
  readonly createdAt: Range<string>;
}

const column = (name: string): Column => sql.ref(name);
const USER_ID = sql`h.responded_by->>'id'`;
const USER_NAME = sql`h.responded_by->>'name'`;
const ORDER_KEYS: OrderKeys = {
  ti_id: column('h.attempt_id'), subject: column('h.subject'), responded_at: column('h.responded_at'), created_at: column('h.created_at'), responded_by_user_id: USER_ID, responded_by_user_name: USER_NAME,
  dag_id: column('r.dag_id'), run_id: column('r.run_id'), task_display_name: column('h.task_id'), run_after: column('r.run_after'), rendered_map_index: column('t.rendered_map_index'),
  task_instance_operator: column('t.operator'), task_instance_state: column('t.state'),
};

/** Questions of current tries. Throws `usage` on an order key that is not allowed. */
export async function listHitlDetails(database: Database, filter: HitlFilter, page: Page): Promise<Listed<HitlDetail>> {
  const conditions: Condition[] = [
    ...isEqual(column('r.dag_id'), filter.dagId), ...isEqual(column('r.run_id'), filter.runId), ...isLike(column('r.dag_id'), filter.dagIdPattern), ...isEqual(column('h.task_id'), filter.taskId),
    ...isLike(column('h.task_id'), filter.taskIdPattern), ...isEqual(column('h.map_index'), filter.mapIndex), ...isAnyOf(column('t.state'), filter.states),
    ...(filter.hasAnswer === null ? [] : [sql<SqlBool>`(h.responded_at is not null) = ${filter.hasAnswer}`]), ...isAnyOf(USER_ID, filter.userIds), ...isAnyOf(USER_NAME, filter.userNames),
    ...isLike(column('h.subject'), filter.subjectPattern), ...isLike(column('h.body'), filter.bodyPattern), ...inRange(column('h.created_at'), filter.createdAt),
  ];
  let query = database.kysely.selectFrom('hitl_details as h').innerJoin('task_instances as t', 't.attempt_id', 'h.attempt_id').innerJoin('dag_runs as r', 'r.id', 'h.run')
    .whereRef('t.run', '=', 'h.run').whereRef('t.task_id', '=', 'h.task_id').whereRef('t.map_index', '=', 'h.map_index').where('r.tenant', '=', TENANT).where((eb) => eb.and(conditions)).selectAll('h');
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('h.attempt_id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total: counted.total };
}

interface RawDetail {
  attempt_id: string; run: string; task_id: string; map_index: number; options: unknown; subject: string; body: string | null; defaults: unknown; multiple: boolean; params: unknown;
  assigned_users: unknown; created_at: Date; responded_at: Date | null; responded_by: unknown; chosen_options: unknown; params_input: unknown;
}

function fromRow(row: RawDetail): HitlDetail {
  return {
    attemptId: row.attempt_id, run: row.run, taskId: row.task_id, mapIndex: row.map_index, options: row.options as string[], subject: row.subject, body: row.body,
    defaults: row.defaults as string[] | null, multiple: row.multiple, params: row.params as Record<string, unknown>, assignedUsers: row.assigned_users as HitlUser[], createdAt: row.created_at,
    answer: row.responded_at === null ? null : {
      at: row.responded_at, by: row.responded_by as HitlUser | null, chosenOptions: (row.chosen_options ?? []) as string[], paramsInput: (row.params_input ?? {}) as Record<string, unknown>,
    },
  };
}
