// Plays a scenario against any server that speaks Airflow's /api/v2, and reads what became of it. Nothing read depends on time.
import { setTimeout as sleep } from 'node:timers/promises';

/** A server, and how patient one has to be with it. */
export interface Stage {
  readonly url: string;
  readonly token: string | null;
  readonly pollMs: number;
  /** When nothing has changed for so long, nothing will. */
  readonly quietMs: number;
  readonly limitMs: number;
}

/** One run as it stands: task (and index) → state and tries, and the values that were pushed. */
export interface RunOutcome {
  readonly state: string;
  readonly tasks: Readonly<Record<string, string>>;
  readonly xcoms?: Readonly<Record<string, unknown>>;
}

/** What a scenario noted, by label. */
export type Notes = Record<string, unknown>;

interface Instance { task_id: string; map_index: number; state: string | null; try_number: number; start_date: string | null; end_date: string | null; rendered_map_index: string | null }
interface Run { dag_run_id: string; state: string; logical_date: string | null; data_interval_start: string | null; data_interval_end: string | null; run_after: string; run_type: string; start_date: string | null }

/** The answer of a server that refused. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status} ${text.slice(0, 500)}`);
    this.status = status;
  }
}

/** XComs that Airflow writes for itself. */
const INTERNAL = new Set(['skipmixin_key', 'past_depends_met']);

/** Pools that DAGs of the suite ask for. One DAG a pool: an order seen in it is the order of that DAG. */
const POOLS: Readonly<Record<string, number>> = {
  semantics_one: 1, semantics_one_b: 1, semantics_one_c: 1, semantics_one_d: 1, semantics_one_e: 1, semantics_two: 2, semantics_three: 3, semantics_three_b: 3,
};

/** One request. Throws {@link Refused} when the answer is no. */
export async function call<R>(stage: Stage, method: string, path: string, body?: unknown): Promise<R> {
  const response = await fetch(`${stage.url}/api/v2${path}`, {
    method, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: { ...(stage.token === null ? {} : { authorization: `Bearer ${stage.token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, `${method} ${path}: ${text}`);
  return (text === '' ? null : JSON.parse(text)) as R;
}

/** Makes the pools. */
export async function makePools(stage: Stage): Promise<void> {
  for (const [name, slots] of Object.entries(POOLS)) await call(stage, 'POST', '/pools', { name, slots });
}

/** Ids of all DAGs there are. */
export async function listDagIds(stage: Stage): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await call<{ dags: { dag_id: string }[]; total_entries: number }>(stage, 'GET', `/dags?limit=100&offset=${ids.length}&order_by=dag_id&exclude_stale=true`);
    ids.push(...page.dags.map((dag) => dag.dag_id));
    if (page.dags.length === 0 || ids.length >= page.total_entries) return ids;
  }
}

/** One DAG on a stage: what its scenario does, and what it noted. */
export class Play {
  readonly notes: Notes = {};
  /** A word of this play alone, for runs that meet. */
  readonly meeting: string;
  readonly #stage: Stage;
  readonly #dag: string;

  constructor(stage: Stage, dagId: string) {
    this.#stage = stage;
    this.#dag = `/dags/${dagId}`;
    this.meeting = `${dagId} ${Date.now()} ${Math.random()}`;
  }

  async setPaused(paused: boolean): Promise<void> {
    await this.#call('PATCH', '', { is_paused: paused });
  }

  /** Starts a run. @returns its id */
  async trigger(how: { conf?: object; date?: string; runId?: string } = {}): Promise<string> {
    const made = await this.#call<Run>('POST', '/dagRuns', { logical_date: how.date ?? null, conf: how.conf ?? {}, ...(how.runId === undefined ? {} : { dag_run_id: how.runId }) });
    return made.dag_run_id;
  }

  /** Waits for a run's end. */
  async ended(run: string): Promise<void> {
    await this.#until(`${run} to end`, async () => isEnd((await this.#getRun(run)).state));
  }

  /** Waits until a task instance is in a state. */
  async reached(run: string, at: { task: string; state: string }): Promise<void> {
    await this.#until(`${at.task} to be ${at.state}`, async () => (await this.#instances(run)).some((one) => one.task_id === at.task && one.state === at.state));
  }

  /** Waits until a run has ended, or nothing has happened to it for a while. */
  async settled(run: string): Promise<void> {
    await this.#untilSame(async () => {
      const { state } = await this.#getRun(run);
      return { text: JSON.stringify([state, await this.#instances(run)]), isEnd: isEnd(state) };
    });
  }

  /** Notes how a run stands. */
  async note(label: string, run: string): Promise<void> {
    this.notes[label] = await this.read(run);
  }

  async read(run: string): Promise<RunOutcome> {
    const { state } = await this.#getRun(run);
    const instances = await this.#instances(run);
    const tasks = instances.map((one): [string, string] => [nameOf(one), `${one.state ?? 'none'} ${one.try_number}${one.rendered_map_index === null || one.rendered_map_index === String(one.map_index) ? '' : ` "${one.rendered_map_index}"`}`]);
    const xcoms = await this.#xcoms(run);
    return { state, tasks: sorted(tasks), ...(xcoms.length === 0 ? {} : { xcoms: sorted(xcoms) }) };
  }

  /** Notes in which order task instances started. */
  async noteOrder(run: string, tasks: RegExp): Promise<void> {
    const started = (await this.#instances(run)).filter((one) => one.start_date !== null && tasks.test(one.task_id));
    this.notes['order'] = started.sort((a, b) => Date.parse(a.start_date ?? '') - Date.parse(b.start_date ?? '')).map(nameOf);
  }

  /** Notes how many instances of the runs ran at the same time, at most. */
  async noteOverlap(...runs: readonly string[]): Promise<void> {
    const spans = (await Promise.all(runs.map((run) => this.#instances(run)))).flat().map((one) => ({ from: Date.parse(one.start_date ?? ''), to: Date.parse(one.end_date ?? '') }));
    this.notes['overlap'] = Math.max(...spans.map((span) => spans.filter((other) => other.from <= span.from && span.from < other.to).length));
  }

  /** Clears task instances. @returns what is affected */
  async clear(run: string, how: object): Promise<string[]> {
    const body = { dry_run: false, only_failed: false, dag_run_id: run, ...how };
    const answer = await this.#call<{ task_instances: Instance[] }>('POST', '/clearTaskInstances', body);
    return answer.task_instances.map(nameOf).sort();
  }

  async clearRun(run: string, how: object): Promise<void> {
    await this.#call('POST', `/dagRuns/${encodeURIComponent(run)}/clear`, { dry_run: false, ...how });
  }

  /** Gives a task (or one index of it) a state. */
  async mark(run: string, task: string, how: { new_state: string; include_downstream?: boolean; index?: number }): Promise<void> {
    const { index, ...body } = how;
    await this.#call('PATCH', `/dagRuns/${encodeURIComponent(run)}/taskInstances/${task}${index === undefined ? '' : `/${index}`}`, body);
  }

  async markRun(run: string, state: string): Promise<void> {
    await this.#call('PATCH', `/dagRuns/${encodeURIComponent(run)}`, { state });
  }

  /** Notes the status with which something was refused. */
  async noteRefusal(label: string, attempt: () => Promise<unknown>): Promise<void> {
    try {
      await attempt();
      this.notes[label] = 'not refused';
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.notes[label] = `refused ${error.status}`;
    }
  }

  /** Notes a run's dates. */
  async noteDates(label: string, run: string): Promise<void> {
    this.notes[label] = datesOf(await this.#getRun(run));
  }

  /** Waits until a timetable has made its runs and they have ended or wait, and notes them all. */
  async noteScheduled(): Promise<void> {
    await this.#untilSame(async () => {
      const runs = await this.#listRuns();
      const outcomes = await Promise.all(runs.map((run) => this.#instances(run.dag_run_id)));
      return { text: JSON.stringify([runs.map((run) => [run.dag_run_id, run.state]), outcomes]), isEnd: false };
    });
    for (const run of await this.#listRuns()) this.notes[run.dag_run_id] = { ...datesOf(run), ...(await this.read(run.dag_run_id)) };
  }

  /** Notes in which order the runs started. */
  async noteOrderOfRuns(): Promise<void> {
    const runs = await this.#listRuns();
    this.notes['order'] = [...runs].sort((a, b) => Date.parse(a.start_date ?? '') - Date.parse(b.start_date ?? '')).map((run) => run.dag_run_id);
  }

  async #listRuns(): Promise<Run[]> {
    return (await this.#call<{ dag_runs: Run[] }>('GET', '/dagRuns?limit=100&order_by=run_after')).dag_runs;
  }

  #call<R>(method: string, path: string, body?: unknown): Promise<R> {
    return call(this.#stage, method, `${this.#dag}${path}`, body);
  }

  #getRun(run: string): Promise<Run> {
    return this.#call('GET', `/dagRuns/${encodeURIComponent(run)}`);
  }

  async #instances(run: string): Promise<Instance[]> {
    const answer = await this.#call<{ task_instances: Instance[]; total_entries: number }>('GET', `/dagRuns/${encodeURIComponent(run)}/taskInstances?limit=100`);
    if (answer.total_entries > answer.task_instances.length) throw new Error(`${run} has more than 100 task instances`);
    return answer.task_instances;
  }

  async #xcoms(run: string): Promise<[string, unknown][]> {
    const all = `/dagRuns/${encodeURIComponent(run)}/taskInstances`;
    const { xcom_entries: entries } = await this.#call<{ xcom_entries: { task_id: string; map_index: number; key: string }[] }>('GET', `${all}/~/xcomEntries?limit=100`);
    const wanted = entries.filter((entry) => !INTERNAL.has(entry.key));
    return Promise.all(wanted.map(async (entry): Promise<[string, unknown]> => {
      const { value } = await this.#call<{ value: unknown }>('GET', `${all}/${entry.task_id}/xcomEntries/${entry.key}?map_index=${entry.map_index}`);
      return [`${nameOf(entry)}.${entry.key}`, value];
    }));
  }

  async #until(what: string, ask: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + this.#stage.limitMs;
    while (!(await ask())) {
      if (performance.now() > deadline) throw new Error(`${this.#dag} waited in vain for ${what}`);
      await sleep(this.#stage.pollMs);
    }
  }

  async #untilSame(look: () => Promise<{ text: string; isEnd: boolean }>): Promise<void> {
    let last = '';
    let since = performance.now();
    await this.#until('quiet', async () => {
      const { text, isEnd: isOver } = await look();
      if (text !== last) since = performance.now();
      last = text;
      return isOver || performance.now() - since > this.#stage.quietMs;
    });
  }
}

function isEnd(state: string): boolean {
  return state === 'success' || state === 'failed';
}

function nameOf(one: { task_id: string; map_index: number }): string {
  return one.map_index < 0 ? one.task_id : `${one.task_id}[${one.map_index}]`;
}

function datesOf(run: Run): object {
  const instant = (text: string | null): string | null => (text === null ? null : new Date(text).toISOString());
  return { type: run.run_type, logical: instant(run.logical_date), start: instant(run.data_interval_start), end: instant(run.data_interval_end) };
}

function sorted<V>(entries: readonly [string, V][]): Record<string, V> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
