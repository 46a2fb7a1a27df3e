// `leoflow convert` as a person uses it: what it prints, where it writes, and that it writes nothing when something would be lost.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const ETL = 'from airflow.sdk import dag, task\n@dag(schedule="@daily", catchup=False)\ndef etl(word="hi"):\n    @task\n    def say(word):\n        return word\n    say(word)\netl()\n';

describe('leoflow convert', () => {
  const home = temporaryFolder();
  const folder = join(home.path, 'project', 'dags');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'etl.py');
  after(home.remove);

  it('prints YAML, or writes it where its functions can be named from', async () => {
    writeFileSync(file, ETL);
    const printed = await leoflow(home.path, ['convert', file]);
    assert.equal(printed.out, '# Converted from etl.py, which still holds the functions that run.\ndag_id: etl\nschedule: 0 0 * * *\nparams: {word: hi}\ntasks:\n  say:\n    python: etl.py#say\n    with: {word: {param: word}}\n', printed.err);
    const above = join(home.path, 'project', 'etl.yaml');
    assert.equal((await leoflow(home.path, ['convert', file, '-o', above])).code, 0);
    assert.match(readFileSync(above, 'utf8'), /python: dags\/etl\.py#say/);
    const checked = await leoflow(home.path, ['validate', above]);
    assert.match(checked.out, /^ok {2}etl {2}1 tasks {2}etl\.yaml/, checked.err);
    const again = await leoflow(home.path, ['convert', above]);
    assert.match(again.out, /python: dags\/etl\.py#say/, 'YAML to YAML is the same DAG');
    const elsewhere = await leoflow(home.path, ['convert', file, '-o', join(home.path, 'other', 'etl.yaml')]);
    assert.deepEqual([elsewhere.code, existsSync(join(home.path, 'other'))], [64, false]);
  });

  it('tells all that would be lost, with exit code 65, and writes nothing', async () => {
    writeFileSync(file, `${ETL}from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\nwith DAG("two", user_defined_macros={"m": 1}):\n    EmptyOperator(task_id="e", on_success_callback=lambda c: None)\n`);
    const target = join(folder, 'lost.yaml');
    const refused = await leoflow(home.path, ['convert', file, '-o', target]);
    assert.deepEqual([refused.code, existsSync(target)], [65, false]);
    assert.match(refused.err, /etl\.py:11: DAG two: user_defined_macros: .*\n(?:.*\n)?etl\.py:12: task e: on_success_callback: the lambda/);
    assert.match((await leoflow(home.path, ['convert', file, '--dag', 'etl'])).out, /^dag_id: etl$/m, 'the other DAG is not asked');
    assert.match((await leoflow(home.path, ['convert', file, '--dag', 'none'])).err, /the file has no DAG none\n {2}→ It has etl, two\./);
  });
});
