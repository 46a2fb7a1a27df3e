// The kubectl that tests of the XCom reader run against: it answers as kubectl does, and each of its faults is what it says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { type KubectlStandIn, prepareContainerPython, prepareKubectl, schedulerPod, type StandInCluster, type StandInFaults, type StandInPod } from '../support/kubectl.ts';

const PYTHON = join(import.meta.dirname, '..', '..', '.venv', 'bin', 'python');
const SAYS = 'out of the command\n';
const open: KubectlStandIn[] = [];

interface Called { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly out: string; readonly err: string }

function prepare(cluster: Partial<StandInCluster> = {}): KubectlStandIn {
  const kubectl = prepareKubectl({ pods: [schedulerPod({ SECRET: 'hunter2' })], ...cluster }, { python: PYTHON });
  open.push(kubectl);
  return kubectl;
}

function call(kubectl: KubectlStandIn, args: readonly string[], how: { input?: string | Buffer; killAfterMs?: number } = {}): Promise<Called> {
  const child = spawn(kubectl.program, [...args], { stdio: 'pipe', env: { ...process.env, OF_THE_LAPTOP: 'yes' }, detached: true });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(how.input ?? '');
  const timer = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), how.killAfterMs ?? 20_000);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, out: Buffer.concat(out).toString('latin1'), err: Buffer.concat(err).toString('utf8') });
    });
  });
}

const exec = (script: string, more: readonly string[] = ['-i', '-n', 'airflow', 'airflow-scheduler-0', '-c', 'scheduler']): string[] => ['exec', ...more, '--', 'sh', '-c', script];
const SPEAK = exec(`printf '${SAYS.trim()}\\n'; cat >/dev/null`);

/** Makes one call of exec with faults. */
async function withFaults(faults: StandInFaults, how: { args?: string[]; input?: string; killAfterMs?: number } = {}): Promise<Called> {
  return call(prepare({ faults }), how.args ?? SPEAK, how);
}

async function podNames(kubectl: KubectlStandIn, selector = 'component=scheduler'): Promise<string[]> {
  const { out } = await call(kubectl, ['get', 'pods', '-n', 'airflow', '-l', selector, '-o', 'json']);
  return (JSON.parse(out) as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name);
}

describe('the kubectl stand-in', () => {
  afterEach(() => {
    for (const kubectl of open.splice(0)) kubectl.remove();
  });

  test('lists pods as an API server tells them, without any secret', async () => {
    const kubectl = prepare({ pods: [schedulerPod({ SECRET: 'hunter2' }), schedulerPod({}, { name: 'young', phase: 'Pending' }), schedulerPod({}, { name: 'elsewhere', namespace: 'other' })] });
    const { code, out, err } = await call(kubectl, ['--context', 'production', '-n', 'airflow', 'get', 'pods', '-l', 'component=scheduler,tier', '-o', 'json']);
    assert.deepEqual([code, err], [0, '']);
    const { items } = JSON.parse(out) as { items: { metadata: { name: string; creationTimestamp: string }; spec: { containers: { name: string }[] }; status: { phase: string; conditions: { type: string; status: string }[] } }[] };
    assert.deepEqual(items.map(({ metadata, status }) => [metadata.name, metadata.creationTimestamp, status.phase, status.conditions.find(({ type }) => type === 'Ready')?.status]),
      [['airflow-scheduler-0', '2026-03-01T08:00:00Z', 'Running', 'True'], ['young', '2026-03-01T08:00:00Z', 'Pending', 'False']]);
    assert.deepEqual(items[0]?.spec.containers.map(({ name }) => name), ['scheduler', 'scheduler-log-groomer']);
    assert.doesNotMatch(out, /hunter2/);
  });

  test('selectors match as Kubernetes matches', async () => {
    const kubectl = prepare();
    const asked = ['component=scheduler', 'component==scheduler,release=airflow', 'component=worker', 'component!=worker', '!component', 'nothing'];
    assert.deepEqual(await Promise.all(asked.map(async (selector) => (await podNames(kubectl, selector)).length)), [1, 1, 0, 1, 0, 0]);
  });

  test('a command runs with the environment of the container and none of the caller’s; streams and exit code come back', async () => {
    const kubectl = prepare();
    const done = await call(kubectl, exec('cat; echo "$SECRET" >&2; env >&2; exit 7'), { input: 'over there' });
    assert.equal(done.code, 7);
    assert.equal(done.out, 'over there');
    assert.match(done.err, /hunter2\n[\s\S]*\ncommand terminated with exit code 7\n$/);
    assert.doesNotMatch(done.err, /OF_THE_LAPTOP/);
    const groomer = await call(kubectl, exec('echo "$SECRET"', ['airflow-scheduler-0', '-c', 'scheduler-log-groomer']));
    assert.match(groomer.err, /exec: "sh": executable file not found in \$PATH/);
    const chosen = await call(kubectl, exec('echo $SECRET', ['airflow-scheduler-0']));
    assert.deepEqual([chosen.out, chosen.err], ['hunter2\n', 'Defaulted container "scheduler" out of: scheduler, scheduler-log-groomer\n']);
  });

  test('5 MB go through in both directions', async () => {
    const input = Buffer.alloc(5_000_000, 'leoflow ').toString();
    const { code, out } = await call(prepare(), exec('cat'), { input });
    assert.ok(code === 0 && out === input);
  });

  test('each call is written down; none can be made that a reader may not make', async () => {
    const kubectl = prepare();
    const refused = [['delete', 'pod', 'x'], ['get', 'secrets', '-l', 'a=b', '-o', 'json'], ['get', 'pods', '-o', 'json'], ['exec', '-it', 'x', '--', 'sh'], ['cp', 'a', 'b'], ['get', 'pods', '-A', '-l', 'a', '-o', 'json'], ['config', 'view', '--raw'], ['version']];
    for (const args of refused) assert.equal((await call(kubectl, args)).code, 97, args.join(' '));
    assert.deepEqual(kubectl.readCalls(), refused);
    assert.equal(kubectl.readRefused().length, refused.length);
    await call(kubectl, SPEAK, { input: 'asked' });
    assert.deepEqual([kubectl.readExec(1).stdin.toString(), kubectl.readExec(1).stdout.toString(), kubectl.readRefused().length], ['asked', SAYS, refused.length]);
  });

  test('says no as kubectl says it', async () => {
    const told = async (cluster: Partial<StandInCluster>, args: string[]): Promise<unknown[]> => {
      const { code, out, err } = await call(prepare(cluster), args);
      return [code, out, err.trimEnd().split('\n').at(-1)];
    };
    const list = ['get', 'pods', '-n', 'airflow', '-l', 'component=scheduler', '-o', 'json'];
    assert.deepEqual(await told({ api: 'unreachable' }, list), [1, '', 'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?']);
    const [code, out, err] = await told({ api: 'unauthorized' }, list);
    assert.deepEqual([code, (JSON.parse(String(out)) as { items: unknown[] }).items, err], [1, [], 'error: You must be logged in to the server (Unauthorized)'], 'an empty list comes beside the error');
    assert.deepEqual(await told({ api: 'unauthorized' }, SPEAK), [1, '', 'error: You must be logged in to the server (Unauthorized)']);
    assert.deepEqual((await told({ rights: [] }, list)).filter((_, at) => at !== 1), [1, 'Error from server (Forbidden): pods is forbidden: User "developer@example.com" cannot list resource "pods" in API group "" in the namespace "airflow"']);
    assert.deepEqual(await told({ rights: ['get pods'] }, SPEAK), [1, '', 'Error from server (Forbidden): pods "airflow-scheduler-0" is forbidden: User "developer@example.com" cannot create resource "pods/exec" in API group "" in the namespace "airflow"']);
    assert.deepEqual(await told({ pods: [] }, SPEAK), [1, '', 'Error from server (NotFound): pods "airflow-scheduler-0" not found']);
    assert.deepEqual(await told({}, exec('true', ['airflow-scheduler-0', '-c', 'web'])), [1, '', 'Error from server (BadRequest): container web is not valid for pod airflow-scheduler-0']);
    assert.deepEqual(await told({ pods: [schedulerPod({}, { phase: 'Pending' })] }, SPEAK), [1, '', 'error: Internal error occurred: unable to upgrade connection: container not found ("scheduler")']);
    assert.deepEqual(await told({}, ['--context', 'nowhere', ...list]), [1, '', 'error: context "nowhere" does not exist']);
    assert.deepEqual(await told({}, ['auth', 'can-i', 'create', 'pods/exec']), [0, 'yes\n', '']);
    assert.deepEqual(await told({ rights: ['get pods'] }, ['auth', 'can-i', 'create', 'pods', '--subresource=exec']), [1, 'no\n', '']);
    assert.deepEqual(await told({}, ['config', 'current-context']), [0, 'production\n', '']);
    assert.deepEqual(await told({ rights: ['get pods'] }, ['port-forward', 'pod/airflow-scheduler-0', ':5432']), [1, '', 'error: error upgrading connection: pods "airflow-scheduler-0" is forbidden: User "developer@example.com" cannot create resource "pods/portforward" in API group "" in the namespace "airflow"']);
    assert.match(String((await told({}, exec('x', ['airflow-scheduler-0', '-c', 'scheduler']).slice(0, 4).concat('--', '/etc/passwd')))[2]), /exec: "\/etc\/passwd": permission denied: unknown$/);
  });

  test('standard output is cut at any byte with exit code 0', async () => {
    for (const cut of [0, 1, 7, SAYS.length - 1, SAYS.length]) assert.deepEqual(await withFaults({ cut }), { code: 0, signal: null, out: SAYS.slice(0, cut), err: '' });
    const failing = await withFaults({ cut: 3 }, { args: exec('echo abcdef; exit 9') });
    assert.deepEqual([failing.code, failing.out, failing.err], [0, 'abc', '']);
  });

  test('noise, a turned bit, a doubled answer, an exit code', async () => {
    assert.deepEqual(await withFaults({ before: '[banner]', after: '[bye]', errorBefore: 'warning\n', errorAfter: 'late\n' }), { code: 0, signal: null, out: `[banner]${SAYS}[bye]`, err: 'warning\nlate\n' });
    assert.equal((await withFaults({ flip: 0 })).out, `n${SAYS.slice(1)}`);
    assert.equal((await withFaults({ repeat: 1 })).out, SAYS + SAYS);
    assert.deepEqual(await withFaults({ exit: 137 }), { code: 137, signal: null, out: SAYS, err: 'command terminated with exit code 137\n' });
  });

  test('an answer of a former question comes instead, or after', async () => {
    const kubectl = prepare();
    await call(kubectl, exec('echo first'));
    kubectl.tell({ faults: { replay: { of: 1, how: 'instead' } } });
    assert.equal((await call(kubectl, exec('echo second'))).out, 'first\n');
    kubectl.tell({ faults: { replay: { of: 1, how: 'after' } } });
    assert.equal((await call(kubectl, exec('echo third'))).out, 'third\nfirst\n');
  });

  test('a call that stalls ends when it is killed', async () => {
    assert.deepEqual(await withFaults({ stall: 'deaf' }, { killAfterMs: 300, input: 'x'.repeat(1_000_000) }), { code: null, signal: 'SIGKILL', out: '', err: '' });
    assert.deepEqual(await withFaults({ stallAfter: 4 }, { killAfterMs: 400 }), { code: null, signal: 'SIGKILL', out: SAYS.slice(0, 4), err: '' });
    assert.deepEqual(await withFaults({ stallAfter: 0 }, { killAfterMs: 400 }), { code: null, signal: 'SIGKILL', out: '', err: '' });
    assert.equal((await withFaults({ startMs: 30 })).out, SAYS);
  });

  test('standard input is dropped or ends early', async () => {
    assert.equal((await withFaults({ stdin: 'dropped' }, { args: exec('cat'), input: 'lost' })).out, '');
    assert.equal((await withFaults({ stdinBytes: 3 }, { args: exec('cat'), input: 'lost' })).out, 'los');
    assert.equal((await call(prepare(), exec('cat', ['airflow-scheduler-0', '-c', 'scheduler']), { input: 'no -i' })).out, '');
  });

  test('a pod goes and another comes; only the calls that are named have a fault', async () => {
    const heir: StandInPod = schedulerPod({}, { name: 'airflow-scheduler-1' });
    for (const [gone, text] of [['pod', 'Error from server (NotFound): pods "airflow-scheduler-0" not found\n'], ['container', 'error: Internal error occurred: unable to upgrade connection: container not found ("scheduler")\n']] as const) {
      const kubectl = prepare({ faults: { gone, only: 1 }, later: { afterExecs: 1, pods: [heir] } });
      assert.deepEqual(await podNames(kubectl), ['airflow-scheduler-0']);
      assert.deepEqual(await call(kubectl, SPEAK), { code: 1, signal: null, out: '', err: text });
      assert.deepEqual(await podNames(kubectl), ['airflow-scheduler-1']);
      assert.equal((await call(kubectl, exec('echo here', ['airflow-scheduler-1', '-c', 'scheduler']))).out, 'here\n');
    }
  });

  test('a site’s hook speaks first in the container’s Python', async () => {
    const kubectl = prepare();
    kubectl.tell({ pods: [schedulerPod(prepareContainerPython(kubectl.folder, PYTHON, 'print("a hook of the site")'))] });
    assert.equal((await call(kubectl, ['exec', '-i', 'airflow-scheduler-0', '-c', 'scheduler', '--', 'python3', '-c', 'print(1)'])).out, 'a hook of the site\n1\n');
  });

  test('a forwarded port leads to the pod’s', async () => {
    const kubectl = prepare();
    const echo = createServer((socket) => void socket.pipe(socket)).listen(join(kubectl.folder, 'socket'));
    await once(echo, 'listening');
    kubectl.tell({ pods: [schedulerPod({}, { ports: { 5432: join(kubectl.folder, 'socket') } })] });
    const child = spawn(kubectl.program, ['port-forward', '-n', 'airflow', 'pod/airflow-scheduler-0', ':5432']);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(/^Forwarding from 127\.0\.0\.1:(\d+) -> 5432\n/.exec(line.toString())?.[1]);
    const socket = connect(port, '127.0.0.1');
    socket.write('ping');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.equal(answer.toString(), 'ping');
    const ended = once(child, 'close');
    socket.end();
    child.kill('SIGTERM');
    await ended;
    echo.close();
  });
});
