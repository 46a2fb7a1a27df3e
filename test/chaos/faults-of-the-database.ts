// Faults between servers and database: sessions ended, restarts, partitions, lost answers, slowness, no connections left.
import pg from 'pg';
import { sleep, wallMs } from '#platform/clock.ts';
import { isAlive } from '#platform/exec.ts';
import { type Fault, PAIR } from './fault.ts';
import { untilRunAgain } from './faults-of-processes.ts';
import type { LedgerLine } from './load.ts';
import type { Member, Scene } from './scene.ts';

const TERMINATE = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';

/** Ends sessions of one database by what they are called; `%` is all of ours. */
async function endSessions(scene: Scene, condition: string): Promise<number> {
  const client = new pg.Client(scene.cluster.urlOf(scene.databaseName));
  await client.connect();
  const at = wallMs();
  await client.query(`${TERMINATE} and ${condition}`);
  await client.end();
  return at;
}

function restart(name: string, how: 'fast' | 'immediate', downMs: number): Fault {
  return {
    name, about: `PostgreSQL: ${how} shutdown, ${downMs / 1000} s down; counted from when it accepts connections again`, scene: PAIR, times: downMs > 5000 ? 2 : 4, recovered: 'start',
    inject: async (scene) => {
      await scene.cluster.restart(how, downMs);
      return wallMs();
    },
  };
}

const parted = new WeakMap<Scene, Member>();

async function partition(scene: Scene, who: 'leader' | 'follower', ms: number | null): Promise<number> {
  const member = who === 'leader' ? (await scene.leader()).member : await scene.follower();
  parted.set(scene, member);
  const at = wallMs();
  await member.proxy.set({ mode: 'swallow' });
  if (ms !== null) {
    await sleep(ms);
    await member.proxy.set({ mode: 'forward' });
  }
  return at;
}

/** The line carries again: what was sent in between arrives late. */
async function healPartition(scene: Scene): Promise<void> {
  await parted.get(scene)?.proxy.set({ mode: 'forward' });
}

/** How long a task has been at its end when it is killed: its outcome lies on the disk for certain. */
const WAITED_SECONDS = 1;

/** Nobody reaches the database: tasks end, and wait with their reports. Then they are killed, and what is left of them is on the disk only. */
async function killInOutage(scene: Scene, round: number): Promise<number> {
  const listRunning = (): readonly LedgerLine[] => scene.ledger.read().filter(({ execution, pid }) => !scene.ledger.ends.has(execution) && isAlive(pid));
  await scene.until(() => listRunning().length >= 3, 'tasks run');
  const running = listRunning();
  for (const { proxy } of scene.members) await proxy.set({ mode: round % 2 === 0 ? 'reset' : 'swallow' });
  const listWaiting = (): readonly LedgerLine[] => {
    scene.ledger.read();
    return running.filter(({ execution, pid }) => (scene.ledger.ends.get(execution) ?? Infinity) < wallMs() / 1000 - WAITED_SECONDS && isAlive(pid));
  };
  await scene.until(() => listWaiting().length >= 2, 'tasks wait with their reports');
  const waiting = listWaiting();
  const { launcher, forkServers } = scene.processes;
  const victims = [waiting.map(({ pid }) => pid), forkServers, [launcher]][round % 3] ?? [];
  for (const pid of victims) scene.kill(pid);
  await sleep(2000);
  for (const { proxy } of scene.members) await proxy.set({ mode: 'forward' });
  return wallMs();
}

/** Of the line to the database, and of the database. */
export const FAULTS_OF_THE_DATABASE: readonly Fault[] = [
  {
    name: 'lock-session-ended', about: 'pg_terminate_backend of the session that holds the lock', scene: PAIR, times: 8, recovered: 'next epoch',
    inject: (scene) => endSessions(scene, "pid = (select pid from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database()) limit 1)"),
  },
  {
    name: 'all-sessions-ended', about: 'pg_terminate_backend of every session', scene: PAIR, times: 8, recovered: 'next epoch',
    inject: (scene) => endSessions(scene, 'true'),
  },
  restart('database-fast-restart-1s', 'fast', 1000),
  restart('database-crash-1s', 'immediate', 1000),
  restart('database-fast-restart-10s', 'fast', 10_000),
  restart('database-crash-10s', 'immediate', 10_000),
  {
    name: 'leader-partition', about: 'the line between leader and database swallows everything, until after another one leads', scene: PAIR, times: 4, recovered: 'next epoch',
    inject: (scene) => partition(scene, 'leader', null),
    heal: async (scene) => {
      await sleep(1000);
      await healPartition(scene);
    },
  },
  {
    name: 'leader-short-partition', about: 'the same for 1.5 s: what was sent arrives late', scene: PAIR, times: 6, recovered: 'start',
    inject: async (scene) => {
      await partition(scene, 'leader', 1500);
      return wallMs();
    },
  },
  {
    name: 'leader-cut', about: 'every connection of the leader is reset, and refused for 2 s', scene: PAIR, times: 5, recovered: 'next epoch',
    inject: async (scene) => {
      const { member } = await scene.leader();
      const at = wallMs();
      await member.proxy.set({ mode: 'reset' });
      setTimeout(() => void member.proxy.set({ mode: 'forward' }).catch(() => undefined), 2000);
      return at;
    },
    heal: () => sleep(2100),
  },
  {
    name: 'follower-partition', about: 'the follower’s line swallows for 6 s, then the leader is killed: the follower must lead', scene: PAIR, times: 3, recovered: 'next epoch',
    inject: async (scene) => {
      await partition(scene, 'follower', 6000);
      const { member } = await scene.leader();
      const at = wallMs();
      await member.server.end('SIGKILL');
      return at;
    },
    heal: async (scene) => {
      for (const member of scene.members) if (!member.server.isRunning) await scene.revive(member);
    },
  },
  {
    name: 'commit-answer-lost', about: 'a commit happens, its answer is lost: in turn the connection is reset, or silent', scene: PAIR, times: 6, recovered: 'next epoch',
    inject: async (scene, round) => {
      const { member } = await scene.leader();
      const from = member.proxy.program.said.length;
      await member.proxy.set({ mode: 'lose_reply', text: 'moveTask', cut: round % 2 === 0 });
      await member.proxy.untilLost(from);
      return wallMs();
    },
  },
  {
    name: 'kill-in-outage', about: 'the database is refused or silent for some 4 s; tasks that wait with their reports, their fork servers or the launcher are killed meanwhile', scene: PAIR, times: 6, recovered: 'start',
    inject: killInOutage, heal: untilRunAgain,
  },
  {
    name: 'database-slow', about: 'every packet to the database takes 200 ms more, for 4 s', scene: PAIR, times: 3, recovered: 'start',
    inject: async (scene) => {
      for (const { proxy } of scene.members) await proxy.set({ mode: 'slow', ms: 200 });
      return wallMs();
    },
    heal: async (scene) => {
      await sleep(4000);
      for (const { proxy } of scene.members) await proxy.set({ mode: 'forward' });
    },
  },
  {
    name: 'connections-exhausted', about: 'all connections of the database but the leader’s own are held by others for 3 s', scene: PAIR, times: 3, recovered: 'start',
    inject: async (scene) => {
      const held: pg.Client[] = [];
      await endSessions(scene, "application_name = 'leoflow'");
      for (let count = 0; count < 100; count += 1) {
        const client = new pg.Client(scene.cluster.urlOf(scene.databaseName));
        client.on('error', () => undefined);
        try {
          await client.connect();
          held.push(client);
        } catch {
          break;
        }
      }
      const at = wallMs();
      await sleep(3000);
      for (const client of held) await client.end();
      return at;
    },
  },
];
