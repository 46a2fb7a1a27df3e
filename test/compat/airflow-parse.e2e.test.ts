// Files parsed by the real Task SDK: every example of the wheels beside what our own runtime makes of it, and what a project may do at import.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it, test } from 'node:test';
import type { Compiled, CompileRequest } from '#compile/compiled.ts';
import { mapAirflowDag, type SerializedDag } from '#compile/from-airflow.ts';
import { compilePython, findNondeterminism } from '#compile/from-python.ts';
import { openWarmParsers } from '#compile/parser.ts';
import type { Dag, Task } from '#contract/dag.ts';
import { firstDifference, graphOf } from '#core/dag-graph.ts';
import { contentHash } from '#core/digest.ts';
import { userEnvironment } from '#platform/config.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const PYTHON = process.env['LEOFLOW_TEST_AIRFLOW_PYTHON'] ?? '';
const skip = PYTHON === '' ? 'set LEOFLOW_TEST_AIRFLOW_PYTHON to an interpreter with apache-airflow==3.2.1' : false;
const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'airflow-3.2.1', 'serialized');
/** Their DAGs need a library of Kubernetes to be drawn at all. */
const WITHOUT_LIBRARY = new Set(['example_kubernetes_executor.py', 'example_local_kubernetes_executor.py']);
describe('runtime airflow', { skip, concurrency: false }, () => {
  const place = temporaryFolder();
  const parsers = openWarmParsers(join(place.path, 'home', 'bytecode'));
  after(async () => {
    await parsers.close();
    place.remove();
  });
  const request = (root: string, file: string, more: Partial<CompileRequest> = {}): CompileRequest => ({
    ...BARE_REQUEST, bytecode: join(place.path, 'home', 'bytecode'), root, file, python: PYTHON, parsers, runtime: 'airflow', airflow: { core: '3.2.1', sdk: '1.2.1' }, ...more,
  });
  let projects = 0;
  const project = (files: Readonly<Record<string, string>>): string => {
    projects += 1;
    const root = join(place.path, `project-${projects}`);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return root;
  };
  const compile = (files: Readonly<Record<string, string>>, more: Partial<CompileRequest> = {}): Promise<Compiled> => compilePython(request(project(files), Object.keys(files)[0] ?? '', more));
  const listed = (root: string): string[] => (readdirSync(root, { recursive: true }) as string[]).sort();

  describe('the examples of the wheels', () => {
    const airflow = skip === false ? spawnSync(PYTHON, ['-c', 'import importlib.util as u; print(u.find_spec("airflow").submodule_search_locations[0])'], { encoding: 'utf8' }).stdout.trim() : '';
    const roots = [join(airflow, 'example_dags'), join(airflow, 'providers', 'standard', 'example_dags')];
    const files = skip === false ? roots.flatMap((root) => listed(root).filter((file) => file.endsWith('.py') && !/plugins\/|libs\/|standard\/|__pycache__|__init__/.test(file)).map((file) => ({ root, file }))) : [];
    const compiled = new Map<string, Compiled>();

    test('all compile, those with plugins of their own too', { timeout: 180_000 }, async (t) => {
      for (const { root, file } of files) compiled.set(join(root, file), await compilePython(request(root, file)));
      const problems = [...compiled].filter(([file]) => !WITHOUT_LIBRARY.has(file.split('/').at(-1) ?? '')).flatMap(([, { problems: found }]) => found.map((one) => `${one.file}: ${one.message}`));
      assert.deepEqual(problems, []);
      const dags = [...compiled.values()].flatMap((one) => one.dags);
      t.diagnostic(`${dags.length} DAGs, ${dags.reduce((sum, { dag }) => sum + dag.tasks.length, 0)} tasks`);
      assert.ok(dags.length >= 90, `only ${dags.length} DAGs`);
      const of = (dagId: string): Dag | undefined => dags.find(({ dag }) => dag.dag_id === dagId)?.dag;
      assert.deepEqual(of('example_workday_timetable')?.timetable, { kind: 'custom', class: 'airflow.example_dags.plugins.workday.AfterWorkdayTimetable', data: {} });
      assert.deepEqual(of('example_complex')?.run_listeners, ['running', 'success', 'failed'], 'a plugin of the examples listens');
      assert.match(of('example_custom_weight')?.tasks.map((task) => task.weight_rule).join() ?? '', /DecreasingPriorityStrategy/);
    });

    test('have the graph that our own runtime draws, where it can', { timeout: 180_000 }, async (t) => {
      const differences: string[] = [];
      let compared = 0;
      for (const { root, file } of files) {
        const own = await compilePython(request(root, file, { runtime: 'leoflow' }));
        for (const { dag } of own.dags) {
          const other = compiled.get(join(root, file))?.dags.find((one) => one.dag.dag_id === dag.dag_id)?.dag;
          assert.ok(other !== undefined, `${dag.dag_id} is missing`);
          compared += 1;
          const path = firstDifference(plainGraph(dag), plainGraph(other));
          if (path !== null) differences.push(`${dag.dag_id} at ${path}`);
        }
      }
      t.diagnostic(`${compared} DAGs compared`);
      assert.ok(compared >= 60, `only ${compared} compared`);
      assert.deepEqual(differences, []);
    });

    test('are the same under another hash seed and clock', { timeout: 180_000 }, async () => {
      const findings: string[] = [];
      for (const { root, file } of files) {
        const first = compiled.get(join(root, file));
        if (first !== undefined && first.dags.length > 0) findings.push(...(await findNondeterminism(request(root, file), first)).map(({ message }) => message));
      }
      // The default of one of its params is the day of the parse.
      assert.deepEqual(findings, ['example_params_ui_tutorial differs between two parses at $.airflow_serialization.dag.params[8][1].default']);
    });
  });

  it('is what the recorded serializations were written by', async () => {
    const recorded = mapAirflowDag({ ...(JSON.parse(readFileSync(join(FIXTURES, 'many_fields.json'), 'utf8')) as Omit<SerializedDag, 'sources'>), sources: [] }, 'many_fields.py');
    const [one] = (await compilePython(request(FIXTURES, 'many_fields.py'))).dags;
    assert.ok(one !== undefined && recorded.kind === 'mapped');
    assert.equal(firstDifference(plainGraph(one.dag), plainGraph(recorded.dag)), null);
    const timetables = JSON.parse(readFileSync(join(FIXTURES, 'timetables.json'), 'utf8')) as Record<string, unknown>;
    const { dags, problems } = await compilePython(request(FIXTURES, 'timetables.py'));
    assert.deepEqual(problems, []);
    assert.deepEqual(Object.fromEntries(dags.map(({ dag }) => [dag.dag_id, (dag.airflow_serialization as { dag: { timetable: unknown } }).dag.timetable])), timetables);
  });

  it('gives one version wherever the project lies, and leaves nothing in it', async () => {
    const [here, there] = [project({}), project({})];
    for (const root of [here, there]) cpSync(join(FIXTURES, 'many_fields.py'), join(root, 'many_fields.py'), { recursive: true });
    const before = listed(here);
    const [one, two] = await Promise.all([here, there].map((root) => compilePython(request(root, 'many_fields.py', { parsers: null, bytecode: null }))));
    assert.equal(contentHash(one?.dags[0]?.dag), contentHash(two?.dags[0]?.dag));
    assert.deepEqual(listed(here), before);
  });

  it('gives one version whatever lies where in memory, and another when the DAG is another', async () => {
    const text = 'from airflow.sdk import DAG, task\nclass Thing: pass\nwith DAG("d"):\n    @task\n    def f(thing, name): pass\n    f(Thing(), "c")\n';
    const root = project({ 'd.py': text, 'e.py': text.replace('"c"', '"x"') });
    const first = await compilePython(request(root, 'd.py', { parsers: null }));
    assert.match(JSON.stringify(first.dags[0]?.dag.airflow_serialization), /Thing object at 0x0>/);
    assert.deepEqual(await findNondeterminism(request(root, 'd.py', { parsers: null }), first), []);
    const other = await compilePython(request(root, 'e.py'));
    const graph = ({ airflow_serialization: serialization }: Dag): unknown => serialization;
    const [one, two] = [first.dags[0]?.dag, other.dags[0]?.dag];
    assert.ok(one !== undefined && two !== undefined);
    assert.notEqual(contentHash(graph(one)), contentHash(graph(two)));
  });

  it('says where the author’s code is wrong', async () => {
    const { problems } = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom helper import broken\nbroken()\n', 'helper.py': 'def broken():\n    return 1 / 0\n' });
    assert.deepEqual(problems.map(({ file, line, message }) => [file, line, message]), [['helper.py', 2, 'ZeroDivisionError: division by zero']]);
    const missing = await compile({ 'd.py': 'from airflow.sdk import DAG\n\nimport nobody_has_this\n' });
    assert.partialDeepStrictEqual(missing.problems[0], { file: 'd.py', line: 3, kind: 'missing_module' });
    const wrong = await compile({ 'd.py': 'from airflow.sdk import DAG\nwith DAG("d"\n' });
    assert.partialDeepStrictEqual(wrong.problems[0], { file: 'd.py', line: 2, kind: 'syntax_error' });
    assert.match((await compile({ 'd.py': 'from airflow.sdk import DAG\nimport sys\nsys.exit(3)\n' })).problems[0]?.message ?? '', /^SystemExit: 3/);
    assert.equal((await compile({ 'd.py': 'import airflow.sdk as dag\n' })).problems[0]?.kind, 'no_dag');
    const cycle = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\nwith DAG("d"):\n    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")\n    a >> b >> a\n' });
    assert.equal(cycle.problems[0]?.kind, 'cycle');
    const twice = await compile({ 'd.py': 'from airflow.sdk import DAG\na = DAG("d")\nb = DAG("d")\n' });
    assert.equal(twice.problems[0]?.kind, 'duplicate_dag_id');
  });

  it('asks for variables and connections like the other parser', async () => {
    const text = 'from airflow.sdk import DAG, Variable\nfrom airflow.sdk.bases.hook import BaseHook\nkey = Variable.get("key", default=None)\nhost = BaseHook.get_connection("db").host if key else "none"\nd = DAG(f"d_{key}_{host}")\n';
    const first = await compile({ 'd.py': text });
    assert.deepEqual([first.dags[0]?.dag.dag_id, first.needed], ['d_None_none', [{ kind: 'variable', name: 'key' }]]);
    const connection = { conn_id: 'db', conn_type: 'postgres', description: null, host: 'h1', login: 'u', password: 'a-password-here', schema: null, port: 5, extra: null };
    const second = await compile({ 'd.py': text }, { secrets: { variables: { key: 'k' }, connections: { db: connection } } });
    assert.deepEqual([second.dags[0]?.dag.dag_id, second.needed], ['d_k_h1', []]);
    assert.match(second.warnings.map(({ line, message }) => `${line} ${message}`).join('\n'), /^3 the variable 'key' is read while[^\n]*\n4 the connection 'db' is read while/);
    const leaked = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.sdk.bases.hook import BaseHook\nd = DAG("d", description=BaseHook.get_connection("db").password)\nraise ValueError(d.description)\n' }, { secrets: { variables: {}, connections: { db: connection } } });
    assert.equal(leaked.problems[0]?.message, 'ValueError: ***');
  });

  it('takes along modules, plugins and files of templates', async () => {
    const { dags, problems, read } = await compile({
      'dags/d.py': 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator\nfrom lib.names import NAME\nfrom days import Days\nwith DAG(NAME, schedule=Days()):\n    BashOperator(task_id="t", bash_command="say.sh")\n',
      'lib/names.py': 'NAME = "named"\n', 'dags/say.sh': 'echo hi\n',
      'plugins/days.py': 'from airflow.plugins_manager import AirflowPlugin\nfrom airflow.timetables.base import Timetable\n\n\nclass Days(Timetable):\n    pass\n\n\nclass DaysPlugin(AirflowPlugin):\n    name = "days"\n    timetables = [Days]\n',
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(dags[0]?.dag.sources.map(({ path }) => path), ['dags/d.py', 'lib/names.py', 'plugins/days.py', 'dags/say.sh']);
    assert.deepEqual(read, ['lib/names.py', 'plugins/days.py', 'dags/say.sh']);
    assert.deepEqual(dags[0]?.dag.timetable, { kind: 'custom', class: 'days.Days', data: {} });
    const mapped = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator\nwith DAG("d"):\n    BashOperator.partial(task_id="m", cwd="/").expand(bash_command=["a.sh", "b.sh"])\n    BashOperator.partial(task_id="n", bash_command="c.sh").expand(env=[{"A": "1"}])\n', 'a.sh': '', 'b.sh': '', 'c.sh': '' });
    assert.deepEqual(mapped.dags[0]?.dag.sources.map(({ path }) => path), ['d.py', 'a.sh', 'b.sh', 'c.sh']);
    const broken = await compile({ 'd.py': 'from airflow.sdk import DAG\nd = DAG("d")\n', 'plugins/bad.py': 'import nobody_has_this\n' });
    assert.equal(broken.dags.length, 1);
    assert.deepEqual(broken.warnings.map(({ file, message }) => [file, message]), [['plugins/bad.py', "the plugin does not import: No module named 'nobody_has_this'"]]);
  });

  it('heeds the project’s own airflow.cfg', async () => {
    const { dags } = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.configuration import conf\nd = DAG(conf.get("own", "name"))\n', 'airflow.cfg': '[own]\nname = from_cfg\n[core]\ndags_folder = /elsewhere\n' });
    assert.equal(dags[0]?.dag.dag_id, 'from_cfg');
  });

  describe('cluster policies', () => {
    const POLICIES = 'from airflow.exceptions import AirflowClusterPolicyViolation\n\n\ndef dag_policy(dag):\n    if not dag.tags:\n        raise AirflowClusterPolicyViolation(f"{dag.dag_id} has no tags")\n\n\ndef task_policy(task):\n    task.retries = 7\n';
    const DAG = 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\nwith DAG("d", tags=["t"]):\n    EmptyOperator(task_id="t")\n';
    const UNTAGGED = DAG.replace(', tags=["t"]', '');
    const LOCAL = 'airflow_local_settings.py';

    for (const [where, files] of [['config below AIRFLOW_HOME', { [`airflow/config/${LOCAL}`]: POLICIES }], ['the folder of the DAG files', { [`dags/${LOCAL}`]: POLICIES }]] as const) {
      it(`apply in ${where}`, async () => {
        const root = project({ 'dags/d.py': DAG, 'dags/untagged.py': UNTAGGED, 'dags/leoflow.yaml': 'runtime: airflow\n', ...files });
        const environment = { ...userEnvironment(), AIRFLOW_HOME: join(root, 'airflow') };
        const { dags, problems } = await compilePython(request(join(root, 'dags'), 'd.py', { environment, parsers: null }));
        assert.deepEqual([problems, dags[0]?.dag.tasks.map(({ retries }) => retries)], [[], [7]]);
        const refused = await leoflow(join(place.path, 'home'), ['validate', join(root, 'dags', 'untagged.py')], { env: { LEOFLOW_PYTHON: PYTHON, AIRFLOW_HOME: environment.AIRFLOW_HOME } });
        assert.notEqual(refused.code, 0);
        assert.match(refused.err, /AirflowClusterPolicyViolation: d has no tags/);
      });
    }
  });

  it('knows what the author gave, so that the project’s settings leave it', async () => {
    const { dags } = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\n\nwith DAG("d", max_active_runs=16):\n    EmptyOperator(task_id="t", retries=0)\n    EmptyOperator(task_id="u")\n' });
    assert.deepEqual(dags[0]?.given, { line: 4, dag: ['max_active_runs'], tasks: { t: ['retries'] } });
  });

  it('weighs by a strategy of the project that looks at the task alone', async () => {
    const plugin = 'from airflow.plugins_manager import AirflowPlugin\nfrom airflow.task.priority_strategy import PriorityWeightStrategy\nclass ByName(PriorityWeightStrategy):\n    def get_weight(self, ti):\n        return len(ti.task_id)\nclass ByTry(PriorityWeightStrategy):\n    def get_weight(self, ti):\n        return ti.try_number\nclass P(AirflowPlugin):\n    name = "p"\n    priority_weight_strategies = [ByName, ByTry]\n';
    const { dags, problems } = await compile({ 'd.py': 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\nfrom weights import ByName, ByTry\nwith DAG("d"):\n    EmptyOperator(task_id="four", weight_rule=ByName())\n    EmptyOperator(task_id="try", weight_rule=ByTry())\n', 'plugins/weights.py': plugin }, { importPaths: [] });
    assert.deepEqual(problems, []);
    assert.deepEqual(dags[0]?.dag.tasks.map((task) => [task.weight_rule, task.priority_weight]), [['weights.ByName', 4], ['weights.ByTry', undefined]]);
  });

  it('parses again without paying the imports', async (t) => {
    const root = project({ 'd.py': 'from airflow.sdk import DAG\nd = DAG("d")\n' });
    const timed = async (how: Partial<CompileRequest>): Promise<number> => {
      const started = performance.now();
      assert.equal((await compilePython(request(root, 'd.py', how))).dags.length, 1);
      return performance.now() - started;
    };
    const cold = await timed({ parsers: null });
    await timed({});
    const warm = Math.min(await timed({}), await timed({}), await timed({}));
    t.diagnostic(`cold ${cold.toFixed(0)} ms, warm ${warm.toFixed(0)} ms`);
    assert.ok(warm * 4 < cold, `cold ${cold} ms, warm ${warm} ms`);
    writeFileSync(join(root, 'd.py'), 'from airflow.sdk import DAG\nd = DAG("saved")\n');
    assert.equal((await compilePython(request(root, 'd.py'))).dags[0]?.dag.dag_id, 'saved');
  });

  describe('is chosen', () => {
    const SHIM = 'from airflow.sdk import dag, task\n@dag\ndef small():\n    @task\n    def f(): pass\n    f()\nsmall()\n';
    const PROVIDER = 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.hitl import ApprovalOperator\nwith DAG("asks"):\n    ApprovalOperator(task_id="a", subject="?")\n';
    const LATE = 'from airflow.sdk import dag, task\n@dag\ndef late():\n    @task\n    def f():\n        from airflow.providers.standard.operators.hitl import ApprovalOperator\n    f()\nlate()\n';
    const validate = (root: string, file: string): Promise<{ code: number | null; out: string; err: string }> => leoflow(join(place.path, 'home'), ['validate', join(root, file)], { env: { LEOFLOW_PYTHON: PYTHON }, timeoutMs: 60_000 });

    it('by auto for what our own runtime has not, at the top or in a task', async () => {
      const root = project({ 'small.py': SHIM, 'asks.py': PROVIDER, 'late.py': LATE });
      assert.match((await validate(root, 'small.py')).out, /^ok {2}small .* runtime leoflow$/m);
      assert.match((await validate(root, 'asks.py')).out, /^ok {2}asks .* runtime airflow$/m);
      assert.match((await validate(root, 'late.py')).out, /^ok {2}late .* runtime airflow$/m);
    });

    it('by leoflow.yaml, or not', async () => {
      const sdk = project({ 'small.py': SHIM, 'leoflow.yaml': 'runtime: airflow\n' });
      assert.match((await validate(sdk, 'small.py')).out, /runtime airflow$/m);
      const own = project({ 'asks.py': PROVIDER, 'leoflow.yaml': 'runtime: leoflow\n' });
      const refused = await validate(own, 'asks.py');
      assert.notEqual(refused.code, 0);
      assert.match(refused.err, /asks\.py:2: airflow\.providers\.standard\.operators\.hitl[\w.]* is not covered by runtime leoflow\n {2}→ .*`runtime: airflow` in leoflow\.yaml/);
    });
  });

  describe('answers', () => {
    const ask = (root: string, questions: readonly Record<string, unknown>[]): Record<string, unknown>[] => {
      const done = spawnSync(PYTHON, ['-m', 'leoflow.airflow_runtime.ask', '--root', root], { cwd: join(import.meta.dirname, '..', '..', 'python'), input: `${questions.map((one) => JSON.stringify(one)).join('\n')}\n`, encoding: 'utf8', timeout: 60_000, env: { ...userEnvironment(), PYTHONPATH: join(import.meta.dirname, '..', '..', 'python') } });
      assert.equal(done.status, 0, done.stderr);
      return done.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const PLUGIN = 'import datetime as dt\nfrom airflow.plugins_manager import AirflowPlugin\nfrom airflow.partition_mappers.base import PartitionMapper\nfrom airflow.task.priority_strategy import PriorityWeightStrategy\nfrom airflow.timetables.base import DagRunInfo, DataInterval, Timetable\n\n\nclass EachDay(Timetable):\n    description = "each day"\n    summary = "a day"\n\n    def infer_manual_data_interval(self, *, run_after):\n        return DataInterval(run_after - dt.timedelta(days=1), run_after)\n\n    def next_dagrun_info(self, *, last_automated_data_interval, restriction):\n        start = last_automated_data_interval.end if last_automated_data_interval else restriction.earliest\n        if restriction.latest and start > restriction.latest:\n            return None\n        return DagRunInfo.interval(start, start + dt.timedelta(days=1))\n\n    def generate_run_id(self, *, run_type, run_after, data_interval, **extra):\n        return f"{run_type.value}__{run_after:%d}"\n\n\nclass ByTry(PriorityWeightStrategy):\n    def get_weight(self, ti):\n        return ti.try_number * ti.task.priority_weight\n\n\nclass Halves(PartitionMapper):\n    def to_downstream(self, key):\n        return [key + "a", key + "b"]\n\n\nclass P(AirflowPlugin):\n    name = "p"\n    timetables = [EachDay]\n    priority_weight_strategies = [ByTry]\n    partition_mappers = [Halves]\n';
    const timetable = { __type: 'own.EachDay', __var: {} };
    const interval = { start: '2026-01-01T00:00:00+00:00', end: '2026-01-02T00:00:00+00:00' };
    const info = { run_after: interval.end, data_interval: interval, logical_date: interval.start, partition_key: null, partition_date: null };

    it('for timetables, strategies and mappers of the project', () => {
      const restriction = { earliest: interval.start, latest: '2026-01-02T12:00:00+00:00', catchup: true };
      const second = { start: '2026-01-02T00:00:00+00:00', end: '2026-01-03T00:00:00+00:00' };
      const answers = ask(project({ 'plugins/own.py': PLUGIN }), [
        { ask: 'next_dagrun_info', timetable, last: null, restriction },
        { ask: 'next_dagrun_info', timetable, last: info, restriction },
        { ask: 'next_dagrun_info', timetable, last: { ...info, data_interval: second }, restriction },
        { ask: 'infer_manual_data_interval', timetable, run_after: interval.end },
        { ask: 'generate_run_id', timetable, run_type: 'manual', run_after: interval.end, data_interval: null },
        { ask: 'describe', timetable },
        { ask: 'weight', strategy: 'own.ByTry', ti: { task_id: 't', try_number: 3 }, task: { priority_weight: 5 } },
        { ask: 'partition_keys', mapper: { __type: 'own.Halves', __var: {} }, key: '2026' },
        { ask: 'partition_keys', timetable: { __type: 'airflow.timetables.simple.PartitionedAssetTimetable', __var: { asset_condition: { __type: 'asset', name: 'a', uri: 'a', group: 'asset', extra: {} }, default_partition_mapper: { __type: 'own.Halves', __var: {} }, partition_mapper_config: [] } }, asset: { name: 'a' }, key: 'k' },
      ]);
      assert.deepEqual(answers.slice(0, 5), [
        { info }, { info: { ...info, run_after: second.end, data_interval: second, logical_date: second.start } }, { info: null }, { data_interval: interval }, { run_id: 'manual__02' },
      ]);
      assert.partialDeepStrictEqual(answers[5], { summary: 'a day', description: 'each day', can_be_scheduled: true });
      assert.deepEqual(answers.slice(6), [{ weight: 15 }, { keys: ['2026a', '2026b'] }, { keys: ['ka', 'kb'] }]);
    });

    it('with the error of the project’s code, and goes on', () => {
      const [first, second, third] = ask(project({ 'plugins/own.py': PLUGIN }), [{ ask: 'weight', strategy: 'own.ByTry', ti: {}, task: {} }, { ask: 'what' }, { ask: 'describe', timetable }]);
      assert.partialDeepStrictEqual(first, { error: { type: 'AttributeError' } });
      assert.match(JSON.stringify(second), /unknown question 'what'/);
      assert.equal(third?.['summary'], 'a day');
    });
  });
});

/** Two writings of one schedule or date are the same. What the Task SDK says otherwise than our own runtime, with the reason, is left out. */
function plainGraph({ airflow_serialization: _serialization, run_listeners: _listeners, ...dag }: Dag): unknown {
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) return new Date(value).toISOString();
    if (value === '@daily') return '0 0 * * *';
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)])) : value;
  };
  const graph = graphOf({ ...dag, tasks: dag.tasks.map(plainTask) });
  return plain(graph);
}

function plainTask(task: Task): Task {
  // False is the default of Task SDK 1.2.1; Airflow's documentation says true.
  const { ignore_first_depends_on_past: _first, multiple_outputs: several, ...rest } = task;
  // Some operators take theirs from a set: in what the SDK wrote they are sorted.
  const template_fields = [...(task.template_fields ?? [])].sort((a, b) => (a < b ? -1 : 1));
  // The SDK derives it of @task.bash from the annotation of its function.
  return { ...rest, template_fields, ...(several === undefined || task.operator === '_BashDecoratedOperator' ? {} : { multiple_outputs: several }) };
}
