// `leoflow xcom pull` in a real Kubernetes: through its API server, kubelet and containerd, into a pod like Airflow's scheduler.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CliResult, leoflow, temporaryFolder } from '../support/cli.ts';
import { compareXComs, parsePull } from '../support/compare-xcoms.ts';
import { addXComs, loadXComDatabase, RECORDED_AIRFLOWS, type RecordedAirflow, type XComDatabase } from '../support/xcom-databases.ts';
import { exposeDatabase, kubectl, mustKubectl, NAMESPACE, PASSWORD, podUrl, schedulerManifest, type Site } from './scheduler-pods.ts';

const site: Site = { kubeconfig: process.env['LEOFLOW_TEST_KUBECONFIG'] ?? '', kubectl: process.env['LEOFLOW_TEST_KUBECTL'] ?? '' };
const skip = site.kubeconfig === '' ? 'needs a cluster: make prove-kubernetes' : false;
const PULLS = 50;
const BIG_BYTES = 5_000_000;
const BEYOND_KUBECTL_MS = 150;
const ROUNDS = 15;

const podOf = (airflow: RecordedAirflow): string => `scheduler-${airflow.replaceAll('.', '-')}`;
const releaseOf = (airflow: RecordedAirflow): string => `r${airflow}`;
const isOld = (airflow: RecordedAirflow): boolean => /^(1|2\.[0-2]$)/.test(airflow);

describe('the XCom reader in a cluster', { skip }, () => {
  const databases = new Map<RecordedAirflow, XComDatabase>();
  const servers: Server[] = [];
  const urls = new Map<RecordedAirflow, string>();
  let home: ReturnType<typeof temporaryFolder>;
  let limited: Site;

  const pull = (args: readonly string[], how: { as?: Site; program?: string } = {}): Promise<CliResult> => {
    const { kubeconfig, kubectl: program } = how.as ?? site;
    return leoflow(home.path, ['xcom', 'pull', '--dag-id', 'xcom_kinds', '--namespace', NAMESPACE, '--kubectl', how.program ?? program, ...args], { env: { KUBECONFIG: kubeconfig } });
  };
  const from = (airflow: RecordedAirflow): string[] => ['--selector', `component=scheduler,release=${releaseOf(airflow)}`];
  const databaseOf = (airflow: RecordedAirflow): XComDatabase => databases.get(airflow) ?? assert.fail(airflow);

  async function startPod(name: string, airflow: RecordedAirflow, release = releaseOf(airflow)): Promise<void> {
    const variable = isOld(airflow) ? 'AIRFLOW__CORE__SQL_ALCHEMY_CONN' : 'AIRFLOW__DATABASE__SQL_ALCHEMY_CONN';
    await mustKubectl(site, ['apply', '-f', '-'], schedulerManifest(name, { release, variable, url: urls.get(airflow) ?? '' }));
  }

  const untilReady = (...names: string[]): Promise<string> => mustKubectl(site, ['-n', NAMESPACE, 'wait', '--for=condition=Ready', '--timeout=90s', ...names.map((name) => `pod/${name}`)]);

  before(async () => {
    home = temporaryFolder();
    await mustKubectl(site, ['create', 'namespace', NAMESPACE]);
    for (const airflow of RECORDED_AIRFLOWS) {
      const database = await loadXComDatabase(airflow);
      const { port, server } = await exposeDatabase(database);
      servers.push(server);
      databases.set(airflow, database);
      urls.set(airflow, podUrl(database, port));
      await startPod(podOf(airflow), airflow);
    }
    await untilReady(...RECORDED_AIRFLOWS.map(podOf));
    limited = await makeLimited();
  });

  after(() => {
    for (const server of servers) server.close();
    home.remove();
  });

  /** A service account with what `leoflow xcom rbac` prints and nothing else. */
  async function makeLimited(): Promise<Site> {
    await mustKubectl(site, ['-n', NAMESPACE, 'create', 'serviceaccount', 'reader']);
    const { code, out, err } = await leoflow(home.path, ['xcom', 'rbac', '--namespace', NAMESPACE, '--user', `system:serviceaccount:${NAMESPACE}:reader`]);
    assert.equal(code, 0, err);
    await mustKubectl(site, ['apply', '-f', '-'], out);
    const token = (await mustKubectl(site, ['-n', NAMESPACE, 'create', 'token', 'reader'])).trim();
    const config = readFileSync(site.kubeconfig, 'utf8').replace(/user: \{client-certificate-data: .*?\}/, `user: {token: "${token}"}`);
    const kubeconfig = join(home.path, 'limited.kubeconfig');
    writeFileSync(kubeconfig, config, { mode: 0o600 });
    return { ...site, kubeconfig };
  }

  for (const airflow of RECORDED_AIRFLOWS) {
    test(`Airflow ${airflow}: every value of every run, out of the container beside the log groomer`, async () => {
      const { recorded } = databaseOf(airflow);
      for (const { run_id: run } of recorded.runs) {
        const { code, out, err } = await pull(['--run-id', run, '--key', '*', '--limit', '1000', '--json', ...from(airflow)], { as: limited });
        assert.equal(code, 0, err);
        assert.deepEqual(compareXComs(parsePull(out).xcoms, recorded.xcoms.filter((xcom) => xcom.table === 'xcom' && xcom.run_id === run)), []);
        assert.match(parsePull(out).source.target, /\(scheduler\)$/);
        assert.ok(!`${out}${err}`.includes(PASSWORD));
      }
    });
  }

  test('a service account that may look for pods and exec reads, and may nothing else', async () => {
    const refused = [['get', 'secrets'], ['get', 'configmaps'], ['delete', 'pod', podOf('3.2')], ['port-forward', `pod/${podOf('3.2')}`, ':5432'], ['logs', podOf('3.2'), '-c', 'scheduler'], ['run', 'x', '--image', 'x'], ['get', 'nodes'], ['-n', 'default', 'get', 'pods']];
    for (const args of refused) {
      const { code, err } = await kubectl(limited, ['-n', NAMESPACE, ...args]);
      assert.deepEqual([code, /forbidden/i.test(err)], [1, true], `${args.join(' ')}: ${err}`);
    }
    const { code, out } = await pull(['--run-id', 'latest', '--task-id', 'train', '--json', ...from('3.2')], { as: limited });
    assert.deepEqual([code, parsePull(out).schema], [0, '3.0']);
  });

  test('whoever may look for pods but not exec is told which right is missing', async () => {
    await mustKubectl(site, ['-n', NAMESPACE, 'create', 'role', 'onlooker', '--verb=get,list', '--resource=pods']);
    await mustKubectl(site, ['-n', NAMESPACE, 'create', 'serviceaccount', 'onlooker']);
    await mustKubectl(site, ['-n', NAMESPACE, 'create', 'rolebinding', 'onlooker', '--role=onlooker', `--serviceaccount=${NAMESPACE}:onlooker`]);
    const token = (await mustKubectl(site, ['-n', NAMESPACE, 'create', 'token', 'onlooker'])).trim();
    const kubeconfig = join(home.path, 'onlooker.kubeconfig');
    writeFileSync(kubeconfig, readFileSync(limited.kubeconfig, 'utf8').replace(/token: ".*?"/, `token: "${token}"`), { mode: 0o600 });
    const { code, err } = await pull(['--run-id', 'latest', ...from('3.2')], { as: { ...site, kubeconfig } });
    assert.ok(code === 3 || code === 4, `${code}: ${err}`);
    assert.match(err, /pods\/exec/);
  });

  test('of two ready pods the newest is asked; when it goes between the look and the exec, the other is', async () => {
    await startPod('twin-old', '3.2', 'twins');
    await untilReady('twin-old');
    // Creation times are told in whole seconds: the second one is made when the clock of the cluster has gone on.
    const born = await mustKubectl(site, ['-n', NAMESPACE, 'get', 'pod', 'twin-old', '-o', 'jsonpath={.metadata.creationTimestamp}']);
    while (Date.now() - Date.parse(born) <= 1000) await untilReady('twin-old');
    await startPod('twin-new', '3.2', 'twins');
    await untilReady('twin-new');
    const twins = ['--run-id', 'latest', '--task-id', 'train', '--json', '--selector', 'release=twins'];
    assert.match(parsePull((await pull(twins)).out).source.target, /\/twin-new /);
    const program = join(home.path, 'kubectl-with-churn');
    const mark = join(home.path, 'deleted');
    const quiet = '>/dev/null 2>&1';
    writeFileSync(program, `#!/bin/sh\ncase " $* " in *" exec "*) [ -e ${mark} ] || { : > ${mark}; ${site.kubectl} -n ${NAMESPACE} delete pod twin-new --force --grace-period=0 --wait=true ${quiet} </dev/null; };; esac\nexec ${site.kubectl} "$@"\n`, { mode: 0o755 });
    const { code, out, err } = await pull(twins, { program });
    assert.equal(code, 0, err);
    assert.match(parsePull(out).source.target, /\/twin-old /);
  });

  test('no pod, a container that is not there, a program that is not there', async () => {
    const ends = await Promise.all([['--selector', 'release=nobody'], [...from('3.2'), '--container', 'webserver'], [...from('3.2'), '--python', 'python2.4']].map(async (args) => {
      const { code, err } = await pull(['--run-id', 'latest', ...args]);
      assert.ok(err.length > 20);
      return code;
    }));
    assert.deepEqual(ends, [3, 3, 4]);
  });

  test(`${PULLS} pulls of 5 MB are the same to the byte`, async () => {
    const value = JSON.stringify('leoflow '.repeat(BIG_BYTES / 8));
    await addXComs(databaseOf('3.2'), [{ key: 'big', value }]);
    const wanted = createHash('sha256').update(value).digest('hex');
    const sums = new Map<string, number>();
    for (let round = 0; round < PULLS; round += 1) {
      const { code, out, err } = await pull(['--run-id', databaseOf('3.2').recorded.runs[0]?.run_id ?? '', '--key', 'big', '--max-bytes', '6000000', '--json', ...from('3.2')]);
      assert.equal(code, 0, err);
      const sum = createHash('sha256').update(parsePull(out).xcoms[0]?.raw ?? '').digest('hex');
      sums.set(sum, (sums.get(sum) ?? 0) + 1);
    }
    assert.deepEqual([...sums], [[wanted, PULLS]]);
  });

  test('20 rows cost little beyond a bare look for the pod and a bare exec of the same SELECT', async (context) => {
    const run = 'manual__2021-03-02T06:00:00+00:00';
    const select = `import psycopg2, os; c = psycopg2.connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")).cursor(); c.execute("SELECT task_id, map_index, key, value FROM xcom WHERE dag_id = 'xcom_kinds' AND run_id = '${run}' LIMIT 20"); print(len(c.fetchall()))`;
    const times = { look: [] as number[], exec: [] as number[], pull: [] as number[] };
    const timed = async <R>(name: keyof typeof times, work: () => Promise<R>): Promise<R> => {
      const started = performance.now();
      const done = await work();
      times[name].push(performance.now() - started);
      return done;
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const look = await timed('look', () => kubectl(site, ['-n', NAMESPACE, 'get', 'pods', '-l', `component=scheduler,release=${releaseOf('3.2')}`, '-o', 'json']));
      const exec = await timed('exec', () => kubectl(site, ['-n', NAMESPACE, 'exec', '-i', podOf('3.2'), '-c', 'scheduler', '--', 'python3', '-c', select]));
      const pulled = await timed('pull', () => pull(['--run-id', run, '--key', '*', '--limit', '20', '--json', ...from('3.2')]));
      assert.deepEqual([look.code, exec.out, parsePull(pulled.out).xcoms.length], [0, '20\n', 20]);
    }
    const at = (list: readonly number[], part: number): number => list.toSorted((one, other) => one - other)[Math.floor(list.length * part)] ?? 0;
    const [look, exec, pulled] = [at(times.look, 0.5), at(times.exec, 0.5), at(times.pull, 0.5)];
    // What else the machine does only adds: the fastest rounds tell what the reader itself costs.
    const cost = at(times.pull, 0) - at(times.look, 0) - at(times.exec, 0);
    context.diagnostic(`medians of ${ROUNDS}: kubectl get pods ${look.toFixed(0)} ms, kubectl exec ${exec.toFixed(0)} ms, xcom pull ${pulled.toFixed(0)} ms: ${(pulled - look - exec).toFixed(0)} ms beyond both, ${(pulled - exec).toFixed(0)} ms beyond exec; the fastest: ${cost.toFixed(0)} ms beyond both`);
    assert.ok(cost <= BEYOND_KUBECTL_MS, `${cost.toFixed(0)} ms`);
  });
});
