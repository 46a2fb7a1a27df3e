// Airflow's schemas of human-in-the-loop: what a task asks people, and what they answer.
import { type Static, Type as T } from '@sinclair/typebox';
import { collection, defaulted, Instant, Json, named, nullable } from './fields.ts';
import { TaskInstanceHistoryResponse, TaskInstanceResponse } from './task-instance.ts';

const HITLUser = named('HITLUser', { id: T.String(), name: T.String() });
const params = T.Record(T.String(), Json);

const detailFields = {
  options: T.Array(T.String()), subject: T.String(), body: T.Optional(nullable(T.String())), defaults: T.Optional(nullable(T.Array(T.String()))), multiple: T.Boolean({ default: false }),
  params: T.Optional(params), assigned_users: T.Optional(T.Array(HITLUser)), created_at: Instant, responded_by_user: T.Optional(nullable(HITLUser)), responded_at: T.Optional(nullable(Instant)),
  chosen_options: T.Optional(nullable(T.Array(T.String()))), params_input: T.Optional(params), response_received: T.Boolean({ default: false }),
} as const;

export const HITLDetail = named('HITLDetail', { ...detailFields, task_instance: TaskInstanceResponse });
export type HITLDetail = Static<typeof HITLDetail>;
export const HITLDetailHistory = named('HITLDetailHistory', { ...detailFields, task_instance: TaskInstanceHistoryResponse });
export const HITLDetailCollection = collection('HITLDetailCollection', 'hitl_details', HITLDetail);

/** What an answer is answered with. */
export const HITLDetailResponse = named('HITLDetailResponse', { responded_by: HITLUser, responded_at: Instant, chosen_options: T.Array(T.String()), params_input: T.Optional(params) });
/** A person's answer. */
export const UpdateHITLDetailPayload = T.Object({ chosen_options: T.Array(T.String(), { minItems: 1 }), params_input: defaulted(params, {}) }, { $id: 'UpdateHITLDetailPayload' });
