// XComs of tasks: their values go in and come out as the bytes that they are.
import { type Static, Type as T } from '@sinclair/typebox';
import { Json, optional } from '#contract/airflow/fields.ts';
import { stretchOf, takeOf } from '#core/python-slice.ts';
import { findNamedRun } from '#store/execution-runs.ts';
import { findXComValue } from '#store/xcom-values.ts';
import { countSequence, readSequence, type XComSequence } from '#store/xcom-sequences.ts';
import { type AnyCall, executionOperation, text, value } from './execution-call.ts';
import { missing, refusal } from './refusals.ts';
import { Message, XComResponse } from './response-models.ts';

const MAX_KEY_LENGTH = 512;
const NAMES = { dag_id: T.String(), run_id: T.String(), task_id: T.String(), key: T.String({ minLength: 1 }) } as const;
const XCOM = T.Object(NAMES);
const NEW_XCOM = T.Object({ ...NAMES, key: T.String({ minLength: 1, maxLength: MAX_KEY_LENGTH }) });
type XComPath = Static<typeof XCOM>;

type Call = Pick<AnyCall, 'caller' | 'services'> & { readonly params: XComPath };

/** The run's UUID; null when there is none. Most ask about their own. */
async function findRun({ caller, services, params }: Call): Promise<string | null> {
  if (isOwnRun({ caller, params })) return caller.run;
  return (await findNamedRun(services.database, params.dag_id, params.run_id))?.id ?? null;
}

function isOwnRun({ caller, params }: Pick<Call, 'caller' | 'params'>): boolean {
  return params.dag_id === caller.dagId && params.run_id === caller.runId;
}

async function sequenceOf(call: Call, more: { readonly withPriorRuns: boolean; readonly skipsNulls: boolean }): Promise<XComSequence | null> {
  const run = await findRun(call);
  return run === null ? null : { run, taskId: call.params.task_id, key: call.params.key, ...more };
}

/** The value at an index of a sequence, counted from the end when it is negative; null when there is none. */
async function findAt(call: Call, sequence: XComSequence | null, index: number): Promise<string | null> {
  if (sequence === null) return null;
  const { database, values } = call.services;
  const offset = index < 0 ? index + (await countSequence(database, sequence)) : index;
  if (offset < 0) return null;
  return (await readSequence(database, sequence, { offset, limit: 1, external: values }))[0] ?? null;
}

const notThere = ({ params }: Pick<Call, 'params'>, which: string): Error =>
  missing(`XCom with key='${params.key}' ${which} not found for task '${params.task_id}' in DAG run '${params.run_id}' of '${params.dag_id}'`);

/** Airflow's `get_xcom`. */
export const getXcom = executionOperation({
  params: XCOM, response: XComResponse,
  query: T.Object({ map_index: T.Integer({ default: -1 }), include_prior_dates: T.Boolean({ default: false }), offset: optional(T.Integer()) }),
  async run(call) {
    const { params, query } = call;
    const found = query.offset === null ? await findByIndex(call, query)
      : await findAt(call, await sequenceOf(call, { withPriorRuns: query.include_prior_dates, skipsNulls: true }), query.offset);
    if (found === null) throw notThere(call, query.offset === null ? `map_index=${query.map_index}` : `offset=${query.offset}`);
    return text(`{"key":${JSON.stringify(params.key)},"value":${found}}`);
  },
});

async function findByIndex(call: Call, query: { readonly map_index: number; readonly include_prior_dates: boolean }): Promise<string | null> {
  const run = await findRun(call);
  if (run === null) return null;
  const { database, values } = call.services;
  return findXComValue(database.pool, {
    run, runId: null, dagId: call.params.dag_id, taskId: call.params.task_id, key: call.params.key, mapIndex: query.map_index, withPriorRuns: query.include_prior_dates,
  }, values);
}

/** Airflow's `get_mapped_xcom_by_index`. */
export const getMappedXcomByIndex = executionOperation({
  params: T.Object({ ...NAMES, offset: T.Integer() }), response: Json,
  async run(call) {
    const { offset } = call.params;
    const found = await findAt(call, await sequenceOf(call, { withPriorRuns: false, skipsNulls: false }), offset);
    if (found === null) throw notThere(call, `offset=${offset}`);
    return text(found);
  },
});

/** Airflow's `get_mapped_xcom_by_slice`, with Python's semantics. */
export const getMappedXcomBySlice = executionOperation({
  params: XCOM, response: T.Array(Json),
  query: T.Object({ start: optional(T.Integer()), stop: optional(T.Integer()), step: optional(T.Integer()), include_prior_dates: T.Boolean({ default: false }) }),
  async run(call) {
    const sequence = await sequenceOf(call, { withPriorRuns: call.query.include_prior_dates, skipsNulls: false });
    if (sequence === null) return text('[]');
    const { database, values } = call.services;
    const stretch = stretchOf(call.query, await countSequence(database, sequence));
    const found = stretch.limit === 0 ? [] : await readSequence(database, sequence, { offset: stretch.offset, limit: stretch.limit, external: values });
    return text(`[${takeOf(found, stretch).join(',')}]`);
  },
});

/** Airflow's `head_xcom`: how many values there are, in a header. */
export const headXcom = executionOperation({
  params: XCOM, query: T.Object({ map_index: optional(T.Integer()) }), response: null, status: 200,
  async run(call) {
    if (call.query.map_index !== null) throw refusal(400, { reason: 'invalid_request', message: 'Cannot specify map_index in a HEAD request' });
    const sequence = await sequenceOf(call, { withPriorRuns: false, skipsNulls: false });
    const count = sequence === null ? 0 : await countSequence(call.services.database, sequence);
    return { kind: 'nothing', headers: { 'content-type': 'application/json', 'content-range': `map_indexes ${count}` } };
  },
});

/** Airflow's `set_xcom`. A task writes into its own run only; without a body the value is null. */
export const setXcom = executionOperation({
  params: NEW_XCOM, bodyAs: 'text', response: Message, status: 201, query: T.Object({ map_index: T.Integer({ default: -1 }), mapped_length: optional(T.Integer()) }),
  async run(call) {
    const { params, query, bodyText, caller, services } = call;
    refuseOtherRun(call);
    if (query.mapped_length !== null && query.mapped_length > services.config.LEOFLOW_MAX_MAP_LENGTH) {
      throw refusal(400, { reason: 'unmappable_return_value_length', message: "pushed value is too large to map as a downstream's dependency" });
    }
    await services.service.pushXCom(caller, { taskId: params.task_id, mapIndex: query.map_index, key: params.key, value: bodyText === '' ? 'null' : bodyText, mappedLength: query.mapped_length });
    return value({ message: 'XCom successfully set' });
  },
});

/** Airflow's `delete_xcom`: also when there was none. */
export const deleteXcom = executionOperation({
  params: XCOM, query: T.Object({ map_index: T.Integer({ default: -1 }) }), response: Message,
  async run(call) {
    const { params, query, caller, services } = call;
    refuseOtherRun(call);
    await services.service.deleteXCom(caller, { taskId: params.task_id, mapIndex: query.map_index, key: params.key });
    return value({ message: `XCom with key: ${params.key} successfully deleted.` });
  },
});

function refuseOtherRun(call: Call): void {
  if (!isOwnRun(call)) throw refusal(403, { reason: 'access_denied', message: `A task may change XComs of its own DAG run only, which is '${call.caller.runId}' of '${call.caller.dagId}'` });
}
