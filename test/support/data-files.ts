// One project whose tasks open files, served by `leoflow lite` under either Python runtime: what they read before and after the files were saved.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow } from './cli.ts';

const DAG = `import os, time
from pathlib import Path
from airflow.sdk import DAG, task
HERE = os.path.dirname(os.path.abspath(__file__))
with DAG("reader", schedule=None):
    @task
    def wait():
        while not os.path.exists("@GATE@"):
            time.sleep(0.02)
    @task
    def read():
        folder = Path(__file__).parent / "data"
        return {
            "joined": open(os.path.join(HERE, "sql", "load.sql")).read(),
            "folder": {path.name: path.read_text() for path in sorted(folder.glob("*.csv"))},
            "relative": open("config/x.yaml").read(),
            "included": Path(HERE, *["extra", "more.txt"]).read_text(),
            "own": HERE,
        }
    wait() >> read()
`;
const FILES = { 'sql/load.sql': 'select 1', 'sql/unrelated.sql': '', 'data/a.csv': 'a', 'config/x.yaml': 'x: 1', 'extra/more.txt': 'one', 'leoflow.yaml': '' };

/** What a run read. `own` is the folder of its version. */
export interface ReadFiles { readonly joined: string; readonly folder: Readonly<Record<string, string>>; readonly relative: string; readonly included: string; readonly own: string }

/** The server, and what can be done to the project. */
export interface DataFilesProject {
  readonly lite: Running;
  readonly write: (path: string, text: string) => void;
  /** Waits until the DAG has so many versions. */
  readonly versions: (count: number) => Promise<void>;
  readonly trigger: (runId: string) => Promise<void>;
  /** Lets every run go on. */
  readonly open: () => void;
  readonly readBy: (runId: string) => Promise<ReadFiles>;
}

/** Starts it. @param folder an empty one */
export async function startDataFilesProject(folder: string, runtime: 'leoflow' | 'airflow', env: Record<string, string> = {}): Promise<DataFilesProject> {
  const [home, gate] = [join(folder, 'home'), join(folder, 'gate')];
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, 'dags', path)), { recursive: true });
    writeFileSync(join(folder, 'dags', path), text);
  };
  for (const [path, text] of Object.entries({ ...FILES, 'leoflow.yaml': `runtime: ${runtime}\ninclude_files: ["extra/*.txt"]\n`, 'reader.py': DAG.replace('@GATE@', gate) })) write(path, text);
  mkdirSync(home, { mode: 0o755 });
  const lite = startLeoflow(home, ['lite', join(folder, 'dags'), '--port', '0', '--home', home], env);
  const url = (await lite.until('ready http')).replace('ready ', '').trim();
  const authorization = `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}`;
  const call = async (path: string, body?: unknown): Promise<unknown> => (await fetch(`${url}/api/v2/dags/reader${path}`, { method: body === undefined ? 'GET' : 'POST', headers: { authorization, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })).json();
  return {
    lite, write, open: () => writeFileSync(gate, ''),
    versions: async (count) => {
      while (((await call('/dagVersions')) as { total_entries: number }).total_entries < count) await sleep(20);
    },
    trigger: async (runId) => void await call('/dagRuns', { logical_date: null, dag_run_id: runId }),
    readBy: async (runId) => {
      for (;;) {
        const { state } = (await call(`/dagRuns/${runId}`)) as { state: string };
        assert.notEqual(state, 'failed', runId);
        if (state === 'success') return ((await call(`/dagRuns/${runId}/taskInstances/read/xcomEntries/return_value`)) as { value: ReadFiles }).value;
        await sleep(20);
      }
    },
  };
}

/** A run reads what its version holds: before anything was saved, and after each kind of file was. */
export async function playDataFiles(project: DataFilesProject): Promise<void> {
  const { write, versions, trigger } = project;
  await versions(1);
  await trigger('first');
  write('sql/load.sql', 'select 2');
  await versions(2);
  write('data/b.csv', 'b');
  await versions(3);
  write('extra/more.txt', 'two');
  await versions(4);
  write('extra/new.txt', '');
  await versions(5);
  await trigger('last');
  project.open();
  const [first, last] = [await project.readBy('first'), await project.readBy('last')];
  assert.deepEqual({ ...first, own: '' }, { joined: 'select 1', folder: { 'a.csv': 'a' }, relative: 'x: 1', included: 'one', own: '' });
  assert.deepEqual({ ...last, own: '' }, { joined: 'select 2', folder: { 'a.csv': 'a', 'b.csv': 'b' }, relative: 'x: 1', included: 'two', own: '' });
  assert.notEqual(first.own, last.own);
}
