// leoflow.yaml in a folder that is compiled and watched: what it lets in, leaves out and refuses, also while `lite` runs.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

const dag = (id: string, more = ''): string => `from airflow.sdk import DAG, task${more}\nwith DAG("${id}", schedule=None):\n    @task(retries=0)\n    def a(): return 1\n    a()\n`;
function write(path: string, text: string): void {
  mkdirSync(dirname(join(files.path, path)), { recursive: true });
  writeFileSync(join(files.path, path), text);
}

test('an excluded file that is named is refused with the line that excludes it', async () => {
  write('named/leoflow.yaml', 'owner: x\nexclude_paths: [old.py]\n');
  write('named/old.py', dag('old'));
  const done = await leoflow(home.path, ['validate', join(files.path, 'named', 'old.py')]);
  assert.equal(done.code, 65);
  assert.match(done.err, /old\.py is left out by exclude_paths \(.*leoflow\.yaml:2\)/);
});

test('a wrong leoflow.yaml further down refuses the files below it, and no other', async () => {
  write('nested/good.py', dag('good'));
  write('nested/below/leoflow.yaml', 'ownr: x\n');
  write('nested/below/bad.py', dag('bad'));
  const done = await leoflow(home.path, ['validate', join(files.path, 'nested')]);
  assert.equal(done.code, 65);
  assert.match(done.out, /ok {2}good/);
  assert.match(done.err, /below\/leoflow\.yaml:1:1: the document: unknown key ownr \(did you mean owner\?\)/);
});

test('defaults are for what the author does not say, also when they say what Airflow has as its default', async () => {
  write('said/leoflow.yaml', 'defaults: {retries: 3}\n');
  write('said/a.py', `${dag('said')}    @task\n    def b(): pass\n    b()\n`);
  const done = await leoflow(home.path, ['compile', join(files.path, 'said', 'a.py')]);
  const { tasks } = JSON.parse(done.out) as { tasks: { task_id: string; retries?: number }[] };
  assert.deepEqual(tasks.map((task) => [task.task_id, task.retries]), [['a', undefined], ['b', 3]]);
});

test('a file that reads a variable at import is the same the second time', async () => {
  write('stable/v.py', `from airflow.sdk import Variable\nN = int(Variable.get("n"))\n${dag('stable')}`);
  const done = await leoflow(home.path, ['validate', join(files.path, 'stable', 'v.py'), '--strict'], { env: { LEOFLOW_VAR_N: '1' } });
  assert.equal(done.code, 0, done.err);
});

describe('lite', () => {
  let lite: Running;
  before(async () => {
    write('lite/one.py', dag('one'));
    write('lite/two.py', dag('two'));
    lite = startLeoflow(home.path, ['lite', join(files.path, 'lite'), '--port', '0']);
    await lite.until('ready ');
  });
  after(async () => {
    await lite.stop();
  });

  test('files are left out and let in again as the file says, and a wrong one changes nothing', async () => {
    write('lite/leoflow.yaml', 'exclude_paths: [two.py]\n');
    await lite.until('two.py is left out by leoflow.yaml');
    write('lite/leoflow.yaml', 'exclude_paths: two.py\n');
    await lite.until('exclude_paths: must be a list');
    rmSync(join(files.path, 'lite', 'leoflow.yaml'));
    await lite.until('registered  two');
  });
});
