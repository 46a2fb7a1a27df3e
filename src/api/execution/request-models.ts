// Bodies that the Task SDK sends, as Airflow 3.2.1 checks them (version 2026-04-06).
import { type Static, Type as T } from '@sinclair/typebox';
import { AwareInstant, defaulted, Json, nullable, optional, strict, Uuid, words } from '#contract/airflow/fields.ts';

const Duration = T.String({ format: 'duration' });
const renderedMapIndex = optional(T.String());
const state = <const N extends string>(name: N, shownAs: string) => T.Literal(name, { shownAs: `<${shownAs}.${name.toUpperCase()}: '${name}'>` });

/** PATCH …/run. */
export const TIEnterRunningPayload = T.Object({ state: state('running', 'TaskInstanceState'), hostname: T.String(), unixname: T.String(), pid: T.Integer(), start_date: AwareInstant }, { ...strict, $id: 'TIEnterRunningPayload' });
/** PUT …/heartbeat. */
export const TIHeartbeatInfo = T.Object({ hostname: T.String(), pid: T.Integer() }, { ...strict, $id: 'TIHeartbeatInfo' });

/** An asset as a task names it in its outlets. */
export const AssetProfile = T.Object({ name: optional(T.String()), uri: optional(T.String()), type: T.String() }, { ...strict, $id: 'AssetProfile' });

const TITerminalStatePayload = T.Object({ state: words(['failed', 'skipped', 'removed', 'upstream_failed']), end_date: AwareInstant, rendered_map_index: renderedMapIndex }, { ...strict, $id: 'TITerminalStatePayload' });
const TISuccessStatePayload = T.Object({
  state: state('success', 'TerminalTIState'), end_date: AwareInstant, task_outlets: T.Array(AssetProfile, { default: [] }), outlet_events: T.Array(T.Record(T.String(), Json), { default: [] }),
  rendered_map_index: renderedMapIndex,
}, { ...strict, $id: 'TISuccessStatePayload' });
const TIDeferredStatePayload = T.Object({
  state: state('deferred', 'IntermediateTIState'), classpath: T.String(), trigger_kwargs: defaulted(T.Union([T.Record(T.String(), Json), T.String()]), {}), trigger_timeout: optional(Duration),
  queue: optional(T.String()), next_method: T.String(), next_kwargs: defaulted(T.Record(T.String(), Json), {}), rendered_map_index: renderedMapIndex,
}, { ...strict, $id: 'TIDeferredStatePayload' });
const TIRescheduleStatePayload = T.Object({ state: state('up_for_reschedule', 'IntermediateTIState'), reschedule_date: AwareInstant, end_date: AwareInstant }, { ...strict, $id: 'TIRescheduleStatePayload' });
const TIRetryStatePayload = T.Object({ state: state('up_for_retry', 'IntermediateTIState'), end_date: AwareInstant, rendered_map_index: renderedMapIndex }, { ...strict, $id: 'TIRetryStatePayload' });

/**
 * PATCH …/state. Airflow's union has one more member, for the states scheduled, queued and restarting: it takes them and fails the task.
 * Here they are refused.
 */
export const TIStateUpdate = T.Union([TITerminalStatePayload, TISuccessStatePayload, TIDeferredStatePayload, TIRescheduleStatePayload, TIRetryStatePayload], {
  labels: ['_terminal_', 'success', 'deferred', 'up_for_reschedule', 'up_for_retry'],
});
export type TIStateUpdate = Static<typeof TIStateUpdate>;

/** PATCH …/skip-downstream. */
export const TISkippedDownstreamTasksStatePayload = T.Object({
  tasks: T.Array(T.Union([T.String(), T.Tuple([T.String(), T.Integer()])], { labels: ['str', 'tuple[str, int]'] })),
}, { ...strict, $id: 'TISkippedDownstreamTasksStatePayload' });

/** PUT /variables. */
export const VariablePostBody = T.Object({ val: nullable(T.String()), description: optional(T.String()) }, { ...strict, $id: 'VariablePostBody' });

/** POST /dag-runs. */
export const TriggerDAGRunPayload = T.Object({
  logical_date: optional(AwareInstant), conf: defaulted(T.Record(T.String(), Json), {}), reset_dag_run: T.Boolean({ default: false }), partition_key: optional(T.String()), note: optional(T.String()),
}, { ...strict, $id: 'TriggerDAGRunPayload' });

const HITLUser = T.Object({ id: T.String(), name: T.String() }, { $id: 'HITLUser' });

/** POST /hitlDetails, and its answer. */
export const HITLDetailRequest = T.Object({
  ti_id: Uuid, options: T.Array(T.String(), { minItems: 1 }), subject: T.String(), body: optional(T.String()), defaults: optional(T.Array(T.String())), multiple: T.Boolean({ default: false }),
  params: defaulted(T.Record(T.String(), Json), {}), assigned_users: T.Array(HITLUser, { default: [] }),
}, { $id: 'HITLDetailRequest' });
/** PATCH /hitlDetails. */
export const UpdateHITLDetailPayload = T.Object({ ti_id: Uuid, chosen_options: T.Array(T.String(), { minItems: 1 }), params_input: defaulted(T.Record(T.String(), Json), {}) }, { $id: 'UpdateHITLDetailPayload' });
