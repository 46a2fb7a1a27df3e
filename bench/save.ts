// From saving a DAG file to its new graph in the API: `leoflow lite` on a folder of 200 files.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleep } from '#platform/clock.ts';
import { userEnvironment } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import type { Measured } from './figures.ts';
import type { Workbench } from './workbench.ts';

const PROGRAM = join(import.meta.dirname, '..', 'bin', 'leoflow');
const PYTHON_FOLDER = join(import.meta.dirname, '..', 'python');
const FILES = 200;
const LIMIT_MS = 10_000;

function dagFile(number: number, tasks: number): string {
  const bodies = Array.from({ length: tasks }, (_, index) => `    @task\n    def t${index}(): return ${index}\n    t${index}()\n`).join('');
  return `from datetime import datetime\nfrom airflow.sdk import DAG, task\nfrom airflow.providers.standard.operators.bash import BashOperator\n\nwith DAG("d${number}", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):\n${bodies}`;
}

/** The case: a file gets one more task; asked every 5 ms until the API lists it. */
export async function measureSave(bench: Workbench): Promise<Measured> {
  const dags = join(bench.folder, 'dags');
  const home = join(bench.folder, 'home');
  for (const folder of [dags, home]) mkdirSync(folder, { mode: 0o711 });
  for (let number = 0; number < FILES; number += 1) writeFileSync(join(dags, `d${number}.py`), dagFile(number, 2));
  const child = spawn(PROGRAM, ['lite', dags, '--home', home, '--port', '0'], { env: { ...userEnvironment(), LEOFLOW_PYTHON: bench.python }, stdio: ['ignore', 'pipe', 'ignore'] });
  bench.defer(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('ready ') && resolve(line.slice('ready '.length)));
    child.once('exit', (code) => reject(new Error(`lite ended with ${code}`)));
  });
  const token = readFileSync(join(home, 'token'), 'utf8').trim();
  const countTasks = async (number: number): Promise<number> => {
    const answer = await fetch(`${url}/api/v2/dags/d${number}/tasks`, { headers: { authorization: `Bearer ${token}` } });
    return ((await answer.json()) as { total_entries: number }).total_entries;
  };
  const saves: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    const number = (round * 37) % FILES;
    const bare = performance.now();
    await run(bench.python, ['-m', 'leoflow.parse', join(dags, `d${number}.py`), '--root', dags], { timeoutMs: LIMIT_MS, env: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER, LEOFLOW_PARSE_BYTECODE_FOLDER: join(home, 'bytecode') } });
    floor.push(performance.now() - bare);
    const started = performance.now();
    writeFileSync(join(dags, `d${number}.py`), dagFile(number, 3));
    while ((await countTasks(number)) !== 3) {
      if (performance.now() - started > LIMIT_MS) throw new Error(`d${number} was saved and never came`);
      await sleep(5);
    }
    saves.push(performance.now() - started);
  }
  return {
    figures: [{ name: `save to new graph in the API, ${FILES} files`, unit: 'ms', target: { of: 'value', atMost: 300 }, rounds: saves, base: { name: 'the parser alone', rounds: floor } }],
    details: ['A task is added to one file of a folder that `leoflow lite` watches; then /dags/{id}/tasks is asked every 5 ms until it lists it. The watcher waits 15 ms for the last write of an editor.'],
  };
}
