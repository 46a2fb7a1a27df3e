// What agents send, parsed at the edge: user code may have put anything into it.
import type { BodyRuntime, ExecutionReport, ReportedAssetEvent, ReportedError, ReportedXCom, SkipDecision, VariableRequest, XComRequest } from '#contract/attempt.ts';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { Deferral } from '#contract/execution-api.ts';
import { type ExecutionId, isUuid } from '#contract/ids.ts';
import { type Cause, CAUSES } from '#contract/states.ts';

/** An object of unknown fields. */
export type Fields = Readonly<Record<string, unknown>>;

/** What was sent cannot be understood. */
export const invalid = (what: string): AppError => new AppError('invalid_value', `the agent sent ${what}`);

/** Throws unless it is an object. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} that is no object`);
  return value as Fields;
}

/** PostgreSQL stores no NUL and no lone surrogate: both become U+FFFD. Cut to `limit` characters. */
export function textOf(value: unknown, what: string, limit: number = LIMITS.maxErrorTextBytes): string {
  if (typeof value !== 'string') throw invalid(`${what} that is no text`);
  return value.slice(0, limit).replaceAll('\u0000', '\uFFFD').toWellFormed();
}

function executionIdOf(value: unknown): ExecutionId {
  if (typeof value !== 'string' || !isUuid(value)) throw invalid('no execution id');
  return value as ExecutionId;
}

/** Body of `park`. */
export function parsePark(body: unknown): { forkServerId: string; pid: number; runtime: BodyRuntime } {
  const fields = fieldsOf(body, 'a park');
  if (typeof fields['pid'] !== 'number') throw invalid('a park without pid');
  return { forkServerId: textOf(fields['fork_server'], 'a fork server'), pid: fields['pid'], runtime: fields['runtime'] === 'node' ? 'node' : 'python' };
}

/** Body of `xcom`. */
export function parseXComRequest(body: unknown): { executionId: ExecutionId; request: XComRequest } {
  const fields = fieldsOf(body, 'an XCom request');
  const index = fields['map_index'] ?? null;
  if (index !== null && !Number.isInteger(index)) throw invalid('a map index that is no integer');
  return {
    executionId: executionIdOf(fields['execution_id']),
    request: {
      task_id: textOf(fields['task_id'], 'a task id'), key: textOf(fields['key'], 'a key'), map_index: index as number | null,
      ...(fields['run_id'] === undefined ? {} : { run_id: textOf(fields['run_id'], 'a run id') }),
      ...(fields['dag_id'] === undefined ? {} : { dag_id: textOf(fields['dag_id'], 'a DAG id') }),
      ...(fields['include_prior_dates'] === true ? { include_prior_dates: true } : {}),
    },
  };
}

const MAX_NAME_LENGTH = 250;
/** As in Airflow. */
const MAX_ASSET_LENGTH = 1500;

/** A name as it is stored: what is too long or holds NUL names nothing, and is not cut into something else. */
function nameOf(value: unknown, what: string): string {
  return boundedOf(value, what, MAX_NAME_LENGTH);
}

function boundedOf(value: unknown, what: string, limit: number): string {
  if (typeof value !== 'string' || value === '' || value.length > limit || value.includes('\u0000') || !value.isWellFormed()) throw invalid(`${what} that is empty, longer than ${limit} characters or no proper text`);
  return value;
}

/** Body of `variable`. */
export function parseVariableRequest(body: unknown): { executionId: ExecutionId; request: VariableRequest } {
  const fields = fieldsOf(body, 'a variable request');
  const executionId = executionIdOf(fields['execution_id']);
  const key = nameOf(fields['key'], 'the key of a variable');
  const { op, value, description = null } = fields;
  if (op === 'get' || op === 'delete') return { executionId, request: { op, key } };
  if (op !== 'set') throw invalid(`an unknown request ${JSON.stringify(op)} about the variable ${key}`);
  if (typeof value !== 'string' || !value.isWellFormed()) throw invalid(`a value of the variable ${key} that is no proper text`);
  return { executionId, request: { op, key, value, description: description === null ? null : textOf(description, 'a description') } };
}

/** Body of `connection`. */
export function parseConnectionRequest(body: unknown): { executionId: ExecutionId; connId: string } {
  const fields = fieldsOf(body, 'a connection request');
  return { executionId: executionIdOf(fields['execution_id']), connId: nameOf(fields['conn_id'], 'the id of a connection') };
}

const OUTCOMES = ['success', 'failed', 'skipped', 'up_for_reschedule', 'deferred', 'removed', 'upstream_failed'] as const;

/** Body of `report`. */
export function parseReport(body: unknown): ExecutionReport {
  const fields = fieldsOf(body, 'a report');
  const outcome = OUTCOMES.find((name) => name === fields['outcome']);
  if (outcome === undefined) throw invalid(`an unknown outcome ${JSON.stringify(fields['outcome'])}`);
  return {
    execution_id: executionIdOf(fields['execution_id']),
    outcome,
    started_at: textOf(fields['started_at'], 'a time', 40),
    ended_at: textOf(fields['ended_at'], 'a time', 40),
    ...optional(fields, 'cause', (value) => CAUSES.find((cause) => cause === value) ?? ('user_error' satisfies Cause)),
    ...optional(fields, 'no_retry', (value) => value === true),
    ...optional(fields, 'error', parseError),
    ...optional(fields, 'xcoms', parseXComs),
    ...optional(fields, 'skips', parseSkips),
    ...optional(fields, 'reschedule_in_seconds', (value) => (typeof value === 'number' && Number.isFinite(value) ? Math.max(0, value) : 60)),
    ...optional(fields, 'deferral', parseDeferral),
    ...optional(fields, 'asset_events', parseAssetEvents),
    ...optional(fields, 'rendered_map_index', (value) => textOf(value, 'a rendered map index', 250)),
    ...optional(fields, 'rendered_fields', parseRendered),
    ...optional(fields, 'log_gap', parseGap),
    ...optional(fields, 'exit_code', (value) => (Number.isInteger(value) ? (value as number) : 1)),
  };
}

function optional<K extends string, V>(fields: Fields, key: K, parse: (value: unknown) => V): { [P in K]?: V } {
  const value = fields[key];
  return value === undefined || value === null ? {} : ({ [key]: parse(value) } as { [P in K]?: V });
}

/** An exception of user code. */
export function parseError(value: unknown): ReportedError {
  const fields = fieldsOf(value, 'an error');
  const { traceback, place } = fields;
  return {
    type: textOf(fields['type'] ?? 'Error', 'an error type', 200), message: textOf(fields['message'] ?? '', 'an error message'),
    ...(typeof traceback === 'string' ? { traceback: textOf(traceback, 'a traceback') } : {}),
    ...(typeof place === 'string' ? { place: textOf(place, 'a place', 300) } : {}),
  };
}

function parseXComs(value: unknown): ReportedXCom[] {
  if (!Array.isArray(value)) throw invalid('XComs that are no list');
  return value.map((item) => {
    const fields = fieldsOf(item, 'an XCom');
    const { key, value: json, mapped_length: length = null } = fields;
    if (typeof key !== 'string' || key === '' || key.length > 512 || key.includes('\u0000') || !key.isWellFormed()) throw invalid('an XCom key that is empty, too long or no proper text');
    if (typeof json !== 'string' || !json.isWellFormed()) throw invalid(`an XCom value of ${key} that is no JSON text`);
    if (length !== null && !Number.isInteger(length)) throw invalid(`a length of ${key} that is no integer`);
    return { key, value: json, mapped_length: length as number | null };
  });
}

/** JSON text as it will be handed on, digit by digit; `isObject` asks for an object. */
function jsonTextOf(value: unknown, what: string, { isObject }: { readonly isObject: boolean }): string {
  if (typeof value !== 'string' || !value.isWellFormed()) throw invalid(`${what} that are no JSON text`);
  if (Buffer.byteLength(value) > LIMITS.maxDeferralBytes) throw invalid(`${what} of more than ${LIMITS.maxDeferralBytes} bytes`);
  try {
    const parsed: unknown = JSON.parse(value);
    if (isObject) fieldsOf(parsed, what);
    return value;
  } catch (error) {
    throw error instanceof SyntaxError ? invalid(`${what} that are no JSON text`) : error;
  }
}

/** What an execution that defers waits for. */
export function parseDeferral(value: unknown): Deferral {
  const fields = fieldsOf(value, 'a deferral');
  const { timeout_seconds: timeout = null, queue = null } = fields;
  if (timeout !== null && (typeof timeout !== 'number' || !Number.isFinite(timeout))) throw invalid('a time-out of a deferral that is no number');
  return {
    classpath: boundedOf(fields['classpath'], 'the class of a trigger', 1000), kwargs: jsonTextOf(fields['kwargs'], 'arguments of a trigger', { isObject: false }),
    timeout_seconds: timeout === null ? null : Math.max(0, timeout as number), next_method: boundedOf(fields['next_method'], 'the method after a trigger', 1000),
    next_kwargs: jsonTextOf(fields['next_kwargs'], 'arguments of the method after a trigger', { isObject: true }), ...(queue === null ? {} : { queue: boundedOf(queue, 'the queue of a trigger', 256) }),
  };
}

/** Events of assets, at most `LIMITS.maxAssetEvents`. */
function parseAssetEvents(value: unknown): ReportedAssetEvent[] {
  if (!Array.isArray(value) || value.length > LIMITS.maxAssetEvents) throw invalid(`events of assets that are no list, or more than ${LIMITS.maxAssetEvents}`);
  return value.map((item) => {
    const fields = fieldsOf(item, 'an event of an asset');
    return {
      name: boundedOf(fields['name'], 'the name of an asset', MAX_ASSET_LENGTH), uri: boundedOf(fields['uri'], 'the URI of an asset', MAX_ASSET_LENGTH), extra: withoutNul(fields['extra'] ?? {}),
      ...optional(fields, 'group', (group) => boundedOf(group, 'the group of an asset', MAX_ASSET_LENGTH)),
      ...optional(fields, 'alias', (alias) => boundedOf(alias, 'an alias', MAX_ASSET_LENGTH)), ...optional(fields, 'asset_extra', withoutNul),
    };
  });
}

/** Any JSON, as PostgreSQL can store it. */
function withoutNul(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'string' ? textOf(inner, 'a text', Infinity) : inner)));
}

function parseGap(value: unknown): { bytes: number; reason: string } {
  const fields = fieldsOf(value, 'a gap of its log');
  return { bytes: typeof fields['bytes'] === 'number' ? fields['bytes'] : 0, reason: textOf(fields['reason'], 'a reason', 500) };
}

function parseSkips(value: unknown): SkipDecision {
  const fields = fieldsOf(value, 'a skip decision');
  const ids = (list: unknown): string[] => (Array.isArray(list) ? list.map((id) => textOf(id, 'a task id', 250)) : []);
  return {
    ...(fields['followed'] === undefined || fields['followed'] === null ? {} : { followed: ids(fields['followed']) }),
    ...(fields['skipped'] === undefined || fields['skipped'] === null ? {} : { skipped: ids(fields['skipped']) }),
    ...(fields['all'] === true ? { all: true } : {}),
  };
}

/** Rendered template fields are shown to people and never read back: bad characters are replaced in the JSON text itself. */
function parseRendered(value: unknown): Record<string, unknown> {
  const text = JSON.stringify(fieldsOf(value, 'rendered fields')).replaceAll('\\u0000', '\uFFFD').toWellFormed();
  return JSON.parse(text.replace(/\\ud[89a-f][0-9a-f]{2}/gi, '\uFFFD')) as Record<string, unknown>;
}
