// `leoflow assess`: its verdicts on the example DAGs of the Airflow wheel beside recorded runs, and on files that are trouble.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import type { AssessedFile } from '#cli/assess-folder.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { evidenceOf, findContradiction } from './assess/compare.ts';

const WHEEL = process.env['LEOFLOW_TEST_AIRFLOW_WHEEL'];
const HOW = 'set LEOFLOW_TEST_AIRFLOW_WHEEL to the folder where `pip download --no-deps apache-airflow-core==3.2.1` was unpacked';
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fixtures', 'airflow-3.2.1', 'example-dags.json'), 'utf8')) as Record<string, { readonly run: string }>;

/** Examples that need more than the shim has, with what their verdict names. */
const NEEDS: Readonly<Record<string, RegExp>> = {
  'tutorial_objectstorage.py': /ObjectStoragePath/, 'example_trigger_controller_dag.py': /TriggerDagRunOperator/, 'example_external_task_marker_dag.py': /ExternalTask/, 'example_hitl_operator.py': /hitl/,
};

describe('assess', () => {
  const place = temporaryFolder();
  after(() => place.remove());

  const assess = async (folder: string, ...args: string[]): Promise<AssessedFile[]> => {
    const done = await leoflow(join(place.path, 'home'), ['assess', folder, '--json', ...args], { timeoutMs: 120_000 });
    assert.equal(done.code, 0, done.err);
    return JSON.parse(done.out) as AssessedFile[];
  };

  test('the examples of the wheel: what runs was run by Airflow too, what does not says why', { skip: WHEEL === undefined ? HOW : false, timeout: 150_000 }, async (t) => {
    const folder = join(place.path, 'examples', 'dags');
    cpSync(join(WHEEL ?? '', 'airflow', 'example_dags'), folder, { recursive: true, filter: (path) => basename(path) !== '__pycache__' });
    const rows = await assess(folder);
    const by = (verdict: string): AssessedFile[] => rows.filter((row) => row.verdict === verdict);
    t.diagnostic(['runs', 'packages', 'sdk', 'value', 'cannot', 'none'].map((verdict) => `${by(verdict).length} ${verdict}`).join(', '));
    const running = by('runs').flatMap((row) => row.dags);
    assert.ok(running.length >= 55, `only ${running.length} DAGs run`);
    assert.deepEqual(running.filter((dagId) => recorded[dagId] === undefined && !/^(asset|consume|dataset|example_|tutorial|read_|write_|latest_only)/.test(dagId)), []);
    assert.deepEqual(by('cannot').map((row) => row.file), [], 'Airflow ships nothing that Airflow 3 refuses');
    const unfounded = [...by('sdk'), ...by('packages')].filter((row) => row.why === '' || NEEDS[basename(row.file)]?.test(row.why) === false);
    assert.deepEqual(unfounded.map((row) => `${row.file}: ${row.why}`), []);
    assert.match(rows.find((row) => row.file === 'example_asset_alias.py')?.why ?? '', /^tasks that need outlet_events/);
  });

  describe('files that are trouble', () => {
    const rows = new Map<string, AssessedFile>();
    const FILES: Readonly<Record<string, string | Buffer>> = {
      'good one.py': 'from airflow.sdk import dag, task\n@dag(schedule=None)\ndef good():\n    @task\n    def f():\n        import nobody_has_this\n    f()\ngood()\n',
      'deeper/latin.py': Buffer.from('# coding: latin-1\n# é\nfrom airflow import DAG\nDAG("latin")\nwith DAG("latin2") as d: pass\n', 'latin1'),
      'not_utf8.py': Buffer.from('x = "é" # airflow dag\n', 'latin1'),
      'crash.py': 'from airflow import DAG\nimport os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n',
      'exits.py': 'from airflow import DAG\nimport os\nos._exit(0)\n',
      'loud.py': 'from airflow import DAG\nfor _ in range(50):\n    print("x" * (1 << 20))\nd = DAG("loud")\n',
      'guarded.py': 'try:\n    import nobody_has_this\nexcept ImportError:\n    nobody_has_this = None\ntry:\n    from airflow.sdk import DAG\nexcept ImportError:\n    from airflow.models import DAG\nd = DAG("guarded")\n',
      'attribute.py': 'import airflow.models\nairflow.models.DagModel\nd = airflow.models.DAG("x")\n',
      'lost_argument.py': 'from airflow import DAG\nfrom airflow.providers.google.cloud.hooks.gcs import GCSHook\nd = DAG("x", schedule_interval=None)\n',
      'helper.py': '"""For every airflow dag."""\nimport nobody_has_this\ndef f(): pass\n',
      'relative.py': 'from . import helper\nfrom airflow import DAG\nd = DAG("r")\n',
      'star.py': 'from airflow.sdk import *\nwith DAG("star"):\n    pass\n',
      'value.py': 'from airflow.sdk import DAG, Variable\nd = DAG(Variable.get("never_set_here"))\n',
      'called.py': 'from airflow import DAG\ndef make():\n    import nobody_has_this\n    return DAG("c")\nd = make()\n',
      'syntax.py': 'from airflow import DAG\nx = (\n',
    };
    before(async () => {
      const folder = join(place.path, 'trouble with spaces');
      for (const [file, content] of Object.entries(FILES)) {
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        writeFileSync(join(folder, file), content);
      }
      symlinkSync('..', join(folder, 'deeper', 'loop'));
      for (const row of await assess(folder)) rows.set(row.file, row);
    });

    const EXPECTED: readonly (readonly [string, string, RegExp])[] = [
      ['good one.py', 'runs', /^tasks that need nobody_has_this would fail$/], ['deeper/latin.py', 'runs', /^$/], ['not_utf8.py', 'cannot', /utf-?8/i], ['crash.py', 'cannot', /signal SIGSEGV/], ['exits.py', 'cannot', /status 0/],
      ['loud.py', 'cannot', /printed more than/], ['guarded.py', 'runs', /^$/], ['attribute.py', 'sdk', /^airflow\.models\.DagModel$/], ['lost_argument.py', 'cannot', /the argument schedule_interval of DAG \(lost_argument\.py:3\)/],
      ['helper.py', 'none', /no DAG/], ['relative.py', 'cannot', /relative import/], ['star.py', 'runs', /^$/], ['value.py', 'value', /never_set_here/], ['called.py', 'packages', /^nobody_has_this$/], ['syntax.py', 'cannot', /^line 2: /],
    ];
    it('has a row for each', () => assert.deepEqual([...rows.keys()].sort(), Object.keys(FILES).sort()));
    for (const [file, verdict, why] of EXPECTED) {
      it(`${file}: ${verdict}`, () => {
        const row = rows.get(file);
        assert.equal(row?.verdict, verdict, row?.why);
        assert.match(row?.why ?? '', why);
      });
    }
  });

  test('the table adds up, --only chooses, and what is wrong with the question is said', async () => {
    const folder = join(place.path, 'small');
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.py'), 'from airflow import DAG\nwith DAG("a"): pass\nwith DAG("b"): pass\n');
    writeFileSync(join(folder, 'b.py'), 'from airflow import DAG\nfrom airflow.providers.google.cloud.hooks.gcs import GCSHook\nd = DAG("b")\n');
    mkdirSync(join(place.path, 'plugins', 'beside'), { recursive: true });
    writeFileSync(join(place.path, 'plugins', 'beside', '__init__.py'), 'import nobody_has_this\n');
    writeFileSync(join(folder, 'c.py'), 'from airflow import DAG\nimport beside\nd = DAG("c")\n');
    const home = join(place.path, 'home');
    const [table, only, none, unknown, one] = await Promise.all([
      leoflow(home, ['assess', folder]), leoflow(home, ['assess', folder, '--only', 'sdk']), leoflow(home, ['assess', join(place.path, 'nowhere')]), leoflow(home, ['assess', folder, '--only', 'maybe']), leoflow(home, ['assess', join(folder, 'a.py')]),
    ]);
    assert.match(table.out, /^a\.py +runs +2 /m);
    assert.match(table.out, /^ {4}1 file {2}run as they are \(2 DAGs\)$/m);
    assert.match(table.out, /^most wanted: apache-airflow-providers-google \(1\), nobody_has_this \(1\)$/m);
    assert.match(table.out, /import_paths: \[\.\.\/plugins\]/);
    assert.doesNotMatch(only.out, /a\.py/);
    assert.match(only.out, /b\.py +needs the SDK/);
    assert.match(none.err, /nowhere does not exist/);
    assert.match(unknown.err, /--only maybe: expected one of runs, packages/);
    assert.match(one.out, /^a\.py +runs +2 /m);
  });
});

describe('the comparison with Airflow', () => {
  const row = (verdict: AssessedFile['verdict'], what: string[] = [], more: Partial<AssessedFile> = {}): AssessedFile => ({ file: 'f.py', verdict, why: '', what, dags: [], ...more });
  const fails = (error: string): { dags: string[]; error: string } => ({ dags: [], error: `Traceback (most recent call last):\n  File "x"\n${error}\nmore about it` });
  const imports = (...dags: string[]): { dags: string[]; error: null } => ({ dags, error: null });

  it('finds what contradicts a verdict', () => {
    assert.match(findContradiction(row('runs', [], { dags: ['a'] }), imports('b')) ?? '', /finds b, we find a/);
    assert.match(findContradiction(row('runs'), fails('TypeError: no')) ?? '', /cannot import it: TypeError: no$/);
    assert.match(findContradiction(row('none'), imports('a')) ?? '', /finds a/);
    assert.match(findContradiction(row('cannot'), imports('a')) ?? '', /imports it/);
    assert.match(findContradiction(row('packages', ['pandas']), fails("ModuleNotFoundError: No module named 'numpy'")) ?? '', /does not name/);
    assert.match(findContradiction(row('sdk', ['apache-airflow-providers-google']), fails('TypeError: x')) ?? '', /does not name/);
    assert.match(findContradiction(row('value', ['v']), imports('a')) ?? '', /lacks no value/);
  });

  it('lets stand what agrees', () => {
    assert.equal(findContradiction(row('runs', [], { dags: ['b', 'a'] }), imports('a', 'b')), null);
    assert.equal(findContradiction(row('sdk', ['apache-airflow-providers-cncf-kubernetes']), fails("ModuleNotFoundError: No module named 'airflow.providers.cncf'")), null);
    assert.equal(findContradiction(row('sdk', ['airflow.x', 'V']), fails("E.AirflowRuntimeError: VARIABLE_NOT_FOUND: {'message': 'Variable V not found'}")), null);
    assert.equal(findContradiction(row('packages', ['a', 'b']), fails("ModuleNotFoundError: No module named 'b.c'")), null);
    assert.equal(findContradiction(row('sdk', [], { why: 'line 9: @task.kubernetes is not supported' }), fails("AttributeError: task decorator 'kubernetes' not found")), null);
  });

  it('says how sure it is of what cannot run', () => {
    const kwarg = "TypeError: DAG.__init__() got an unexpected keyword argument 'schedule_interval'";
    assert.equal(evidenceOf(row('cannot', ['schedule_interval']), fails(kwarg)), 'seen');
    assert.equal(evidenceOf(row('cannot', ['schedule_interval']), { ...fails("ModuleNotFoundError: No module named 'pandas'"), beyond: kwarg }), 'seen behind a missing package');
    assert.equal(evidenceOf(row('cannot', ['schedule_interval']), fails("ModuleNotFoundError: No module named 'pandas'")), 'unseen');
    assert.equal(evidenceOf(row('cannot', ['airflow.operators.subdag.X']), fails("ModuleNotFoundError: No module named 'airflow.operators.subdag'")), 'seen');
    assert.match(findContradiction(row('sdk', ['pandas']), { ...fails("ModuleNotFoundError: No module named 'pandas'"), beyond: kwarg }) ?? '', /then: DAG/);
  });
});
