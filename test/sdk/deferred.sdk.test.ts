// Many tasks wait at once while server and trigger host are killed: all resume, each exactly once. LEOFLOW_TEST_DEFERRED says how many.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { processesOfFolder } from '../support/processes-of-folder.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const COUNT = Number(process.env['LEOFLOW_TEST_DEFERRED'] ?? '60');
const LIMIT_MS = 120_000 + COUNT * 1_000;

describe('many deferred tasks', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const folder = join(place.path, 'ledger');
  let lite: Running;
  let url = '';

  const start = async (): Promise<void> => {
    lite = startLeoflow(home, ['lite', join(place.path, 'dags'), '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARALLELISM: '16', LEOFLOW_MAX_MAP_LENGTH: '5000', MANY_DEFERRED: String(COUNT), DEFERRED_FOLDER: folder });
    url = (await lite.until('ready http')).replace('ready ', '').trim();
  };
  /** Nothing of the server is told: what it started lives on. */
  const kill = async (): Promise<void> => void (await lite.stop('SIGKILL'));
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}/api/v2${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return (await answer.json()) as T;
  };
  const countOf = async (run: string, state: string): Promise<number> => (await call<{ total_entries: number }>('GET', `/dags/many_deferred/dagRuns/${encodeURIComponent(run)}/taskInstances?limit=1&state=${state}`)).total_entries;
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + LIMIT_MS; !(await holds().catch(() => false)); await sleep(300)) assert.ok(Date.now() < end, `waited in vain: ${what}`);
  };
  const ledger = (name: string): number[] => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').trim().split('\n').map(Number) : []);
  /** A host is known by the name of its process, and as ours by the environment that it has from the server. */
  const hostPid = (): number | null => processesOfFolder(home).find((pid) => readIfThere(`/proc/${pid}/comm`) === 'lf-triggers\n') ?? null;

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    mkdirSync(folder, { mode: 0o777 });
    cpSync(join(import.meta.dirname, 'dags', 'deferred'), join(place.path, 'dags'), { recursive: true });
    await start();
  }, { timeout: 100_000 });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  test(`${COUNT} wait, and resume exactly once through kills of the server and of the host`, { timeout: LIMIT_MS * 4 }, async () => {
    const { dag_run_id: run } = await call<{ dag_run_id: string }>('POST', '/dags/many_deferred/dagRuns', { logical_date: null });
    await until('all are deferred', async () => (await countOf(run, 'deferred')) === COUNT);
    await until('a host runs', () => Promise.resolve(hostPid() !== null));
    process.kill(hostPid() ?? 0, 'SIGKILL');
    await until('another host runs', () => Promise.resolve(hostPid() !== null));
    await kill();
    await start();
    writeFileSync(join(folder, 'go'), '');
    // In the middle of what follows.
    await until('some have resumed', () => Promise.resolve(ledger('resumed').length > COUNT / 10));
    const second = hostPid();
    if (second !== null) process.kill(second, 'SIGKILL');
    await until('more have resumed', () => Promise.resolve(ledger('resumed').length > COUNT / 4));
    await kill();
    await start();
    await until('the run is over', async () => ['success', 'failed'].includes((await call<{ state: string }>('GET', `/dags/many_deferred/dagRuns/${encodeURIComponent(run)}`)).state));

    assert.equal(await countOf(run, 'success'), COUNT);
    const everybody = Array.from({ length: COUNT }, (_, who) => who);
    const sorted = (name: string): number[] => ledger(name).sort((a, b) => a - b);
    assert.deepEqual(sorted('begun'), everybody, 'each began once');
    assert.deepEqual(sorted('resumed'), everybody, 'each resumed once');
  });

  test('a host that cannot tell its events any more ends, and another tells them', { timeout: LIMIT_MS }, async () => {
    const { dag_run_id: run } = await call<{ dag_run_id: string }>('POST', '/dags/threadless/dagRuns', { logical_date: null });
    await until('the run is over', async () => ['success', 'failed'].includes((await call<{ state: string }>('GET', `/dags/threadless/dagRuns/${encodeURIComponent(run)}`)).state));
    const [first, second, ...more] = ledger('hosts');
    assert.ok(first !== undefined && second !== undefined && first !== second, 'the first brought its event in vain');
    assert.deepEqual(more, [], 'the second did not');
    assert.equal(existsSync(join(folder, 'called_off')), false, 'nobody was told that nobody waits for them any more');
    assert.match(readFileSync(join(home, 'logs', 'server.log'), 'utf8'), /the trigger host of \S+ ended \(status 1\)/);
    assert.match(readFileSync(join(home, 'logs', 'imports.log'), 'utf8'), /a child ended early: RuntimeError: can't start new thread/);
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
