// GET …/logs/{try_number}: what a try wrote, as JSON portions or as lines that follow a running try.
import { Type as T } from '@sinclair/typebox';
import { LIMITS } from '#contract/config.ts';
import { optional } from '#contract/airflow/fields.ts';
import { TaskInstancesLogResponse } from '#contract/airflow/task-instance.ts';
import { errorDetailOf } from '#logs/error-detail.ts';
import { LOG_START, type LogMessage, type LogPosition } from '#logs/log-store.ts';
import { sleep } from '#platform/clock.ts';
import { findInstanceRow, type InstanceListRow } from '#store/task-instances.ts';
import { listExecutions, listUnwrittenEnds, listTries, type TryRow } from '#store/task-tries.ts';
import { type Answer, type Call, INSTANCE_PARAMS, json, operation, type Services } from '../../operation.ts';
import { badRequest, HttpProblem, notFound } from '../../problems.ts';
import { openToken, sealToken } from '../../signed-token.ts';

const PARAMS = T.Object({ ...INSTANCE_PARAMS.properties, try_number: T.Integer({ minimum: 0 }) });
const QUERY = T.Object({ full_content: T.Boolean({ default: false }), map_index: T.Integer({ default: -1 }), token: optional(T.String()) });

type LogCall = Call<{ dag_id: string; dag_run_id: string; task_id: string; try_number: number }, { full_content: boolean; map_index: number; token: string | null }, unknown>;

/** Airflow's `get_log`. */
export const getLog = operation({
  params: PARAMS,
  query: QUERY,
  response: TaskInstancesLogResponse,
  async run(call) {
    const isLines = wantsLines(call.headers.accept);
    const position = positionOf(call);
    const row = await findInstanceRow(call.services.database, { dagId: call.params.dag_id, runId: call.params.dag_run_id, taskId: call.params.task_id, mapIndex: call.query.map_index });
    const tries = row === null ? [] : (await listTries(call.services.database, row)).filter((each) => each.tryNumber === call.params.try_number);
    if (row === null || tries.length === 0) throw notFound('TaskInstance not found');
    const log: TryLog = { row, tries, services: call.services };
    return isLines ? answerLines(call, log, position) : answerJson(call, log, position);
  },
});

interface TryLog {
  readonly row: InstanceListRow;
  readonly tries: readonly TryRow[];
  readonly services: Services;
}

/** Only `application/x-ndjson` asks for lines; whatever is neither that nor JSON is 406. */
function wantsLines(accept: string | undefined): boolean {
  const types = (accept ?? '*/*').split(',').map((type) => type.split(';')[0]?.trim().toLowerCase() ?? '');
  if (types.some((type) => type === 'application/json' || type === '*/*' || type === 'application/*')) return false;
  if (types.includes('application/x-ndjson')) return true;
  throw new HttpProblem(406, 'Only application/json or application/x-ndjson is supported');
}

function positionOf(call: LogCall): LogPosition | null {
  if (call.query.token === null || call.query.token === '') return null;
  const value = openToken(call.services.signingKey, call.query.token) as Partial<LogPosition> | null;
  if (typeof value?.execution !== 'number' || typeof value.offset !== 'number') throw badRequest('Bad Signature. Please use only the tokens provided by the API.');
  return { execution: value.execution, offset: value.offset };
}

const idsOf = (log: TryLog): string[] => log.tries.map((each) => each.id);

/** What stands at the top of every log: where it comes from. */
function header(log: TryLog, executionIds: readonly string[]): LogMessage[] {
  const sources = log.services.logs.describeSources(executionIds);
  return [{ event: '::group::Log message source details', ...(sources.length > 0 ? { sources } : {}) }, { event: '::endgroup::' }];
}

function noLog(log: TryLog): LogMessage {
  if (log.row.state === 'skipped') return { event: `Task was skipped — no logs available.${log.row.reason === null ? '' : ` (${log.row.reason})`}` };
  if (log.row.state === 'upstream_failed') return { event: 'Task did not run because upstream task(s) failed.' };
  return { event: 'No logs available for this task.' };
}

/** What no process could write of how a try ended stands at the end. */
async function unwrittenEnds(log: TryLog): Promise<LogMessage[]> {
  const ends = await listUnwrittenEnds(log.services.database, idsOf(log));
  return ends.map(({ at, error, isImport }) => ({
    ...(at === null ? {} : { timestamp: at.toISOString() }), level: 'error', logger: 'leoflow', ...(isImport ? { event: 'The DAG file does not import', error_detail: errorDetailOf(error) } : { event: error.message }),
  }));
}

async function answerJson(call: LogCall, log: TryLog, from: LogPosition | null): Promise<Answer> {
  const { database, logs } = call.services;
  const { ids, isLive } = await listExecutions(database, idsOf(log));
  const maxBytes = LIMITS.maxLogReadBytes;
  const portion = await logs.readLog(ids, { position: from ?? LOG_START, maxBytes });
  const isOver = portion.atEnd && !isLive;
  const messages = [...portion.messages, ...(isOver ? await unwrittenEnds(log) : [])];
  const isEmpty = from === null && messages.length === 0 && !isLive;
  const content = [...(from === null ? header(log, ids) : []), ...messages, ...(isEmpty ? [noLog(log)] : [])];
  return json({ content, continuation_token: isOver || call.query.full_content && portion.atEnd ? null : sealToken(call.services.signingKey, portion.position) });
}

/** The header of lines is sent before anything is read: it continues where these lines begin. */
function answerLines(call: LogCall, log: TryLog, from: LogPosition | null): Answer {
  return {
    kind: 'stream', type: 'application/x-ndjson', chunks: followLog(call, log, from),
    headers: { 'Airflow-Continuation-Token': sealToken(call.services.signingKey, from ?? LOG_START) },
  };
}

const LINES_BATCH_BYTES = 512 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;

/** Follows a running try to its end: short pauses while it writes, longer ones while it is silent. */
async function* followLog(call: LogCall, log: TryLog, from: LogPosition | null): AsyncGenerator<string> {
  const { database, logs } = call.services;
  const ended = AbortSignal.any([call.gone, call.services.stopping]);
  let position = from ?? LOG_START;
  let isFirst = true;
  let sent = 0;
  for (let pause = FIRST_PAUSE_MS; !ended.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const { ids, isLive } = await listExecutions(database, idsOf(log));
    if (isFirst && from === null) yield renderLines(header(log, ids));
    isFirst = false;
    const portion = await logs.readLog(ids, { position, maxBytes: LINES_BATCH_BYTES });
    if (portion.messages.length > 0) {
      sent += portion.messages.length;
      pause = FIRST_PAUSE_MS;
      yield renderLines(portion.messages);
    }
    position = portion.position;
    if (!portion.atEnd) continue;
    if (!isLive) break;
    await sleep(pause, ended);
  }
  if (ended.aborted) return;
  const ends = await unwrittenEnds(log);
  yield renderLines(sent + ends.length === 0 && from === null ? [noLog(log)] : ends);
}

function renderLines(messages: readonly LogMessage[]): string {
  return messages.map((message) => `${JSON.stringify({ timestamp: null, ...message })}\n`).join('');
}
