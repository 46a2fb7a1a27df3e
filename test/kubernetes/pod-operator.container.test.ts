// Airflow's KubernetesPodOperator, unmodified, under `runtime: airflow` in a real Kubernetes: its pods, their logs and values, and their ends.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Api, type Played } from '../sdk/providers/played.ts';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { mustKubectl, type Site } from './scheduler-pods.ts';

const site: Site = { kubeconfig: process.env['LEOFLOW_TEST_KUBECONFIG'] ?? '', kubectl: process.env['LEOFLOW_TEST_KUBECTL'] ?? '' };
const PYTHON = process.env['LEOFLOW_TEST_KUBERNETES_PYTHON'] ?? '';
const skip = site.kubeconfig === '' || PYTHON === '' ? 'needs a cluster: make prove-kubernetes' : false;
const NAMESPACE = 'pods';
const LIMIT_MS = 90_000;
const FIRST = ['pods_logs', 'pods_values', 'pods_failing', 'pods_deferred', 'pods_decorated'];
/** What the operator needs: its pods, their logs, and a way to the file of a value. */
const RIGHTS = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'runner', namespace: NAMESPACE }, rules: [
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] }, { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] }, { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
] };

interface Pod { readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }; readonly status: { readonly phase: string; readonly containerStatuses?: readonly { readonly state: { readonly terminated?: { readonly exitCode: number } } }[] } }

describe('KubernetesPodOperator in a cluster', { skip }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  let lite: Running | undefined;
  let api: Api;
  let token = '';
  const played: Record<string, Promise<Played>> = {};
  const run = (dagId: string): Promise<Played> => played[dagId] ?? assert.fail(dagId);
  const pods = async (dagId: string, taskId: string): Promise<readonly Pod[]> =>
    (JSON.parse(await mustKubectl(site, ['-n', NAMESPACE, 'get', 'pods', '-l', `dag_id=${dagId},task_id=${taskId}`, '-o', 'json'])) as { items: Pod[] }).items;
  const only = async (dagId: string, taskId: string): Promise<Pod> => (await pods(dagId, taskId))[0] ?? assert.fail(`no pod of ${taskId}`);
  const start = async (dagId: string): Promise<string> => {
    await api.ask('PATCH', `/dags/${dagId}`, { is_paused: false });
    return (await api.ask<{ dag_run_id: string }>('POST', `/dags/${dagId}/dagRuns`, { logical_date: null })).dag_run_id;
  };
  const instance = (dagId: string, runId: string, taskId: string): Promise<{ state: string | null; try_number: number }> => api.ask('GET', `/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances/${taskId}`);

  const logOf = async (dagId: string, runId: string, taskId: string, tryNumber: number): Promise<string> =>
    JSON.stringify(await api.ask('GET', `/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances/${taskId}/logs/${tryNumber}?full_content=true`));

  before(async () => {
    await mustKubectl(site, ['create', 'namespace', NAMESPACE]);
    const { config, secret } = await makeRunner();
    token = secret;
    mkdirSync(home, { mode: 0o755 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'dags'), dags, { recursive: true });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PYTHON: PYTHON, LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_IMPORT_TIMEOUT_SECONDS: '120' });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    api = new Api(url, readFileSync(join(home, 'token'), 'utf8').trim());
    await api.ask('POST', '/connections', { connection_id: 'cluster', conn_type: 'kubernetes', extra: JSON.stringify({ kube_config: config, xcom_sidecar_container_image: 'localhost/busybox:1' }) });
    for (const dagId of FIRST) played[dagId] = api.play(dagId);
    await Promise.allSettled(Object.values(played));
  }, { timeout: 240_000 });
  after(async () => {
    await lite?.stop();
    place.remove();
  });

  test('lines of a pod stand in the log of its task, and the pod goes', async () => {
    const one = await run('pods_logs');
    const log = await one.log('counts');
    assert.deepEqual(one.states, { counts: 'success' }, log);
    for (const line of [`hello ${one.runId}`, 'line 0', 'line 1', 'line 2']) assert.ok(log.includes(`[base] ${line}`), log);
    assert.deepEqual(await pods('pods_logs', 'counts'), []);
  });

  test('what a pod leaves in its file is an XCom', async () => {
    const one = await run('pods_values');
    assert.deepEqual(one.states, { leaves: 'success', twice: 'success' }, await one.log('leaves'));
    assert.deepEqual(await one.xcom('twice'), [42, 1]);
    assert.deepEqual(await pods('pods_values', 'leaves'), []);
  });

  test('a pod that fails fails its task, and goes or stays as the task says', async () => {
    const one = await run('pods_failing');
    assert.deepEqual(one.states, { deleted: 'failed', kept: 'failed', skipped: 'skipped' });
    assert.match(await one.log('deleted'), /going/);
    assert.match(await one.log('deleted'), /exit_code.{0,4}: 3/);
    assert.deepEqual(await pods('pods_failing', 'deleted'), []);
    const kept = await only('pods_failing', 'kept');
    assert.deepEqual([kept.status.phase, kept.status.containerStatuses?.[0]?.state.terminated?.exitCode], ['Failed', 3]);
  });

  test('a deferred one waits without a process, its trigger watches the pod, and it goes on', async () => {
    const one = await run('pods_deferred');
    const log = await one.log('waits');
    assert.deepEqual(one.states, { waits: 'success', breaks: 'failed' }, log);
    assert.match(log, /Pausing task as DEFERRED/);
    assert.match(log, /\[base\].* ends/);
    assert.equal(await one.xcom('waits'), 'from a deferred pod');
    assert.match(await one.log('breaks'), /Pausing task as DEFERRED/);
    for (const taskId of ['waits', 'breaks']) assert.deepEqual(await pods('pods_deferred', taskId), []);
  });

  test('@task.kubernetes: a function in a pod', async () => {
    const one = await run('pods_decorated');
    const log = await one.log('sums');
    assert.deepEqual(one.states, { sums: 'success', tells: 'success' }, log);
    assert.deepEqual(await one.xcom('sums'), { sum: 16, python: 3 });
    assert.equal(await one.xcom('tells'), 16);
    assert.match(log, /\[base\] inside \/usr\/local/);
  });

  test('a task that a person marks failed, or clears, takes its pod with it', { timeout: LIMIT_MS * 3 }, async () => {
    const runId = await start('pods_stopped');
    const path = `/dags/pods_stopped/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
    const running = async (taskId: string, not = ''): Promise<Pod> => eventually(`the pod of ${taskId} runs`, async () => (await pods('pods_stopped', taskId)).find((pod) => pod.status.phase === 'Running' && pod.metadata.name !== not));
    await running('marked');
    const first = await running('cleared');
    await api.ask('PATCH', `${path}/marked`, { new_state: 'failed' });
    await api.ask('POST', '/dags/pods_stopped/clearTaskInstances', { dag_run_id: runId, task_ids: ['cleared'], dry_run: false, only_failed: false, reset_dag_runs: true });
    await eventually('the pod of the marked one is gone', async () => (await pods('pods_stopped', 'marked')).length === 0 || undefined);
    const second = await running('cleared', first.metadata.name);
    assert.deepEqual((await pods('pods_stopped', 'cleared')).map((pod) => pod.metadata.name), [second.metadata.name], 'the first is gone');
    assert.equal((await instance('pods_stopped', runId, 'cleared')).try_number, 2);
    assert.equal((await instance('pods_stopped', runId, 'cleared')).state, 'running', await logOf('pods_stopped', runId, 'cleared', 2));
    await api.ask('PATCH', `${path}/cleared`, { new_state: 'failed' });
    await eventually('no pod is left', async () => (await pods('pods_stopped', 'cleared')).length === 0 || undefined);
    assert.deepEqual((await api.follow('pods_stopped', runId)).states, { marked: 'failed', cleared: 'failed' });
  });

  test('one that is deferred when a person marks it failed takes its pod with it as well', { timeout: LIMIT_MS * 2 }, async () => {
    const runId = await start('pods_stopped_deferred');
    await eventually('it is deferred', async () => (await instance('pods_stopped_deferred', runId, 'away')).state === 'deferred' || undefined);
    await eventually('its pod runs and is watched', async () => (await logOf('pods_stopped_deferred', runId, 'away', 1)).includes('Pod has reached Running phase') || undefined);
    await api.ask('PATCH', `/dags/pods_stopped_deferred/dagRuns/${encodeURIComponent(runId)}/taskInstances/away`, { new_state: 'failed' });
    await eventually('no pod is left', async () => (await pods('pods_stopped_deferred', 'away')).length === 0 || undefined);
    assert.match(await logOf('pods_stopped_deferred', runId, 'away', 1), /Deleting pod away-/);
  });

  test('no log holds the token of the connection', async () => {
    for (const dagId of FIRST) {
      const text = await (await run(dagId)).everyLog();
      assert.ok(text.length > 0 && !text.includes(token), dagId);
    }
  });
});

/** A service account with the rights that the operator needs and no others, as a kubeconfig in JSON. */
async function makeRunner(): Promise<{ readonly config: string; readonly secret: string }> {
  await mustKubectl(site, ['-n', NAMESPACE, 'create', 'serviceaccount', 'runner']);
  await mustKubectl(site, ['apply', '-f', '-'], JSON.stringify(RIGHTS));
  await mustKubectl(site, ['-n', NAMESPACE, 'create', 'rolebinding', 'runner', '--role=runner', `--serviceaccount=${NAMESPACE}:runner`]);
  const secret = (await mustKubectl(site, ['-n', NAMESPACE, 'create', 'token', 'runner'])).trim();
  const config = JSON.parse(await mustKubectl(site, ['config', 'view', '--raw', '-o', 'json'])) as { users: unknown[] };
  return { config: JSON.stringify({ ...config, users: [{ name: 'u', user: { token: secret } }] }), secret };
}

/** Looks until there is something. */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + LIMIT_MS; performance.now() < end; await sleep(200)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  return assert.fail(`waited in vain: ${what}`);
}
