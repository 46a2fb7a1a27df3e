// What goes wrong in a world: each seed draws its own mix of faults and how often they come, because all of them at once hide bugs.
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';

/** One kind of fault; `strike` begins one, and what it begins ends by itself. */
interface Fault { readonly name: string; readonly strike: (stage: Stage, random: Random) => void }

const FAULTS: readonly Fault[] = [
  { name: 'server killed', strike: (stage, random) => stage.killServer(random.between(100, 15_000)) },
  { name: 'leader killed', strike: (stage, random) => stage.killLeader(random.between(100, 15_000)) },
  { name: 'server stopped', strike: (stage, random) => stage.stopServer(random.between(500, 40_000)) },
  { name: 'database down', strike: (stage, random) => stage.databaseDown(random.between(100, 20_000)) },
  { name: 'network cut', strike: (stage, random) => stage.cutOff(random.between(500, 30_000)) },
  { name: 'session ended', strike: (stage) => stage.endSession() },
  { name: 'lock lost', strike: (stage) => stage.loseLock() },
  { name: 'bad network', strike: (stage, random) => stage.badNetwork(random.between(3000, 30_000)) },
  { name: 'commits unanswered', strike: (stage, random) => stage.loseCommits(random.between(3000, 30_000)) },
  // As long as its probe may take to find the connection dead.
  { name: 'deaf leader', strike: (stage, random) => stage.deafen(random.between(500, 14_000)) },
  { name: 'statements refused', strike: (stage, random) => stage.refusals(random.between(3000, 40_000)) },
  { name: 'slow database', strike: (stage, random) => stage.slowDatabase(random.between(3000, 30_000)) },
  { name: 'bad agent network', strike: (stage, random) => stage.badAgentNetwork(random.between(3000, 30_000)) },
  { name: 'task killed', strike: (stage) => stage.killTask() },
  { name: 'fork server killed', strike: (stage) => stage.killForkServer() },
  { name: 'trigger host killed', strike: (stage) => stage.killTriggerHost() },
  { name: 'launcher killed', strike: (stage) => stage.killLauncher() },
];

/** What people do meanwhile. */
const PEOPLE: readonly Fault[] = [
  { name: 'cleared', strike: (stage) => void stage.people.clear() },
  { name: 'marked', strike: (stage) => void stage.people.mark() },
  { name: 'run marked', strike: (stage) => void stage.people.markRun() },
  { name: 'paused', strike: (stage, random) => void stage.people.pause(random.between(500, 80_000)) },
  { name: 'busy people', strike: (stage, random) => { for (let count = 5 + random.below(10); count > 0; count -= 1) stage.world.at(stage.world.now + random.between(0, 20_000), () => void (random.chance(0.5) ? stage.people.clear() : stage.people.mark()), null); } },
  { name: 'pool resized', strike: (stage) => void stage.people.resizePool() },
];

/** Plans the faults of a seed. @returns their names, for the report of a failing seed */
export function planFaults(stage: Stage, random: Random, chaosMs: number): string[] {
  const kinds = [...FAULTS.filter(() => random.chance(0.3)), ...(random.chance(0.4) ? PEOPLE.filter(() => random.chance(0.5)) : [])];
  const begin = stage.world.now;
  for (const { strike } of kinds) {
    const count = 1 + random.below(4);
    for (let index = 0; index < count; index += 1) stage.world.at(begin + random.between(1000, chaosMs), () => strike(stage, random), null);
  }
  return kinds.map(({ name }) => name);
}
