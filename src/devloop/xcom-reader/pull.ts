// A pull: one question, its answer decoded, and in words why it may be empty.
import { AppError } from '#contract/errors.ts';
import type { ProbeRun, XComPull } from '#contract/xcom-reader.ts';
import type { Layers } from './decode-value.ts';
import { likeOfGlob, parseMapIndex, parseRunChoice, type RunChoice, runsOf } from './selection.ts';
import type { pulledXCom } from './pulled-xcom.ts';
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

/** Longer than any id or key of Airflow. */
const MAX_TEXT = 1000;

/** What the flags of `xcom pull` say, as a request. Throws `reader_usage`. */
export function requestOf(flags: Omit<PullRequest, 'run'> & { readonly runId: string }): PullRequest {
  const { runId, ...rest } = flags;
  for (const text of [flags.dagId, runId, flags.task ?? '', flags.key]) if (text.length > MAX_TEXT || text.includes('\0')) throw new AppError('reader_usage', `an id, key or pattern has at most ${MAX_TEXT} characters and no NUL`);
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
  // Loaded while kubectl starts.
  const decoding = import('./pulled-xcom.ts');
  let asked = await transport.ask(questionOf(request, 'exact'));
  if (asked.answer.runs.length === 0 && request.run.kind === 'id') {
    const wider = await transport.ask(questionOf(request, 'prefix'));
    if (wider.answer.runs.length > 1) throw new AppError('reader_usage', `several runs begin with ${request.run.id}: ${wider.answer.runs.slice(0, 3).map((run) => run.run_id).join(', ')}${wider.answer.runs.length > 3 ? ', …' : ''}`, { hint: 'Say more of the id, or `latest`.' });
    if (wider.answer.runs.length === 1) asked = wider;
  }
  return { source: { transport: transport.name, target: asked.target }, ...pulled(asked.answer, request, (await decoding).pulledXCom) };
}

function pulled(answer: Answer, request: PullRequest, decode: typeof pulledXCom): Omit<XComPull, 'source'> {
  const run = request.run.kind === 'id' ? request.run.id : `latest${request.run.state === null ? '' : `:${request.run.state}`}`;
  return {
    schema: answer.schema, dag_id: request.dagId, runs: answer.runs,
    xcoms: answer.rows.map((row) => decode(row, { dagId: request.dagId, backend: answer.backend, layers: request.layers, isApi: answer.schema === 'api', keysOnly: request.keysOnly })), truncated: answer.truncated,
    hints: answer.hints === null ? [] : tellHints(answer.hints, { dagId: request.dagId, run, task: request.task, key: request.key, mapIndex: request.mapIndex, runs: answer.runs }),
  };
}

/** Runs of a DAG, newest first. */
export async function listRuns(transport: Transport, which: { readonly dagId: string; readonly limit: number }): Promise<{ readonly runs: readonly ProbeRun[]; readonly hints: readonly string[]; readonly target: string }> {
  const { answer, target } = await transport.ask({ question: 'runs', dag_id: which.dagId, runs: { run_id: '%', state: null, limit: which.limit }, task_id: '%', key: '%', map_index: null, limit: which.limit, max_bytes: 1, resolve: false });
  const hints = answer.hints === null || answer.runs.length > 0 ? [] : tellHints(answer.hints, { dagId: which.dagId, run: 'yet', task: null, key: '*', mapIndex: null, runs: [] });
  return { runs: answer.runs, hints, target };
}
