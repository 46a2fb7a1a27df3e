// Through the REST API of Airflow 3 (/api/v2), Airflow 2 (/api/v1) or Leoflow: reads only.
import { AppError } from '#contract/errors.ts';
import type { ProbeHints, ProbeRow, ProbeRun } from '#contract/xcom-reader.ts';
import { parsePythonJson, renderExactJson } from './python-json.ts';
import { exactlyOf, isLike } from './selection.ts';
import type { Answer, Question, SessionLimits, Transport } from './transport.ts';

/** Where the API is and how to log in there. */
export interface ApiAccess {
  /** Without a trailing slash and without /api/v2. */
  readonly url: string;
  readonly token: string | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly fetch: typeof fetch;
}

interface Api { readonly root: string; readonly version: 1 | 2; readonly get: (path: string, query?: Readonly<Record<string, string | number | boolean>>) => Promise<Record<string, unknown> | null> }

const PAGE = 100;
const AT_ONCE = 8;

/** The transport for who may not exec into pods: rights are those of the API's user. */
export function createApiTransport(access: ApiAccess, limits: SessionLimits): Transport {
  return {
    name: 'api',
    ask: async (question) => {
      const signal = AbortSignal.any([limits.stop, AbortSignal.timeout(limits.timeoutMs)]);
      try {
        // Opened for each question: a token may have expired since the last one.
        return { answer: await answer(await openApi(access, signal), question), target: new URL(access.url).host };
      } catch (error) {
        throw error instanceof AppError ? error : new AppError('reader_exec', `${new URL(access.url).origin} does not answer`, { cause: error, hint: 'Check the address, the VPN and --timeout.' });
      }
    },
    close: () => Promise.resolve(),
  };
}

async function openApi(access: ApiAccess, signal: AbortSignal): Promise<Api> {
  const authorization = await logIn(access, signal);
  const reach = async (url: string): Promise<Response> => access.fetch(url, { signal, headers: { accept: 'application/json', ...(authorization === null ? {} : { authorization }) } });
  const isNew = (await reach(`${access.url}/api/v2/version`)).status !== 404;
  const root = `${access.url}/api/${isNew ? 'v2' : 'v1'}`;
  return {
    root, version: isNew ? 2 : 1,
    get: async (path, query = {}) => {
      const search = new URLSearchParams(Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)]))).toString();
      const response = await reach(`${root}${path}${search === '' ? '' : `?${search}`}`);
      if (response.status === 404) return null;
      if (response.status === 401) throw new AppError('reader_cluster', 'the API does not accept this login', { hint: 'Put a token into LEOFLOW_READER_TOKEN, or a user and a password into LEOFLOW_READER_USER and LEOFLOW_READER_PASSWORD.' });
      if (!response.ok) throw new AppError(response.status === 403 ? 'reader_cluster' : 'reader_database', `the API answered ${response.status} to ${path.split('?')[0] ?? ''}`, { hint: response.status === 403 ? 'Ask for the right to read runs, task instances and XComs of this DAG.' : 'Look at the API server’s own log.' });
      return parsePythonJson(await response.text()) as Record<string, unknown>;
    },
  };
}

/** Airflow 3 and Leoflow give a token for a password; Airflow 2 takes the password itself. */
async function logIn(access: ApiAccess, signal: AbortSignal): Promise<string | null> {
  if (access.token !== null) return `Bearer ${access.token}`;
  if (access.user === null || access.password === null) return null;
  const response = await access.fetch(`${access.url}/auth/token`, { method: 'POST', signal, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: access.user, password: access.password }) });
  if (!response.ok) return `Basic ${Buffer.from(`${access.user}:${access.password}`).toString('base64')}`;
  const { access_token: token } = (await response.json()) as { access_token?: unknown };
  return typeof token === 'string' ? `Bearer ${token}` : null;
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const segment = (id: string): string => encodeURIComponent(id);

function runOf(raw: Record<string, unknown>): ProbeRun {
  return {
    run_id: text(raw['dag_run_id']) ?? '', state: text(raw['state']), run_type: text(raw['run_type']), logical_date: text(raw['logical_date']) ?? text(raw['execution_date']), run_after: text(raw['run_after']),
    start_date: text(raw['start_date']), end_date: text(raw['end_date']),
  };
}

async function answer(api: Api, question: Question): Promise<Answer> {
  const dag = `/dags/${segment(question.dag_id)}`;
  const runs = await findRuns(api, dag, question);
  const rows = question.question === 'values' || question.question === 'keys' ? await findRows(api, { dag, runs: runs ?? [], question }) : [];
  const isEmpty = question.question === 'runs' ? (runs ?? []).length === 0 : rows.length === 0;
  return {
    schema: 'api', dialect: 'api', connection_from: api.root, airflow_version: null, backend: null, runs: runs ?? [], rows: rows.slice(0, question.limit), truncated: rows.length > question.limit,
    hints: isEmpty ? await findHints(api, { dag, question, runs }) : null, statements: [], may_write: null,
  };
}

/** Runs that match, newest first; null when the DAG is unknown. */
async function findRuns(api: Api, dag: string, question: Question): Promise<readonly ProbeRun[] | null> {
  const exact = exactlyOf(question.runs.run_id);
  if (exact !== null) {
    const run = await api.get(`${dag}/dagRuns/${segment(exact)}`);
    if (run !== null) return [runOf(run)];
    return (await api.get(dag)) === null ? null : [];
  }
  const found: ProbeRun[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.get(`${dag}/dagRuns`, { order_by: api.version === 2 ? '-run_after' : '-execution_date', limit: PAGE, offset, ...(question.runs.state === null ? {} : { state: question.runs.state }) });
    if (page === null) return null;
    const runs = ((page['dag_runs'] ?? []) as Record<string, unknown>[]).map(runOf);
    found.push(...runs.filter((run) => isLike(run.run_id, question.runs.run_id)));
    if (found.length >= question.runs.limit || runs.length < PAGE) return found.slice(0, question.runs.limit);
  }
}

interface Entry { readonly run_id: string; readonly task_id: string; readonly map_index: number; readonly key: string; readonly timestamp: string | null }
interface RowSearch { readonly dag: string; readonly runs: readonly ProbeRun[]; readonly question: Question }

async function findRows(api: Api, search: RowSearch): Promise<readonly ProbeRow[]> {
  const { question } = search;
  const entries: Entry[] = [];
  for (const run of search.runs) entries.push(...(await listEntries(api, search, run.run_id)));
  const wanted = entries.slice(0, question.limit + 1);
  const rows: ProbeRow[] = [];
  for (let at = 0; at < wanted.length; at += AT_ONCE) rows.push(...(await Promise.all(wanted.slice(at, at + AT_ONCE).map((entry) => readEntry(api, entry, search)))));
  return rows;
}

async function listEntries(api: Api, { dag, question }: RowSearch, runId: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = await api.get(`${dag}/dagRuns/${segment(runId)}/taskInstances/~/xcomEntries`, { limit: PAGE, offset });
    const raw = (page?.['xcom_entries'] ?? []) as Record<string, unknown>[];
    const entries = raw.map((one) => ({ run_id: runId, task_id: text(one['task_id']) ?? '', map_index: typeof one['map_index'] === 'number' ? one['map_index'] : -1, key: text(one['key']) ?? '', timestamp: text(one['timestamp']) }));
    found.push(...entries.filter((entry) => isWanted(entry, question)));
    if (raw.length < PAGE) break;
  }
  return found.sort((a, b) => (a.task_id < b.task_id ? -1 : a.task_id > b.task_id ? 1 : a.map_index - b.map_index || (a.key < b.key ? -1 : 1)));
}

function isWanted(entry: Entry, question: Question): boolean {
  const [from, to] = question.map_index ?? [-1, Infinity];
  return isLike(entry.task_id, question.task_id) && isLike(entry.key, question.key) && entry.map_index >= from && entry.map_index <= to;
}

async function readEntry(api: Api, entry: Entry, { dag, question }: RowSearch): Promise<ProbeRow> {
  if (question.question === 'keys') return { ...entry, column: 'json', data: null, bytes: null };
  const path = `${dag}/dagRuns/${segment(entry.run_id)}/taskInstances/${segment(entry.task_id)}/xcomEntries/${segment(entry.key)}`;
  const found = await api.get(path, { map_index: entry.map_index, deserialize: false, stringify: false });
  const value = found?.['value'];
  if (value === undefined) return { ...entry, column: 'json', data: null, bytes: null };
  const bytes = Buffer.from(renderExactJson(value), 'utf8');
  return { ...entry, column: 'json', data: bytes.subarray(0, question.max_bytes).toString('base64'), bytes: bytes.length };
}

async function findHints(api: Api, found: { dag: string; question: Question; runs: readonly ProbeRun[] | null }): Promise<ProbeHints> {
  const { dag, question, runs } = found;
  const nothing: ProbeHints = { dag_known: true, dags: [], recent_runs: [], instances: [], task_ids: [], keys: [], map_indexes: null, archived: 0, incomplete: false };
  if (runs === null) return { ...nothing, dag_known: false, dags: (((await api.get('/dags', { limit: 20 }))?.['dags'] ?? []) as Record<string, unknown>[]).map((one) => text(one['dag_id']) ?? '') };
  if (runs.length === 0) return { ...nothing, recent_runs: (await findRuns(api, dag, { ...question, runs: { run_id: '%', state: null, limit: 5 } })) ?? [] };
  const run = runs[0]?.run_id ?? '';
  const instances = ((await api.get(`${dag}/dagRuns/${segment(run)}/taskInstances`, { limit: PAGE }))?.['task_instances'] ?? []) as Record<string, unknown>[];
  const all = instances.map((one) => ({ task_id: text(one['task_id']) ?? '', map_index: typeof one['map_index'] === 'number' ? one['map_index'] : -1, state: text(one['state']) }));
  const asked = all.filter((one) => isLike(one.task_id, question.task_id));
  const pushed = await listEntries(api, { dag, runs, question: { ...question, key: '%', map_index: null } }, run);
  const indexes = pushed.filter((entry) => isLike(entry.key, question.key)).map((entry) => entry.map_index);
  return { ...nothing, instances: asked.slice(0, 20), task_ids: [...new Set(all.map((one) => one.task_id))].slice(0, 20), keys: [...new Set(pushed.map((entry) => entry.key))].slice(0, 20), map_indexes: indexes.length === 0 ? null : [Math.min(...indexes), Math.max(...indexes)] };
}
