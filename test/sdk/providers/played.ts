// One run of each DAG of a server, and what our public API says of it afterwards.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 120_000;
const POLL_MS = 200;

interface Instance { readonly task_id: string; readonly state: string | null; readonly try_number: number }
interface LogAnswer { readonly content: readonly { event?: string; level?: string }[] }

/** A server with its token. */
export class Api {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** One request below /api/v2. Throws unless it succeeds. */
  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.#url}/api/v2${path}`, {
      method, headers: { 'content-type': 'application/json', accept: 'application/json', authorization: `Bearer ${this.#token}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  /** Runs a DAG once, to its end. */
  async play(dagId: string): Promise<Played> {
    await this.ask('PATCH', `/dags/${dagId}`, { is_paused: false });
    const { dag_run_id: runId } = await this.ask<{ dag_run_id: string }>('POST', `/dags/${dagId}/dagRuns`, { logical_date: null });
    return this.follow(dagId, runId);
  }

  /** The run as soon as it is over. */
  async follow(dagId: string, runId: string): Promise<Played> {
    const path = `/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}`;
    for (const end = performance.now() + LIMIT_MS; performance.now() < end; await sleep(POLL_MS)) {
      const { state } = await this.ask<{ state: string }>('GET', path);
      if (state !== 'success' && state !== 'failed') continue;
      const { task_instances: instances } = await this.ask<{ task_instances: Instance[] }>('GET', `${path}/taskInstances`);
      return new Played(this, { runId, state, path, instances });
    }
    const { task_instances: left } = await this.ask<{ task_instances: Instance[] }>('GET', `${path}/taskInstances`);
    return assert.fail(`${path} is not over: ${left.map((one) => `${one.task_id} ${one.state}`).join(', ')}`);
  }
}

/** A run that is over. */
export class Played {
  readonly runId: string;
  readonly state: string;
  readonly #api: Api;
  readonly #path: string;
  readonly #instances: readonly Instance[];

  constructor(api: Api, of: { runId: string; state: string; path: string; instances: readonly Instance[] }) {
    this.#api = api;
    this.runId = of.runId;
    this.state = of.state;
    this.#path = of.path;
    this.#instances = of.instances;
  }

  /** States by task. */
  get states(): Record<string, string | null> {
    return Object.fromEntries(this.#instances.map((one) => [one.task_id, one.state]));
  }

  /** Fields of a task as they were rendered. */
  async rendered(taskId: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#api.ask<{ rendered_fields: Readonly<Record<string, unknown>> }>('GET', `${this.#path}/taskInstances/${taskId}`)).rendered_fields;
  }

  /** An XCom as it is stored. */
  async xcom(taskId: string, key = 'return_value'): Promise<unknown> {
    return (await this.#api.ask<{ value: unknown }>('GET', `${this.#path}/taskInstances/${taskId}/xcomEntries/${key}`)).value;
  }

  /** The events of a try's log, a line each; default: the last try's. */
  async log(taskId: string, tryNumber = this.#find(taskId).try_number): Promise<string> {
    const { content } = await this.#api.ask<LogAnswer>('GET', `${this.#path}/taskInstances/${taskId}/logs/${tryNumber}?full_content=true`);
    return content.map((line) => JSON.stringify(line)).join('\n');
  }

  /** Every log of every try. */
  async everyLog(): Promise<string> {
    const tries = this.#instances.flatMap((one) => Array.from({ length: one.try_number }, (_, index) => this.log(one.task_id, index + 1)));
    return (await Promise.all(tries)).join('\n');
  }

  #find(taskId: string): Instance {
    return this.#instances.find((one) => one.task_id === taskId) ?? assert.fail(`no task ${taskId}`);
  }
}
