// `leoflow xcom pull` of 20 rows beside the same SELECT by bare `kubectl exec`, and how soon the commands of the developer loop start.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { userEnvironment } from '#platform/config.ts';
import { prepareContainerPython, prepareKubectl, schedulerPod } from '../test/support/kubectl.ts';
import { makeSqliteXComDatabase } from '../test/support/xcom-databases.ts';
import type { Measured } from './figures.ts';
import type { Workbench } from './workbench.ts';

const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'bin', 'leoflow');
const PROBE_PYTHON = join(ROOT, '.venv-probe', 'bin', 'python');
const ROWS = 20;

/** The least that a person could write without the reader: the driver alone, one SELECT, its rows printed. */
const BARE = `import json, os, sqlite3
connection = sqlite3.connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"][len("sqlite:///"):])
rows = connection.execute("SELECT x.task_id, x.key, x.value FROM xcom x JOIN dag_run d ON d.id = x.dag_run_id WHERE d.dag_id = 'xcom_kinds' AND d.run_id = 'manual__1' LIMIT 20")
print(json.dumps([list(row) for row in rows]))
`;

/** Runs a program to its end with the given exit code. @returns milliseconds */
function timed(command: string, args: readonly string[], how: { env: Record<string, string>; input?: string; status?: number }): number {
  const started = performance.now();
  const done = spawnSync(command, [...args], { env: how.env, input: how.input ?? '', encoding: 'utf8' });
  const elapsed = performance.now() - started;
  if (done.status !== (how.status ?? 0)) throw new Error(`${command} ${args.join(' ')}: ${done.status} ${done.stderr}`);
  return elapsed;
}

/** The case. kubectl is the one of the tests: it starts the program as a process of its own with the pod's environment. */
export function measureXComReader(bench: Workbench): Promise<Measured> {
  const path = join(bench.folder, 'airflow.db');
  const { airflowUrl } = makeSqliteXComDatabase(path);
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  for (let row = 0; row < ROWS; row += 1) database.prepare("insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp) values (1, 'xcom_kinds', 'manual__1', 'draw', ?, 'return_value', ?, '2021-03-01 06:00:01.000000')").run(row, JSON.stringify({ auc: row / 100 }));
  database.close();
  const environment = { ...prepareContainerPython(join(bench.folder, 'pod'), PROBE_PYTHON), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: airflowUrl };
  const kubectl = prepareKubectl({ pods: [schedulerPod(environment)] }, { python: bench.python });
  bench.defer(() => Promise.resolve(kubectl.remove()));
  const env = { ...userEnvironment(), HOME: bench.folder, XDG_CACHE_HOME: join(bench.folder, 'cache') };
  const script = join(bench.folder, 'bare.py');
  writeFileSync(script, BARE);
  const pull = (): number => timed(PROGRAM, ['xcom', 'pull', '--kubectl', kubectl.program, '--dag-id', 'xcom_kinds', '--run-id', 'manual__1', '--task-id', 'draw', '--json'], { env });
  const bare = (): number => timed(kubectl.program, ['exec', '-i', 'airflow-scheduler-0', '-c', 'scheduler', '--', 'python3', '-'], { env, input: BARE });
  const [pulls, bares, reader, tree, node] = [[], [], [], [], []] as [number[], number[], number[], number[], number[]];
  for (const warm of [pull, bare]) warm();
  for (let round = 0; round < bench.rounds; round += 1) {
    bares.push(bare());
    pulls.push(pull());
    node.push(timed(process.execPath, ['-e', '0'], { env }));
    reader.push(timed(PROGRAM, ['xcom', 'pull'], { env, status: 2 }));
    tree.push(timed(PROGRAM, ['worktree', '--help'], { env }));
  }
  const beyond = pulls.map((one, at) => one - (bares[at] ?? 0));
  return Promise.resolve({
    figures: [
      { name: `xcom pull of ${ROWS} rows, beyond kubectl exec of the SELECT`, unit: 'ms', target: { of: 'value', atMost: 150 }, rounds: beyond, base: { name: 'kubectl exec of the same SELECT', rounds: bares } },
      { name: 'leoflow xcom pull: start to usage message', unit: 'ms', target: { of: 'value', atMost: 150 }, rounds: reader, base: { name: 'node -e 0', rounds: node } },
      { name: 'leoflow worktree: start to help', unit: 'ms', target: { of: 'value', atMost: 150 }, rounds: tree, base: { name: 'node -e 0', rounds: node } },
    ],
    details: ['`kubectl` is the stand-in of the tests, so a call costs its start and the program’s; the bare one connects by the driver alone, selects the same rows and prints them. A pull also lists the pods, reads its answer’s hash and decodes the values.'],
  });
}
