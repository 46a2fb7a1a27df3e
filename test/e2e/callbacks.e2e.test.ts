// Callbacks under our own runtime that no task's process makes: of DAGs, and of tasks whose process is gone.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const DAGS = `
import json
import os
import signal
import time

from airflow.sdk import DAG, Variable, task

FOLDER = os.environ["CALLBACKS_FOLDER"]


def note(context):
    ti = context["ti"]
    line = {"reason": context.get("reason"), "task": ti.task_id, "state": ti.state, "run": context["dag_run"].state, "told": Variable.get("told"), "pulled": ti.xcom_pull(task_ids="one")}
    with open(os.path.join(FOLDER, context["dag"].dag_id), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\\n")
    print("noted")


def breaks(context):
    note(context)
    raise ValueError("no good")


with DAG("well", on_success_callback=[note, breaks]):

    @task
    def one():
        return 1

    one()

def waits(context):
    path = os.path.join(FOLDER, "slow")
    with open(path, "a", encoding="utf-8") as file:
        file.write('"begun"\\n')
    while not os.path.exists(os.path.join(FOLDER, "go")):
        time.sleep(0.01)
    with open(path, "a", encoding="utf-8") as file:
        file.write('"ended"\\n')


with DAG("slow", on_success_callback=waits):

    @task
    def quick():
        return 1

    quick()

with DAG("killed", on_failure_callback=note):

    @task(on_failure_callback=note)
    def gone():
        os.kill(os.getpid(), signal.SIGKILL)

    gone()
`;

interface Entry { readonly event: string; readonly extra: string }

describe('callbacks under our own runtime', () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  /** The whole lines of the file; the last one may be under way. */
  const notesOf = (dagId: string): unknown[] => (existsSync(join(place.path, dagId)) ? readFileSync(join(place.path, dagId), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as unknown) : []);
  let lite: Running;
  let url = '';

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}/api/v2${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return (await answer.json()) as T;
  };
  const told = async (dagId: string, count: number): Promise<Entry[]> => {
    for (const end = Date.now() + 20_000; ; await sleep(50)) {
      const { event_logs: entries } = await call<{ event_logs: Entry[] }>('GET', `/eventLogs?dag_id=${dagId}&included_events=callback%20done&included_events=callback%20failed`);
      if (entries.length >= count) return entries;
      assert.ok(Date.now() < end, `waited in vain for ${count} callbacks of ${dagId}\n${lite.read().err.slice(-2000)}`);
    }
  };

  const start = async (): Promise<void> => {
    lite = startLeoflow(home, ['lite', join(place.path, 'dags'), '--port', '0', '--home', home], { LEOFLOW_INFRA_RETRIES: '0', CALLBACKS_FOLDER: place.path });
    url = (await lite.until('ready http')).replace('ready ', '').trim();
  };

  before(async () => {
    mkdirSync(join(place.path, 'dags'));
    writeFileSync(join(place.path, 'dags', 'callbacks_dag.py'), DAGS);
    await start();
    await call('POST', '/variables', { key: 'told', value: 'by the server' });
  });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  test('all of a DAG’s callbacks are made with the context of the task that Airflow names; one that raises is written down', async () => {
    await call('POST', '/dags/well/dagRuns', { logical_date: null });
    const [entry] = await told('well', 1);
    const note = { reason: 'success', task: 'one', state: 'success', run: 'success', told: 'by the server', pulled: 1 };
    assert.deepEqual(notesOf('well'), [note, note]);
    assert.deepEqual([entry?.event, JSON.parse(entry?.extra ?? '{}')['error']], ['callback failed', 'ValueError: no good']);
  });

  test('`leoflow run` ends when they are made', async () => {
    const before = notesOf('well').length;
    const { code } = await leoflow(join(place.path, 'other'), ['run', join(place.path, 'dags', 'callbacks_dag.py'), '--dag', 'well'], { env: { CALLBACKS_FOLDER: place.path, AIRFLOW_VAR_TOLD: 'by the environment' } });
    assert.deepEqual([code, notesOf('well').length - before], [0, 2]);
  });

  test('a task whose process was killed has its failure callback made, and then its DAG', async () => {
    await call('POST', '/dags/killed/dagRuns', { logical_date: null });
    await told('killed', 2);
    const notes = notesOf('killed') as { reason: string | null; task: string }[];
    assert.deepEqual(notes.map(({ reason, task }) => [reason, task]).sort((a, b) => String(a).localeCompare(String(b))), [[null, 'gone'], ['task_failure', 'gone']]);
  });

  test('a callback goes on when its server is killed, and the next server takes its answer: it is made once', async () => {
    await call('POST', '/dags/slow/dagRuns', { logical_date: null });
    for (const end = Date.now() + 20_000; notesOf('slow').length === 0; await sleep(10)) assert.ok(Date.now() < end, 'it never began');
    await lite.stop('SIGKILL');
    await start();
    writeFileSync(join(place.path, 'go'), '');
    const [entry] = await told('slow', 1);
    assert.deepEqual([entry?.event, JSON.parse(entry?.extra ?? '{}')['attempts'], notesOf('slow')], ['callback done', 1, ['begun', 'ended']]);
  });
});
