// `leoflow run` as a person uses it: one good DAG, and every way a DAG file or an argument can be wrong.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'demo', 'branch_retry_join.py');
const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

function file(name: string, text: string): string {
  const path = join(files.path, name);
  writeFileSync(path, text);
  return path;
}

/** Processes whose command line names the home folder: nothing may be left. */
function leftovers(): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command.includes(home.path) ? [command] : [];
    } catch {
      return [];
    }
  });
}

describe('a DAG that succeeds', () => {
  test('ends with 0, shows its tree and XComs, and leaves nothing running', async () => {
    const done = await leoflow(home.path, ['run', EXAMPLE]);
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /branch_retry_join: success/);
    assert.match(done.out, /flaky\s+success.*try 2/);
    assert.match(done.out, /not_taken\s+skipped.*not chosen by choose/);
    assert.match(done.out, /join\.return_value = "joined"/);
    assert.deepEqual(leftovers(), []);
  });

  test('--json is one document', async () => {
    const done = await leoflow(home.path, ['run', EXAMPLE, '--json']);
    const result = JSON.parse(done.out) as { state: string; task_instances: { taskId: string; tryNumber: number }[] };
    assert.equal(result.state, 'success');
    assert.equal(result.task_instances.find((one) => one.taskId === 'flaky')?.tryNumber, 2);
  });

  test('--conf and --date reach the tasks', async () => {
    const path = file('conf.py', 'from airflow.sdk import DAG, task\nwith DAG("conf", schedule=None):\n    @task\n    def show(ds=None, dag_run=None): return [ds, dag_run.conf["day"]]\n    show()\n');
    const done = await leoflow(home.path, ['run', path, '--conf', '{"day": "x"}', '--date', '2026-02-03']);
    assert.match(done.out, /show\.return_value = \["2026-02-03","x"\]/);
  });
});

test('the end of a long log is shown, with the error', async () => {
  const done = await leoflow(home.path, ['run', file('long.py', 'from airflow.sdk import DAG, task\nwith DAG("long", schedule=None):\n    @task\n    def talk():\n        for n in range(120_000): print("line", n)\n        raise ValueError("at the very end")\n    talk()\n')]);
  assert.equal(done.code, 1);
  assert.match(done.out, /line 119999[\s\S]*ValueError: at the very end/);
});

test('a schedule makes no runs beside the one that was asked for', async () => {
  const mark = join(files.path, 'runs.txt');
  const path = file('scheduled.py', `from datetime import datetime\nfrom airflow.sdk import DAG, task\nwith DAG("scheduled", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=True):\n    @task\n    def note(run_id=None, ds=None): open(${JSON.stringify(mark)}, "a").write(f"{run_id} {ds}\\n")\n    note()\n`);
  const done = await leoflow(home.path, ['run', path, '--date', '2026-02-03']);
  assert.equal(done.code, 0, done.err);
  assert.match(readFileSync(mark, 'utf8'), /^manual__\S+ 2026-02-03\n$/);
});

test('the demo without a network runs DAG files of ours and says so', async () => {
  const done = await leoflow(home.path, ['demo'], { env: { PIP_INDEX_URL: 'http://127.0.0.1:1/', PIP_RETRIES: '0', PIP_NO_INDEX: '1' } });
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /no network: apache-airflow-core==3\.2\.1 could not be downloaded, so the demo uses small DAG files of its own/);
  for (const dag of ['offline_pipeline', 'offline_mapping', 'branch_retry_join']) assert.match(done.out, new RegExp(`${dag}: success`));
});

test('a DAG that fails ends with 1 and shows the end of the log', async () => {
  const path = file('fails.py', 'from airflow.sdk import DAG, task\nwith DAG("fails"):\n    @task\n    def broken(): raise ValueError("no such table")\n    broken()\n');
  const done = await leoflow(home.path, ['run', path]);
  assert.equal(done.code, 1);
  assert.match(done.out, /broken\s+failed.*ValueError: no such table/);
  assert.match(done.err, /the run of fails failed/);
  assert.match(done.out, /\n {4}ValueError: no such table\n(?: {6}\S+:\d+ in \w+\n){1,9} {6}\S*fails\.py:4 in broken\n/);
});

test('values that cannot be kept, and processes that die, each fail with their reason', async () => {
  const path = file('values.py', `
from airflow.sdk import DAG, task
import os
with DAG("values"):
    @task
    def unserialisable(): return object()
    @task
    def too_big(): return "x" * 300_000
    @task
    def dies(): os._exit(7)
    @task
    def nul(): raise ValueError("a\\x00b \\ud800")
    @task
    def odd_text(): return "\\ud800 \\x00 ok"
    @task.bash
    def skips(): return "echo hello; exit 99"
    unserialisable(); too_big(); dies(); nul(); odd_text(); skips()
`);
  const done = await leoflow(home.path, ['run', path]);
  assert.equal(done.code, 1);
  for (const wanted of [/unserialisable\s+failed.*cannot be written as JSON/, /too_big\s+failed.*300002 bytes.*262144/, /dies\s+failed.*ended with exit status 7/, /nul\s+failed.*ValueError/, /odd_text\s+success/, /skips\s+skipped/]) assert.match(done.out, wanted);
  assert.match(done.out, /odd_text\.return_value = "\\ud800 \\u0000 ok"/);
});

describe('what is wrong is said with its place, the next step and an exit code', () => {
  const head = 'from airflow.sdk import dag, DAG\nfrom airflow.operators.empty import EmptyOperator\n';
  const cases: { name: string; text: string; code: number; says: RegExp; env?: Record<string, string> }[] = [
    { name: 'syntax', text: `${head}def x(:\n`, code: 65, says: /syntax\.py:3:\d+: SyntaxError.*\n {2}→ / },
    { name: 'raises', text: `${head}def f():\n    raise ValueError("no such table")\nf()\n`, code: 65, says: /raises\.py:4: ValueError: no such table/ },
    { name: 'module', text: `${head}import no_such_module_x\n`, code: 65, says: /module\.py:3: No module named 'no_such_module_x'\n {2}→ / },
    { name: 'provider', text: `${head}from airflow.providers.amazon.aws.operators.s3 import S3CreateBucketOperator\n`, code: 65, says: /provider\.py:3: airflow\.providers\.amazon is not covered.*\n {2}→ / },
    { name: 'exits', text: `${head}import os\nos._exit(3)\n`, code: 65, says: /the parser ended with status 3/ },
    { name: 'loop', text: `${head}while True: pass\n`, code: 65, says: /importing took longer than 1 s/, env: { LEOFLOW_IMPORT_TIMEOUT_SECONDS: '1' } },
    { name: 'loud', text: `${head}for _ in range(900_000): print("x" * 60)\n`, code: 65, says: /printed more than \d+ bytes/ },
    { name: 'cycle', text: `${head}with DAG("c"):\n    a = EmptyOperator(task_id="a"); b = EmptyOperator(task_id="b"); a >> b >> a\n`, code: 65, says: /wait for each other: a → b → a/ },
    { name: 'twice', text: `${head}with DAG("d"):\n    EmptyOperator(task_id="a"); EmptyOperator(task_id="a")\n`, code: 65, says: /twice\.py:4: .*'a' has already been added/ },
    { name: 'empty', text: head, code: 65, says: /holds no DAG/ },
    { name: 'setting', text: head, code: 78, says: /LEOFLOW_PROT is no setting \(did you mean LEOFLOW_PORT\?\)/, env: { LEOFLOW_PROT: '1' } },
  ];
  for (const { name, text, code, says, env } of cases) {
    test(name, async () => {
      const done = await leoflow(home.path, ['run', file(`${name}.py`, text)], { env: env ?? {} });
      assert.match(done.err, says);
      assert.equal(done.code, code);
      assert.doesNotMatch(done.err, /at .*\.ts:\d+/, 'no stack trace for a mistake of the user');
    });
  }

  test('arguments', async () => {
    const two = file('two.py', `${head}with DAG("one"):\n    EmptyOperator(task_id="a")\nwith DAG("two"):\n    EmptyOperator(task_id="a")\n`);
    const wrong: [string[], number, RegExp][] = [
      [['run'], 64, /missing required argument/], [['runn'], 64, /Did you mean one of/], [['run', '/nowhere/x.py'], 66, /does not exist/],
      [['run', EXAMPLE, '--conf', '{'], 65, /--conf is no JSON/], [['run', EXAMPLE, '--conf', '[]'], 65, /must be a JSON object/], [['run', EXAMPLE, '--date', 'soon'], 64, /is no date/],
      [['run', two], 64, /there are 2 DAGs: one, two/], [['run', two, '--dag', 'tow'], 66, /did you mean two\?/], [['dags', 'list'], 69, /no server is known/],
    ];
    for (const [args, code, says] of wrong) {
      const done = await leoflow(home.path, args);
      assert.match(done.err, says);
      assert.equal(done.code, code, args.join(' '));
    }
  });

  test('compile -o with a file where a folder is expected', async () => {
    const taken = file('taken.json', '{}');
    for (const output of [taken, join(taken, 'below')]) {
      const done = await leoflow(home.path, ['compile', EXAMPLE, '-o', output]);
      assert.equal(done.code, 64, done.err);
      assert.match(done.err, /-o \S+taken\.json\S*: \S*taken\.json is a file, a folder is wanted/);
      assert.doesNotMatch(done.err, /at .*\.ts:\d+/);
    }
    assert.equal(readFileSync(taken, 'utf8'), '{}');
  });

  test('a DAG that differs between two parses is an error with --strict and a warning without', async () => {
    const path = file('unstable.py', `${head}import random\nwith DAG("r"):\n    EmptyOperator(task_id="t" + str(random.random())[2:])\n`);
    const strict = await leoflow(home.path, ['validate', '--strict', path]);
    assert.equal(strict.code, 65);
    assert.match(strict.err, /r differs between two parses at \$\.tasks\[0\]\.task_id/);
    const lenient = await leoflow(home.path, ['validate', path]);
    assert.equal(lenient.code, 0);
    assert.match(lenient.err, /warning: .*differs between two parses/);
  });
});

before(async () => {
  // The template cluster is made once, outside the times of the tests.
  assert.equal((await leoflow(home.path, ['version'])).code, 0);
});
