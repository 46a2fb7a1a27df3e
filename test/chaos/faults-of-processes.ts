// Faults of processes: servers, launcher, fork servers and tasks are killed or stopped.
import { sleep, wallMs } from '#platform/clock.ts';
import { isAlive, killProcess } from '#platform/exec.ts';
import { childrenOf } from '../support/processes.ts';
import { type Fault, MIXED, PAIR } from './fault.ts';
import { RUNTIME } from './programs.ts';
import type { Scene } from './scene.ts';

async function killLeader(scene: Scene): Promise<number> {
  const { member } = await scene.leader();
  const at = wallMs();
  await member.server.end('SIGKILL');
  return at;
}

/** Whoever was killed is started again and waits in line. */
export async function reviveAll(scene: Scene): Promise<void> {
  for (const member of scene.members) if (!member.server.isRunning) await scene.revive(member);
}

/** Waits for a launcher with fork servers: there may be none just after the last one died. */
async function untilWarm(scene: Scene): Promise<Scene['processes']> {
  await scene.until(() => scene.processes.forkServers.length > 0, 'a fork server');
  return scene.processes;
}

/** What was lost gets its time: an execution may be lost to infrastructure three times, and not more often. The Task SDK takes longer to come up again. */
export function untilRunAgain(): Promise<void> {
  return sleep(RUNTIME === 'airflow' ? 8000 : 2500);
}

/** Children of fork servers: parked ones and tasks alike. */
async function someTask(scene: Scene, round: number): Promise<number> {
  let children: number[] = [];
  await scene.until(() => {
    children = scene.processes.forkServers.flatMap(childrenOf).filter(isAlive);
    return children.length > 0;
  }, 'a task');
  return children[(round * 7) % children.length] ?? 0;
}

/** Stops a process for good. Its leader kills it, because it says nothing any more. */
async function stopForGood(scene: Scene, pid: number): Promise<number> {
  const note = scene.prepareKill(pid);
  const at = wallMs();
  killProcess(pid, 'SIGSTOP');
  await scene.until(() => !isAlive(pid), 'the silent process is killed');
  note();
  return at;
}

/** Of processes. */
export const FAULTS_OF_PROCESSES: readonly Fault[] = [
  {
    name: 'leader-kill', about: 'SIGKILL of the leader', scene: PAIR, times: 50, recovered: 'next epoch',
    inject: killLeader, heal: reviveAll,
  },
  {
    name: 'leader-stop', about: 'SIGSTOP of the leader for 8 s, then SIGCONT', scene: PAIR, times: 3, recovered: 'next epoch',
    inject: async (scene) => {
      const { member } = await scene.leader();
      const at = wallMs();
      killProcess(member.server.pid, 'SIGSTOP');
      setTimeout(() => killProcess(member.server.pid, 'SIGCONT'), 8000);
      return at;
    },
    heal: () => sleep(6000),
  },
  {
    name: 'launcher-kill', about: 'SIGKILL of the launcher', scene: PAIR, times: 6, recovered: 'start',
    inject: async (scene) => scene.kill((await untilWarm(scene)).launcher), heal: untilRunAgain,
  },
  {
    name: 'fork-server-kill', about: 'SIGKILL of a fork server', scene: PAIR, times: 8, recovered: 'start',
    inject: async (scene, round) => {
      const { forkServers } = await untilWarm(scene);
      return scene.kill(forkServers[round % forkServers.length] ?? 0);
    },
    heal: untilRunAgain,
  },
  {
    name: 'fork-server-stop', about: 'SIGSTOP of a fork server, for good', scene: PAIR, times: 3, recovered: 'start',
    inject: async (scene, round) => {
      const { forkServers } = await untilWarm(scene);
      return stopForGood(scene, forkServers[round % forkServers.length] ?? 0);
    },
    heal: untilRunAgain,
  },
  {
    name: 'base-stop', about: 'SIGSTOP of the base process, for good, and SIGKILL of a fork server that is to be born of it again', scene: PAIR, times: 3, recovered: 'start',
    inject: async (scene, round) => {
      const { bases, forkServers } = await untilWarm(scene);
      for (const pid of bases) killProcess(pid, 'SIGSTOP');
      return scene.kill(forkServers[round % forkServers.length] ?? 0);
    },
    heal: untilRunAgain,
  },
  {
    name: 'launcher-stop', about: 'SIGSTOP of the launcher, for good', scene: PAIR, times: 2, recovered: 'start',
    inject: async (scene) => stopForGood(scene, (await untilWarm(scene)).launcher), heal: untilRunAgain,
  },
  {
    name: 'task-kill', about: 'SIGKILL of task processes', scene: PAIR, times: 40, recovered: 'start',
    inject: async (scene, round) => scene.kill(await someTask(scene, round)),
  },
  {
    name: 'leader-and-launcher-kill', about: 'SIGKILL of leader and launcher at once', scene: PAIR, times: 5, recovered: 'next epoch',
    inject: async (scene) => {
      const { launcher } = await untilWarm(scene);
      scene.kill(launcher);
      return killLeader(scene);
    },
    heal: async (scene) => {
      await reviveAll(scene);
      await untilRunAgain();
    },
  },
  {
    name: 'rolling-restart', about: 'SIGTERM of each server in turn, one after the other', scene: { servers: 3, mix: MIXED }, times: 6, recovered: 'start',
    inject: async (scene, round) => {
      const member = scene.members[round % scene.members.length];
      const at = wallMs();
      await member?.server.end('SIGTERM');
      return at;
    },
    heal: reviveAll,
  },
  {
    name: 'clock-jump', about: 'the wall clock of every server jumps by an hour, forth and back', times: 8, recovered: 'start',
    scene: { ...PAIR, preload: new URL('jumping-clock.ts', import.meta.url).pathname },
    inject: async (scene) => {
      const at = wallMs();
      for (const { server } of scene.members) killProcess(server.pid, 'SIGUSR2');
      return Promise.resolve(at);
    },
  },
];
