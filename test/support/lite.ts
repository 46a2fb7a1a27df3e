// A `leoflow lite` of its own for tests, and the public API as a client of it sees it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow } from './cli.ts';

const LIMIT_MS = 90_000;

/** A running `lite`. */
export interface Lite {
  readonly running: Running;
  readonly url: string;
  /** A request below /api/v2. Fails the test unless it is answered with success. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Asks every 50 ms until there is something, 90 s at most. */
  until<T>(what: string, find: () => Promise<T | null>): Promise<T>;
  /** Triggers a run and waits for its end. @returns its path below /api/v2 and its state */
  run(dagId: string, conf?: Readonly<Record<string, unknown>>): Promise<{ readonly path: string; readonly state: string }>;
  /** Value that a task of a run has returned. */
  returned<T>(runPath: string, taskId: string): Promise<T>;
}

/** Starts it and waits until it answers. @param home its folder */
export async function startLite(home: string, dags: string, environment: Readonly<Record<string, string>> = {}): Promise<Lite> {
  const running = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], environment);
  const url = (await running.until('ready http')).replace('ready ', '').trim();
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` };
    const answer = await fetch(`${url}/api/v2${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as T;
  };
  const until = async <T>(what: string, find: () => Promise<T | null>): Promise<T> => {
    for (const end = Date.now() + LIMIT_MS; ; await sleep(50)) {
      const found = await find();
      if (found !== null) return found;
      assert.ok(Date.now() < end, `waited in vain: ${what}\n${running.read().err.slice(-2000)}`);
    }
  };
  return {
    running, url, call, until,
    async run(dagId, conf = {}) {
      const { dag_run_id: runId } = await call<{ dag_run_id: string }>('POST', `/dags/${dagId}/dagRuns`, { logical_date: null, conf });
      const path = `/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}`;
      const state = await until(`the end of ${dagId}`, async () => {
        const { state: now } = await call<{ state: string }>('GET', path);
        return now === 'success' || now === 'failed' ? now : null;
      });
      return { path, state };
    },
    async returned<T>(runPath: string, taskId: string) {
      return (await call<{ value: T }>('GET', `${runPath}/taskInstances/${taskId}/xcomEntries/return_value`)).value;
    },
  };
}
