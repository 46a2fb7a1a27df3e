// Variables and connections that a DAG file reads while it is imported: at compile time, in the fork server, and what is said when nobody has them.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { leoflow, startLeoflow, temporaryFolder } from '../support/cli.ts';

const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

const FILE = `
from airflow.sdk import DAG, task, Variable, BaseHook
COUNT = int(Variable.get("how_many"))
HOST = BaseHook.get_connection("warehouse").host
with DAG("reads", schedule=None):
    for n in range(COUNT):
        @task(task_id=f"t{n}")
        def say(): return [HOST, COUNT]
        say()
`;

function write(name: string, text: string): string {
  const folder = join(files.path, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'reads.py'), text);
  return folder;
}

test('what is missing is named with the way to set it', async () => {
  const folder = write('missing', FILE);
  const done = await leoflow(home.path, ['validate', join(folder, 'reads.py')]);
  assert.equal(done.code, 65);
  assert.match(done.err, /reads\.py:3: .*how_many/);
  assert.match(done.err, /leoflow variables set how_many|AIRFLOW_VAR_HOW_MANY/);
});

test('`leoflow test` gives them to the compiler and to the task', async () => {
  const folder = write('tried', FILE);
  const done = await leoflow(home.path, ['test', join(folder, 'reads.py'), '--var', 'how_many=2', '--conn', 'warehouse=postgres://h.example/db']);
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /t1\.return_value = \["h\.example",2\]/);
  assert.match(done.err, /warning: reads\.py:3: the variable 'how_many' is read while the file is imported/);
});

test('lite reads them from its database, for the compiler and for the fork server', async () => {
  const folder = write('lite', FILE);
  const lite = startLeoflow(home.path, ['lite', folder, '--port', '0']);
  try {
    await lite.until('refused');
    await lite.until('ready ');
    assert.equal((await leoflow(home.path, ['variables', 'set', 'how_many', '3'])).code, 0);
    const set = await leoflow(home.path, ['connections', 'set', 'warehouse', '-'], { input: 'postgres://u:p@db.example/x' });
    assert.equal(set.code, 0, set.err);
    writeFileSync(join(folder, 'reads.py'), `${FILE}\n# saved again\n`);
    await lite.until('registered  reads');
    const run = await leoflow(home.path, ['runs', 'trigger', 'reads', '--watch']);
    assert.equal(run.code, 0, run.err + run.out);
    assert.match((await leoflow(home.path, ['xcom', 'get', 'reads', 'latest', 't2'])).out, /"db\.example"/);
  } finally {
    await lite.stop();
  }
});
