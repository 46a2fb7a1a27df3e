// `leoflow xcom pull` through kubectl against databases of real Airflows: every schema, every failure of the way there, and nothing is ever written or told.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Command } from 'commander';
import { pullCommand } from '#cli/xcom-pull.ts';
import { AppError, ERRORS } from '#contract/errors.ts';
import type { PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import { parsePythonJson } from '#devloop/xcom-reader/python-json.ts';
import { readConfig } from '#platform/config.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { compareXComs, parsePull } from '../support/compare-xcoms.ts';
import { type KubectlStandIn, prepareContainerPython, prepareKubectl, schedulerPod, type StandInCluster, type StandInFaults } from '../support/kubectl.ts';
import { inDatabase, loadXComDatabase, makeSqliteXComDatabase, RECORDED_AIRFLOWS, type XComDatabase } from '../support/xcom-databases.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PROBE_PYTHON = join(ROOT, '.venv-probe', 'bin', 'python');
const PASSWORD = 'p4ssw0rd-of-the-planted-kind';
const folder = temporaryFolder();
const open: KubectlStandIn[] = [];
let modern: XComDatabase;

before(async () => {
  assert.ok(existsSync(PROBE_PYTHON), 'run `make setup`');
  modern = await loadXComDatabase('3.2');
});

after(() => {
  for (const kubectl of open) kubectl.remove();
  folder.remove();
});

function podOf(database: XComDatabase, more: Parameters<typeof schedulerPod>[1] = {}, sitecustomize = ''): ReturnType<typeof schedulerPod> {
  const variable = database.recorded.columns.xcom.includes('map_index') ? 'AIRFLOW__DATABASE__SQL_ALCHEMY_CONN' : 'AIRFLOW__CORE__SQL_ALCHEMY_CONN';
  return schedulerPod({ ...prepareContainerPython(join(folder.path, `pod-${open.length}-${more.name ?? ''}`), PROBE_PYTHON, sitecustomize), [variable]: database.airflowUrl }, more);
}

function prepare(cluster: Partial<StandInCluster>): KubectlStandIn {
  const kubectl = prepareKubectl(cluster, { python: join(ROOT, '.venv', 'bin', 'python') });
  open.push(kubectl);
  return kubectl;
}

interface Pulled { readonly code: number; readonly out: string; readonly err: string }

/** Runs the command in this process: the same code without the start of a Node for each. */
async function pull(kubectl: KubectlStandIn | null, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Pulled> {
  const written = { out: '', err: '' };
  const program = new Command('leoflow').exitOverride();
  program.addCommand(pullCommand({
    readConfig: (overrides) => readConfig(overrides, env), out: (text) => void (written.out += text), err: (text) => void (written.err += text), errIsTerminal: true, stop: new AbortController().signal, version: '0', exitWith: () => undefined,
  }).exitOverride().configureOutput({ writeErr: (text) => void (written.err += text) }));
  try {
    await program.parseAsync(['node', 'leoflow', 'pull', ...(kubectl === null ? [] : ['--kubectl', kubectl.program]), ...args]);
    return { code: 0, ...written };
  } catch (error) {
    if (error instanceof AppError) return { code: ERRORS[error.code].exit, out: written.out, err: `${written.err}${error.message}\n${error.hint}` };
    return { code: 2, ...written };
  }
}

const parsed = ({ code, out, err }: Pulled): XComPull => {
  assert.equal(code, 0, err);
  return parsePythonJson(out) as XComPull;
};

describe('schemas', () => {
  for (const airflow of RECORDED_AIRFLOWS) {
    test(`Airflow ${airflow}: every XCom of every run is what Airflow itself read`, async () => {
      const database = await loadXComDatabase(airflow);
      const kubectl = prepare({ pods: [podOf(database)] });
      for (const run of database.recorded.runs) {
        const got = await pull(kubectl, ['--dag-id', run.dag_id, '--run-id', run.run_id, '--key', '*', '--limit', '1000', '--json']);
        const { truncated, runs } = parsed(got);
        assert.deepEqual([truncated, runs[0]?.state], [false, run.state]);
        assert.deepEqual(compareXComs(parsePull(got.out).xcoms, database.recorded.xcoms.filter((xcom) => xcom.run_id === run.run_id && xcom.table === 'xcom')), [], run.run_id);
      }
      const listed = JSON.parse((await pull(kubectl, ['--dag-id', 'xcom_kinds', '--list-runs', '--json'])).out) as XComPull;
      assert.deepEqual(listed.runs.map((run) => run.run_id), database.recorded.runs.map((run) => run.run_id), 'newest first');
      const archived = database.recorded.xcoms.find((xcom) => xcom.table === '_xcom_archive');
      if (archived !== undefined) assert.match((await pull(kubectl, ['--dag-id', archived.dag_id, '--run-id', archived.run_id, '--key', archived.key, '--task-id', archived.task_id])).err, /moved to _xcom_archive/);
      assert.deepEqual(kubectl.readRefused(), []);
    });
  }

  test('a database of SQLite', async () => {
    const { airflowUrl } = makeSqliteXComDatabase(join(folder.path, 'airflow.db'));
    const got = parsed(await pull(null, ['--transport', 'dsn', '--python', PROBE_PYTHON, '--dag-id', 'xcom_kinds', '--run-id', 'manual__1', '--key', '*', '--json'], { LEOFLOW_READER_URL: airflowUrl }));
    assert.deepEqual(got.xcoms.map((xcom) => [xcom.task_id, xcom.map_index, xcom.key, xcom.value]), [['extract', -1, 'digits', '123'], ['extract', -1, 'return_value', { rows: 3 }], ['score', 0, 'return_value', 0.8], ['score', 1, 'return_value', 0.81]]);
  });
});

const LATEST = ['--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--json'];

describe('what is asked for', () => {
  let kubectl: KubectlStandIn;
  before(() => {
    kubectl = prepare({ pods: [podOf(modern)] });
  });
  const rows = async (args: readonly string[]): Promise<PulledXCom[]> => [...parsed(await pull(kubectl, [...LATEST, ...args])).xcoms];

  test('globs, ranges, keys, limits, parts and the beginning of a run', async () => {
    assert.deepEqual(new Set((await rows(['--task-id', 's*e'])).map((xcom) => xcom.task_id)), new Set(['score']));
    assert.deepEqual((await rows(['--task-id', 'score', '--map-index', '1..2'])).map((xcom) => xcom.map_index), [1, 2]);
    assert.deepEqual((await rows(['--task-id', 'score', '--map-index', '0', '--path', '.auc'])).map((xcom) => xcom.value), [0.8]);
    assert.deepEqual((await rows(['--key', 'odd key %!_'])).map((xcom) => xcom.value), ['odd']);
    assert.deepEqual((await rows(['--list-keys', '--task-id', 'train'])).map((xcom) => [xcom.key, xcom.encoding]), [['auc', 'absent'], ['return_value', 'absent']]);
    const [cut] = await rows(['--task-id', 'extract', '--max-bytes', '10']);
    assert.deepEqual([cut?.cut, cut?.encoding, cut?.raw?.length], [true, 'opaque', 10]);
    const few = parsed(await pull(kubectl, [...LATEST, '--key', '*', '--limit', '2']));
    assert.deepEqual([few.xcoms.length, few.truncated], [2, true]);
    const run = few.runs[0]?.run_id ?? '';
    assert.equal(parsed(await pull(kubectl, ['--dag-id', 'xcom_kinds', '--run-id', run.slice(0, -4), '--json'])).runs[0]?.run_id, run);
    const several = await pull(kubectl, ['--dag-id', 'xcom_kinds', '--run-id', 'manual__2021']);
    assert.deepEqual([several.code, /several runs begin with manual__2021/.test(several.err)], [2, true]);
  });

  test('an empty match is no error and says why', async () => {
    const hint = async (...args: string[]): Promise<string> => {
      const done = await pull(kubectl, args);
      assert.equal(done.code, 0, done.err);
      return done.err;
    };
    assert.match(await hint('--dag-id', 'xcom_kind', '--run-id', 'latest'), /there is no DAG xcom_kind; known are xcom_kinds/);
    assert.match(await hint('--dag-id', 'xcom_kinds', '--run-id', 'nope'), /has no run nope; its last ones are manual__/);
    assert.match(await hint('--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'nope'), /has no task nope; it has .*extract/);
    assert.match(await hint('--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'train', '--key', 'nope'), /key nope was not pushed \(train is success\); pushed were auc, return_value/);
    assert.match(await hint('--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'score', '--map-index', '90..99'), /has the map indexes 0 to \d/);
    assert.equal((await pull(kubectl, ['--dag-id', 'xcom_kinds', '--run-id', 'nope', '--fail-empty'])).code, 10);
  });

  test('mistakes in flags exit with 2 before anything is asked', async () => {
    const before_ = kubectl.readCalls().length;
    for (const args of [[], ['--dag-id', 'a'], ['--dag-id', '', '--run-id', 'b'], ['--dag-id', 'a', '--run-id', 'b', '--limit', '0'], ['--dag-id', 'a', '--run-id', 'b', '--map-index', 'x'], ['--dag-id', 'a', '--run-id', 'b', '--json', '--csv'], ['--dag-id', 'a', '--run-id', 'b', '--path', 'x'], ['--dag-id', 'a', '--run-id', 'b', '--nope'], ['--dag-id', 'a', '--run-id', 'b', '--timeout', '-1']]) {
      assert.equal((await pull(kubectl, args)).code, 2, args.join(' '));
    }
    assert.equal(kubectl.readCalls().length, before_);
  });
});

describe('the way there fails', () => {
  const attempt = (faults: StandInFaults | undefined, more: Partial<StandInCluster> = {}, args: readonly string[] = []): Promise<Pulled> => pull(prepare({ pods: [podOf(modern)], ...(faults === undefined ? {} : { faults }), ...more }), [...LATEST, ...args]);
  const fails = async (code: number, message: RegExp, tried: Promise<Pulled>): Promise<void> => {
    const done = await tried;
    assert.deepEqual([done.code, message.test(done.err), done.out], [code, true, ''], `${code} ${String(message)}: ${done.code} ${done.err}`);
  };

  test('an answer that is cut, at whatever byte, is asked for once more and then told', async () => {
    const whole = parsed(await attempt(undefined));
    const { stdout } = open.at(-1)?.readExec(1) ?? { stdout: Buffer.alloc(0) };
    assert.ok(stdout.length > 500);
    for (const cut of [0, 1, 20, 60, stdout.indexOf(10), stdout.indexOf(10) + 1, Math.floor(stdout.length / 2), stdout.length - 2]) {
      await fails(6, /the answer of .* was cut|ended without an answer/, attempt({ cut }));
      assert.deepEqual(parsed(await attempt({ cut, only: 1 })), whole, `cut at ${cut} once`);
    }
    await fails(6, /came damaged/, attempt({ flip: stdout.indexOf(10) + 5 }));
  });

  test('noise, doubled and former answers change nothing', async () => {
    const whole = parsed(await attempt(undefined));
    const noise = 'WARNING something\nLEOFLOW-XCOM/1 0123456789abcdef0123456789abcdef 5 aaaa\n{"kind":"answer"}\n';
    for (const faults of [{ before: noise, after: noise, errorBefore: noise, errorAfter: noise }, { repeat: 1 }, { exit: 1 }, { exit: 137 }] satisfies StandInFaults[]) assert.deepEqual(parsed(await attempt(faults)), whole, JSON.stringify(faults));
    const kubectl = prepare({ pods: [podOf(modern)] });
    parsed(await pull(kubectl, LATEST));
    kubectl.tell({ faults: { replay: { of: 1, how: 'instead' } } });
    assert.equal((await pull(kubectl, [...LATEST, '--timeout', '2'])).code, 4, 'an answer to another question is none');
  });

  test('stalls end with the time-out', async () => {
    for (const faults of [{ stall: 'deaf' }, { stallAfter: 100 }] satisfies StandInFaults[]) await fails(4, /gave no answer within 1\.5 s/, attempt(faults, {}, ['--timeout', '1.5']));
    for (const faults of [{ stdin: 'dropped' }, { stdinBytes: 100 }, { stdinBytes: 2000 }] satisfies StandInFaults[]) assert.ok([4, 6].includes((await attempt(faults, {}, ['--timeout', '3'])).code), JSON.stringify(faults));
  });

  test('a pod that goes away is followed by another', async () => {
    const [old, young] = [podOf(modern, { name: 'airflow-scheduler-0' }), podOf(modern, { name: 'airflow-scheduler-1', created: '2026-03-02T08:00:00Z' })];
    for (const gone of ['pod', 'container'] as const) {
      const done = await attempt({ gone, only: 1 }, { pods: [old], later: { afterExecs: 1, pods: [young] } });
      assert.match(parsed(done).source.target, /airflow-scheduler-1/);
    }
    await fails(3, /went away/, attempt({ gone: 'pod' }));
    const two = await attempt(undefined, { pods: [old, young] });
    assert.match(parsed(two).source.target, /airflow-scheduler-1/);
    assert.match(two.err, /2 pods are ready; asking the newest, airflow-scheduler-1/);
    assert.match(parsed(await attempt(undefined, { pods: [old, young] }, ['--pod', 'airflow-scheduler-0'])).source.target, /airflow-scheduler-0/);
  });

  test('a cluster without a pod to ask says what is there', async () => {
    await fails(3, /no pod matches component=scheduler/, attempt(undefined, { pods: [] }));
    await fails(3, /airflow-scheduler-0 is Pending/, attempt(undefined, { pods: [podOf(modern, { phase: 'Pending' })] }));
    await fails(3, /airflow-scheduler-0 is not ready/, attempt(undefined, { pods: [podOf(modern, { ready: false })] }));
    await fails(3, /has no container worker \(it has scheduler, scheduler-log-groomer\)/, attempt(undefined, {}, ['--container', 'worker']));
    await fails(3, /does not allow it/, attempt(undefined, { rights: ['get pods', 'list pods'] }));
    await fails(3, /does not allow it/, attempt(undefined, { rights: [] }));
    await fails(3, /API does not answer/, attempt(undefined, { api: 'unreachable' }));
    await fails(3, /does not accept your login/, attempt(undefined, { api: 'unauthorized' }));
    await fails(3, /there is no pod nope/, attempt(undefined, {}, ['--pod', 'nope']));
    await fails(3, /cannot be started/, pull(null, [...LATEST, '--kubectl', '/nowhere/kubectl']));
    await fails(4, /has no Python under that name/, attempt(undefined, {}, ['--python', '/nowhere/python']));
    const server = podOf(modern, { name: 'airflow-api-server-0', labels: { component: 'api-server' } });
    const asServer = { ...server, containers: { 'api-server': server.containers['scheduler'] ?? { environment: {} } } };
    assert.match(parsed(await attempt(undefined, { pods: [asServer] })).source.target, /airflow-api-server-0 \(api-server\)/);
  });

  test('a database that is missing, down, or of something else', async () => {
    const withUrl = (url: string | null): Promise<Pulled> => attempt(undefined, { pods: [schedulerPod({ ...prepareContainerPython(join(folder.path, `bare-${open.length}`), PROBE_PYTHON), HOME: '/nowhere', ...(url === null ? {} : { AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: url }) })] });
    await fails(5, /./, withUrl(null));
    await fails(5, /./, withUrl(`postgresql://airflow:${PASSWORD}@127.0.0.1:9/airflow`));
    await fails(5, /./, withUrl('sqlite:////dev/null'));
    await fails(5, /./, withUrl('nonsense'));
  });
});

describe('nothing is told', () => {
  test('a password of the connection is in no output, no argument and no answer, whatever fails', async () => {
    const url = `postgresql+psycopg2://airflow:${PASSWORD}@127.0.0.1:9/airflow`;
    const hook = `import sys; print("connecting to ${url}"); print("${url}", file=sys.stderr)\n`;
    const environment = { ...prepareContainerPython(join(folder.path, 'talkative'), PROBE_PYTHON, hook), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: url };
    for (const faults of [undefined, { cut: 30 }, { exit: 3 }, { errorAfter: `psycopg2.OperationalError: ${url}\n`, cut: 0 }, ...['connection refused', 'forbidden', 'unauthorized', 'pods "x" not found', 'executable file not found'].map((words) => ({ cut: 0, errorBefore: `${url}: ${words}\nerror: password=${PASSWORD} ${words}\nError from server: ${PASSWORD} ${words}\n${PASSWORD}Error: x\n` }))] satisfies (StandInFaults | undefined)[]) {
      const kubectl = prepare({ pods: [schedulerPod(environment)], ...(faults === undefined ? {} : { faults }) });
      const done = await pull(kubectl, LATEST);
      assert.notEqual(done.code, 0);
      for (const text of [done.out, done.err, JSON.stringify(kubectl.readCalls()), kubectl.readExec(1).stdin.toString()]) assert.ok(!text.includes(PASSWORD), `${JSON.stringify(faults)}: ${text.slice(0, 500)}`);
    }
  });
});

/** A fingerprint of every row of every table. */
async function fingerprint(url: string): Promise<string> {
  const tables = await inDatabase(url, "select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema') order by 1");
  const hash = createHash('sha256');
  for (const { name } of tables) hash.update(`${String(name)} ${JSON.stringify(await inDatabase(url, `select t::text as row from ${String(name)} t order by 1`))}`);
  return hash.digest('hex');
}

describe('nothing typed becomes SQL', () => {
  const INJECTIONS = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/xcom-reader/injections.json'), 'utf8')) as string[];

  test('20 attempts through each flag change nothing and show no other DAG', async () => {
    assert.ok(INJECTIONS.length >= 20);
    const kubectl = prepare({ pods: [podOf(modern)] });
    const was = await fingerprint(modern.url);
    const usual: Record<string, string> = { '--dag-id': 'xcom_kinds', '--run-id': 'latest:success', '--task-id': 'train', '--key': 'auc' };
    const attempts = [...['--dag-id', '--run-id', '--task-id', '--key', '--map-index', '--limit', '--max-bytes', '--namespace', '--selector', '--container', '--pod', '--kube-context', '--path'].flatMap((flag) => INJECTIONS.map((text) => ({ flag, text })))];
    const one = async ({ flag, text }: { flag: string; text: string }): Promise<void> => {
      const done = await pull(kubectl, [...Object.entries({ ...usual, [flag]: text }).flatMap(([name, value]) => [`${name}=${value}`]), '--json']);
      if (done.code !== 0) return assert.ok([2, 3, 5].includes(done.code), `${flag} ${text}: ${done.code} ${done.err}`);
      const { xcoms } = parsePythonJson(done.out) as XComPull;
      assert.ok(xcoms.every((xcom) => xcom.dag_id === 'xcom_kinds' || xcom.dag_id === text), `${flag} ${text}`);
      if (flag !== '--path') assert.ok(xcoms.length <= 1, `${flag} ${text} widened the question to ${xcoms.length} rows`);
    };
    for (let at = 0; at < attempts.length; at += 4) await Promise.all(attempts.slice(at, at + 4).map(one));
    assert.equal(await fingerprint(modern.url), was);
    assert.deepEqual(kubectl.readRefused(), [], 'no attempt became another call of kubectl');
    const verbs = new Set(kubectl.readCalls().map((call) => call.filter((word) => ['get', 'exec', 'delete', 'apply', 'cp', 'create', 'edit'].includes(word))[0]));
    assert.deepEqual(verbs, new Set(['get', 'exec']));
  });
});

test('the command itself, as a person calls it', async () => {
  const kubectl = prepare({ pods: [podOf(modern)] });
  const done = await leoflow(folder.path, ['xcom', 'pull', '--kubectl', kubectl.program, '--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'train']);
  assert.deepEqual([done.code, done.out.split('\n')[0]], [0, 'TASK   KEY           KIND  VALUE'], done.err);
  assert.match(done.err, /^xcom_kinds · manual__\S+ \(success\) · airflow\/airflow-scheduler-0 \(scheduler\) · schema 3\.0\n$/);
  assert.equal((await leoflow(folder.path, ['xcom', 'pull'])).code, 2);
});
