// A pull: one question, its answer decoded, and in words why it may be empty.
import { AppError } from '#contract/errors.ts';
import type { ProbeRow, ProbeRun, PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import { decodeValue, type Layers } from './decode-value.ts';
import { likeOfGlob, parseMapIndex, parseRunChoice, type RunChoice, runsOf } from './selection.ts';
import { tellHints } from './tell-hints.ts';
import type { Answer, Question, Transport } from './transport.ts';

/** What a person asks for. */
export interface PullRequest {
  readonly dagId: string;
  readonly run: RunChoice;
  /** Glob; null: every task. */
  readonly task: string | null;
  /** Glob. */
  readonly key: string;
  readonly mapIndex: string | null;
  readonly limit: number;
  readonly maxBytes: number;
  readonly keysOnly: boolean;
  readonly resolve: boolean;
  readonly layers: Layers;
}

/** What the flags of `xcom pull` say, as a request. Throws `reader_usage`. */
export function requestOf(flags: Omit<PullRequest, 'run'> & { readonly runId: string }): PullRequest {
  const { runId, ...rest } = flags;
  if (flags.mapIndex !== null) parseMapIndex(flags.mapIndex);
  return { ...rest, run: parseRunChoice(runId) };
}

/** The question of a request: for exactly the run that it names, or for those that begin so. */
export function questionOf(request: PullRequest, how: 'exact' | 'prefix'): Question {
  return {
    question: request.keysOnly ? 'keys' : 'values', dag_id: request.dagId, runs: runsOf(request.run, how),
    task_id: request.task === null ? '%' : likeOfGlob(request.task), key: likeOfGlob(request.key), map_index: request.mapIndex === null ? null : parseMapIndex(request.mapIndex),
    limit: request.limit, max_bytes: request.maxBytes, resolve: request.resolve,
  };
}

/** Pulls. An id that is no run's is taken for the beginning of one. */
export async function pullXComs(transport: Transport, request: PullRequest): Promise<XComPull> {
  let asked = await transport.ask(questionOf(request, 'exact'));
  if (asked.answer.runs.length === 0 && request.run.kind === 'id') {
    const wider = await transport.ask(questionOf(request, 'prefix'));
    if (wider.answer.runs.length > 1) throw new AppError('reader_usage', `several runs begin with ${request.run.id}: ${wider.answer.runs.map((run) => run.run_id).join(', ')}, …`, { hint: 'Say more of the id, or `latest`.' });
    if (wider.answer.runs.length === 1) asked = wider;
  }
  return pulled(transport, asked, request);
}

function pulled(transport: Transport, { answer, target }: { answer: Answer; target: string }, request: PullRequest): XComPull {
  const run = request.run.kind === 'id' ? request.run.id : `latest${request.run.state === null ? '' : `:${request.run.state}`}`;
  return {
    source: { transport: transport.name, target }, schema: answer.schema, dag_id: request.dagId, runs: answer.runs,
    xcoms: answer.rows.map((row) => pulledXCom(row, { dagId: request.dagId, backend: answer.backend, layers: request.layers, isApi: answer.schema === 'api' })), truncated: answer.truncated,
    hints: answer.hints === null ? [] : tellHints(answer.hints, { dagId: request.dagId, run, task: request.task, key: request.key, mapIndex: request.mapIndex, runs: answer.runs }),
  };
}

interface Decoding { readonly dagId: string; readonly backend: string | null; readonly layers: Layers; readonly isApi: boolean }

/** A row as it is printed: decoded, with what it was. */
export function pulledXCom(row: ProbeRow, how: Decoding): PulledXCom {
  const { run_id, task_id, map_index, key, timestamp } = row;
  const place = { dag_id: how.dagId, run_id, task_id, map_index, key, timestamp };
  const storage = row.resolved !== undefined ? 'objectstorage' : how.isApi ? 'api' : row.column;
  if (row.bytes === null) return { ...place, storage, encoding: 'null', raw: null, value: null, decodeNotes: [], bytes: null, cut: false };
  if (row.data === null) return { ...place, storage, encoding: 'absent', raw: null, value: null, decodeNotes: [], bytes: row.bytes, cut: false };
  const stored = storedOf(row, row.data, row.bytes);
  const decoded = decodeValue(stored, how.layers);
  return { ...place, storage, encoding: decoded.encoding, raw: rawText(stored.data), value: decoded.value, decodeNotes: [...notesOf(row, how.backend), ...decoded.notes].slice(0, 20), bytes: stored.bytes, cut: stored.cut };
}

function storedOf(row: ProbeRow, own: string, ownBytes: number): { column: 'json' | 'bytes'; data: Buffer; bytes: number | null; cut: boolean } {
  const fetched = row.resolved?.data ?? null;
  const data = Buffer.from(fetched ?? own, 'base64');
  if (fetched === null) return { column: row.column, data, bytes: ownBytes, cut: data.length < ownBytes };
  // Without a length it went on behind what was fetched.
  const bytes = row.resolved?.bytes ?? null;
  return { column: 'bytes', data, bytes, cut: bytes === null || data.length < bytes };
}

function notesOf(row: ProbeRow, backend: string | null): readonly string[] {
  if (row.resolved?.problem !== null && row.resolved?.problem !== undefined) return [`$: kept at ${row.resolved.url}, not fetched: ${row.resolved.problem}`];
  if (row.resolved !== undefined) return [`$: fetched from ${row.resolved.url}`];
  return backend === null ? [] : [`$: written by the XCom backend ${backend}; what it keeps elsewhere is shown as its reference`];
}

/** Text where the bytes are text, base64 where they are not. */
function rawText(data: Buffer): string {
  const text = data.toString('utf8');
  return Buffer.from(text, 'utf8').equals(data) ? text : data.toString('base64');
}

/** Runs of a DAG, newest first. */
export async function listRuns(transport: Transport, which: { readonly dagId: string; readonly limit: number }): Promise<{ readonly runs: readonly ProbeRun[]; readonly hints: readonly string[]; readonly target: string }> {
  const { answer, target } = await transport.ask({ question: 'runs', dag_id: which.dagId, runs: { run_id: '%', state: null, limit: which.limit }, task_id: '%', key: '%', map_index: null, limit: which.limit, max_bytes: 1, resolve: false });
  const hints = answer.hints === null || answer.runs.length > 0 ? [] : tellHints(answer.hints, { dagId: which.dagId, run: 'yet', task: null, key: '*', mapIndex: null, runs: [] });
  return { runs: answer.runs, hints, target };
}
