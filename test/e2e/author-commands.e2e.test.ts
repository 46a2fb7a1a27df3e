// Commands around DAG files that run nothing: config show, graph, dags show --graph, compile --sources, node.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const place = temporaryFolder();
const home = join(place.path, 'home');
after(() => place.remove());

function file(path: string, text: string): string {
  const full = join(place.path, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const GROUPED = `
from airflow.sdk import DAG, task, task_group
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("grouped", schedule=None) as grouped:
    @task
    def numbers(): return [1]
    @task
    def double(n): return n * 2
    @task_group
    def inner():
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    double.expand(n=numbers()) >> inner() >> EmptyOperator(task_id="<end>".strip("<>"), task_display_name="the <end>")

with DAG("other", schedule=None):
    EmptyOperator(task_id="only")
`;

interface Shown { readonly machine: readonly Row[]; readonly project: readonly Row[] }
interface Row { readonly key: string; readonly value: unknown; readonly from: string }

describe('config show', () => {
  const top = file('project/leoflow.yaml', 'owner: me\ntags: [top]\ndefaults: {retries: 3}\n');
  const near = file('project/dags/leoflow.yaml', 'tags: [near]\ndefaults: {retries: 1}\ndags:\n  grouped:\n    owner: you\n');
  mkdirSync(join(place.path, 'project', '.git'));
  const dags = join(place.path, 'project', 'dags');
  const show = async (args: readonly string[], env: Record<string, string> = {}): Promise<Shown> => {
    const done = await leoflow(home, ['config', 'show', ...args, '--json'], { env });
    assert.equal(done.code, 0, done.err);
    return JSON.parse(done.out) as Shown;
  };
  const row = (rows: readonly Row[], key: string): Row | undefined => rows.find((one) => one.key === key);

  test('settings of this machine: what was changed, or all, and from where', async () => {
    const [changed, all] = await Promise.all([show([], { LEOFLOW_PARALLELISM: '7' }), show(['--all'])]);
    assert.deepEqual(row(changed.machine, 'LEOFLOW_PARALLELISM'), { key: 'LEOFLOW_PARALLELISM', value: '7', from: 'environment' });
    assert.deepEqual(changed.machine.map(({ key }) => key).sort(), ['LEOFLOW_HOME', 'LEOFLOW_PARALLELISM']);
    assert.equal(row(all.machine, 'LEOFLOW_PARALLELISM')?.from, 'default');
    assert.ok(all.machine.length > 30);
    assert.equal('project' in changed, false);
  });

  test('a secret is never shown, whatever way it came', async () => {
    const secret = 'planted-secret-0123456789-0123456789';
    const fromFile = file('jwt', secret);
    for (const env of [{ LEOFLOW_JWT_SECRET: secret }, { LEOFLOW_JWT_SECRET_FILE: fromFile }, { LEOFLOW_DATABASE_URL: `postgres://u:${secret}@h.example/x` }]) {
      for (const args of [[], ['--json'], ['--all']]) {
        const done = await leoflow(home, ['config', 'show', ...args], { env });
        assert.equal(done.code, 0, done.err);
        assert.match(done.out, /LEOFLOW_(JWT_SECRET|DATABASE_URL)/);
        assert.doesNotMatch(`${done.out}${done.err}`, new RegExp(secret));
      }
    }
  });

  test('of a project: the nearest wins, tags add up, and each value names its line', async () => {
    const { project } = await show([dags]);
    assert.deepEqual(row(project, 'owner'), { key: 'owner', value: 'me', from: `${top}:1` });
    assert.deepEqual(row(project, 'defaults.retries'), { key: 'defaults.retries', value: 1, from: `${near}:2` });
    assert.deepEqual(project.filter(({ key }) => key === 'tags').flatMap(({ value }) => value), ['top', 'near']);
  });

  test('as one DAG gets them', async () => {
    const { project } = await show([dags, '--dag', 'grouped']);
    assert.deepEqual(row(project, 'owner'), { key: 'owner', value: 'you', from: `${near}:5` });
    const table = await leoflow(home, ['config', 'show', dags, '--dag', 'grouped']);
    assert.match(table.out, /^owner +you +\S+leoflow\.yaml:5$/m);
  });

  test('what is not there is said', async () => {
    const bare = join(place.path, 'bare');
    mkdirSync(bare);
    assert.match((await leoflow(home, ['config', 'show', bare])).out, /No leoflow\.yaml says anything about /);
    assert.match((await leoflow(home, ['config', 'show', join(place.path, 'nowhere')])).err, /nowhere does not exist/);
  });
});

describe('a graph', () => {
  const path = file('graphs/grouped.py', GROUPED);

  test('in the terminal: every task once, in order, with what it is', async () => {
    const done = await leoflow(home, ['graph', path, '--dag', 'grouped']);
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /numbers ─+▶ . double \(mapped\) ─+▶ . inner\.a \(EmptyOperator\) ─+▶ . inner\.b \(EmptyOperator\) ─+▶ . the <end> \(EmptyOperator\)/);
  });

  test('as SVG: well formed, its texts escaped, the group framed', async () => {
    const svg = join(place.path, 'graphs', 'grouped.svg');
    const done = await leoflow(home, ['graph', path, '--dag', 'grouped', '--svg', svg]);
    assert.equal(done.out, `${svg}\n`, done.err);
    const text = readFileSync(svg, 'utf8');
    assert.match(text, /^<svg [^>]*aria-label="Graph of grouped">[\s\S]*<\/svg>\n$/);
    assert.match(text, /the &lt;end&gt;/);
    assert.equal(text.match(/<rect class="t"/g)?.length, 5);
    assert.equal(text.match(/<path class="e"/g)?.length, 4);
    assert.match(text, /<rect class="g"[^>]*><title>inner<\/title>/);
  });

  test('of a file with several DAGs asks which; of one that is broken says what', async () => {
    assert.match((await leoflow(home, ['graph', path])).err, /grouped.*other|--dag/s);
    assert.match((await leoflow(home, ['graph', path, '--dag', 'third'])).err, /no DAG third[\s\S]*grouped, other/);
    assert.match((await leoflow(home, ['graph', file('graphs/broken.py', 'from airflow import DAG\nx = (\n')])).err, /broken\.py:2/);
  });
});

describe('compile --sources', () => {
  test('writes the files of the version as a server gets them', async () => {
    file('sources/lib/helper.py', 'VALUE = 1\n');
    const path = file('sources/uses.py', 'from airflow.sdk import DAG, task\nfrom lib.helper import VALUE\nwith DAG("uses", schedule=None):\n    @task\n    def f(): return VALUE\n    f()\n');
    file('sources/unused.py', 'x = 1\n');
    const target = join(place.path, 'written');
    const done = await leoflow(home, ['compile', path, '--sources', target]);
    assert.equal(done.code, 0, done.err);
    const { sources } = JSON.parse(done.out) as { sources: { path: string }[] };
    assert.deepEqual(sources.map((one) => one.path), ['uses.py', 'lib/helper.py']);
    for (const one of sources) assert.equal(readFileSync(join(target, one.path), 'utf8'), readFileSync(join(place.path, 'sources', one.path), 'utf8'));
    assert.equal(existsSync(join(target, 'unused.py')), false);
  });

  test('writes nothing of a file that is refused', async () => {
    const target = join(place.path, 'unwritten');
    const done = await leoflow(home, ['compile', file('sources/refused.py', 'from airflow import DAG\nraise ValueError("no")\n'), '--sources', target]);
    assert.equal(done.code, 65);
    assert.equal(existsSync(target), false);
  });
});

describe('node', () => {
  test('is the Node of tasks, with its arguments, output and standard input', async () => {
    const [version, echoed] = await Promise.all([
      leoflow(home, ['node', '-p', 'process.version']), leoflow(home, ['node', '-e', 'process.stdin.on("data", (text) => console.log(process.argv.slice(1), String(text)))', '--', '--help'], { input: 'typed' }),
    ]);
    assert.equal(version.out, `${process.version}\n`);
    assert.match(echoed.out, /\[ '--help' \] typed/);
  });

  test('ends with its exit code', async () => {
    const done = await leoflow(home, ['node', '-e', 'process.exit(7)']);
    assert.equal(done.code, 7);
  });
});

describe('dags show', () => {
  let lite: Running;
  before(async () => {
    file('served/grouped.py', GROUPED);
    lite = startLeoflow(home, ['lite', join(place.path, 'served'), '--port', '0', '--home', home]);
    await lite.until('ready http');
    await lite.until('grouped');
  });
  after(() => lite.stop());

  test('--graph draws the DAG of a server, --svg writes it', async () => {
    const svg = join(place.path, 'served.svg');
    const [graph, written, unknown] = await Promise.all([leoflow(home, ['dags', 'show', 'grouped', '--graph']), leoflow(home, ['dags', 'show', 'grouped', '--svg', svg]), leoflow(home, ['dags', 'show', 'nobody', '--graph'])]);
    assert.equal(graph.code, 0, graph.err);
    assert.match(graph.out, /numbers ─+▶ . double \(mapped\) ─+▶ . inner\.a \(EmptyOperator\) ─+▶ . inner\.b \(EmptyOperator\) ─+▶ . the <end> \(EmptyOperator\)/);
    assert.equal(written.out, `${svg}\n`, written.err);
    assert.equal(readFileSync(svg, 'utf8').match(/<rect class="t"/g)?.length, 5);
    assert.equal(unknown.code === 0, false);
    assert.match(unknown.err, /nobody/);
  });
});
