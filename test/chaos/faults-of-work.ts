// Faults that tasks, disks and people make: ends of every kind, poison, a full disk for logs, and changes that race with reports.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { signToken } from '#api/auth/tokens.ts';
import { sleep, wallMs } from '#platform/clock.ts';
import { killProcess } from '#platform/exec.ts';
import { readSecret } from '#store/server-secrets.ts';
import { type Fault, MIXED, PAIR } from './fault.ts';
import { reviveAll } from './faults-of-processes.ts';
import { MemoryCgroup, whyNoMemoryCgroup } from './memory-cgroup.ts';
import type { Scene } from './scene.ts';

const fillerOf = (scene: Scene): string => join(scene.home, 'logs', 'executions', 'filler');

/** Writes until nothing fits any more. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      const block = Buffer.alloc(size);
      try {
        while (writeSync(file, block) === size);
      } catch {
        // A smaller piece may still fit.
      }
    }
  } finally {
    closeSync(file);
  }
}

function canMount(): boolean {
  return process.getuid?.() === 0 && spawnSync('mount', ['--version']).status === 0;
}

interface Person { readonly url: string; readonly token: string }

async function asPerson(scene: Scene, round: number): Promise<Person> {
  const member = scene.members[round % scene.members.length];
  const ready = member?.server.said.findLast((line) => line['event'] === 'server.ready');
  return { url: String(ready?.['url']), token: await signToken(await readSecret(scene.database, 'jwt'), { name: 'admin', role: 'admin' }, 600) };
}

async function ask(person: Person, call: { method: string; path: string; body: object }): Promise<number> {
  const answer = await fetch(`${person.url}/api/v2${call.path}`, { method: call.method, headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json' }, body: JSON.stringify(call.body) });
  await answer.text();
  if (answer.status >= 500) throw new Error(`${call.method} ${call.path}: ${answer.status}`);
  return answer.status;
}

interface Chosen { readonly dag: string; readonly run: string; readonly task: string; readonly map: number }

/** What a person may do to an instance or its run while it reports; `names` is what it may end of the run, all without. */
interface Action { readonly names?: readonly ('task' | 'map')[]; readonly call: (one: Chosen) => { method: string; path: string; body: object } }

const ACTIONS: readonly Action[] = [
  { names: ['task'], call: ({ dag, run, task }) => ({ method: 'POST', path: `/dags/${dag}/clearTaskInstances`, body: { dag_run_id: run, task_ids: [task], dry_run: false, only_failed: false, reset_dag_runs: true } }) },
  { names: ['task', 'map'], call: (one) => markInstance(one, 'success') },
  { call: ({ dag, run, task }) => ({ method: 'POST', path: `/dags/${dag}/clearTaskInstances`, body: { dag_run_id: run, task_ids: [task], dry_run: false, only_failed: false, include_downstream: true, reset_dag_runs: true } }) },
  { names: ['task', 'map'], call: (one) => markInstance(one, 'failed') },
  { call: ({ dag, run }) => ({ method: 'PATCH', path: `/dags/${dag}/dagRuns/${run}`, body: { state: 'failed' } }) },
  { call: ({ dag, run }) => ({ method: 'POST', path: `/dags/${dag}/dagRuns/${run}/clear`, body: { dry_run: false, only_failed: false } }) },
];

function markInstance({ dag, run, task, map }: Chosen, state: string): { method: string; path: string; body: object } {
  return { method: 'PATCH', path: `/dags/${dag}/dagRuns/${run}/taskInstances/${task}${map < 0 ? '' : `/${map}`}`, body: { new_state: state } };
}

/** Before it is done: from here on the run has no one right outcome. */
function noteAction(scene: Scene, one: Chosen, names: Action['names'] = []): void {
  const { dag, run } = one;
  scene.load.note({ kind: 'action', at: wallMs() / 1000, dag, run, ...Object.fromEntries(names.map((name) => [name, one[name]])) });
}

/** Five changes at once, to instances that run at this moment. */
async function change(scene: Scene, round: number): Promise<number> {
  const person = await asPerson(scene, round);
  const running = await scene.rows("select r.dag_id, r.run_id, t.task_id, t.map_index from task_instances t join dag_runs r on r.id = t.run where t.state in ('running', 'scheduled', 'up_for_retry') order by random() limit 5");
  await Promise.all(running.map(async (row, number) => {
    const chosen = { dag: String(row['dag_id']), run: String(row['run_id']), task: String(row['task_id']), map: Number(row['map_index']) };
    const action = ACTIONS[(round + number) % ACTIONS.length];
    if (action === undefined) return;
    noteAction(scene, chosen, action.names);
    await ask(person, action.call(chosen));
  }));
  return wallMs();
}

const now = (): Promise<number> => sleep(1000).then(wallMs);

/** The leader is stopped, a running task is marked through the other server, and the leader dies before it can stop the task. */
async function markAndKill(scene: Scene, round: number): Promise<number> {
  const { member } = await scene.leader();
  let chosen: Record<string, unknown> | undefined;
  await scene.until(async () => {
    [chosen] = await scene.rows("select r.run_id from task_instances t join dag_runs r on r.id = t.run where t.state = 'running' and r.dag_id = 'patient' order by t.start_date desc limit 1");
    return chosen !== undefined;
  }, 'a patient task');
  killProcess(member.server.pid, 'SIGSTOP');
  const one = { dag: 'patient', run: String(chosen?.['run_id']), task: 'effects', map: -1 };
  noteAction(scene, one, ['task', 'map']);
  const others = scene.members.filter((other) => other !== member);
  await ask(await asPerson(scene, scene.members.indexOf(others[round % others.length] ?? member)), markInstance(one, 'success'));
  const at = wallMs();
  await member.server.end('SIGKILL');
  return at;
}

/** Of tasks, disks and people. */
export const FAULTS_OF_WORK: readonly Fault[] = [
  {
    name: 'task-ends', about: 'tasks end by exit 255, exit 0 without a result, SystemExit, SIGSEGV, SIGKILL, MemoryError and time-out', scene: { servers: 2, mix: { weave: 1, ends: 3 } }, times: 10, recovered: 'start',
    inject: now,
  },
  {
    name: 'poison', about: 'files that do not import, tasks that fail at once, logs that are no text, children left behind', scene: { servers: 2, mix: { weave: 1, poison: 2, broken: 1, exits: 1 } }, times: 8, recovered: 'start',
    inject: now,
  },
  {
    name: 'disk-full', about: 'no byte fits where logs lie, for 2 s', scene: PAIR, times: 4, recovered: 'start',
    unable: () => (canMount() ? null : 'mounting a small file system needs root'),
    prepare: (scene) => {
      const logs = join(scene.home, 'logs', 'executions');
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', logs]);
      if (mounted.status !== 0) throw new Error(`mount: ${String(mounted.stderr)}`);
      scene.closers.push(() => void spawnSync('umount', ['-l', logs]));
      return Promise.resolve();
    },
    inject: async (scene) => {
      fill(fillerOf(scene));
      return Promise.resolve(wallMs());
    },
    heal: async (scene) => {
      await sleep(2000);
      rmSync(fillerOf(scene), { force: true });
    },
  },
  {
    name: 'changes-by-people', about: 'running instances and runs are cleared, marked and stopped through the API, five at once', scene: { servers: 2, mix: MIXED, settings: { LEOFLOW_CANCEL_GRACE_SECONDS: '1' } }, times: 25, recovered: 'start',
    inject: change,
  },
  {
    name: 'mark-and-leader-kill', about: 'a running task is marked while the leader is stopped, then the leader is killed: the next one stops the task', scene: { servers: 2, mix: { weave: 1, patient: 2 } }, times: 3,
    recovered: 'next epoch', inject: markAndKill, heal: reviveAll,
  },
  {
    name: 'task-out-of-memory', about: 'tasks share 512 MB with all of their machinery; the kernel kills one that wants more', scene: { servers: 2, mix: { weave: 1, hungry: 1 } }, times: 10, recovered: 'start',
    unable: whyNoMemoryCgroup,
    prepare: (scene) => {
      const group = new MemoryCgroup(`leoflow-chaos-${process.pid}`, 512 << 20);
      const { launcher, forkServers } = scene.processes;
      for (const pid of [launcher, ...forkServers]) group.add(pid);
      scene.closers.push(() => group.remove());
      return Promise.resolve();
    },
    inject: async (scene) => {
      const killed = async (): Promise<number> => Number((await scene.rows("select count(*) from executions where cause = 'oom'"))[0]?.['count']);
      const before = await killed();
      await scene.until(async () => (await killed()) > before, 'the kernel kills a task');
      return wallMs();
    },
  },
];
