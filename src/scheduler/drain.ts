// An orderly stop of a server: nothing new is started, and what runs is left to another server of this home, waited for, or ended when the time is over.
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DrainEnd } from '#contract/events.ts';
import { monotonicMs, sleep } from '#platform/clock.ts';
import { isListening } from '#platform/line-socket.ts';
import type { Database } from '#store/database.ts';
import { countWaiting } from '#store/leader-health.ts';

/** Where a server stands. `unfinished` counts executions, stops and commits that are under way. */
export interface Work { readonly standing: 'follower' | 'taking_over' | 'leading'; readonly unfinished: number }

/** What a drain looks at. */
interface Draining {
  look(): Work;
  hasSuccessor(): Promise<boolean>;
}

const LOOK_MS = 25;
const SUCCESSOR_MS = 500;

/** Waits until the work is somebody else’s, done, or out of time. @param how `hurry` aborts when nobody wants to wait any more */
export async function drain(work: Draining, how: { readonly seconds: number; readonly hurry: AbortSignal }): Promise<DrainEnd> {
  const deadline = monotonicMs() + how.seconds * 1000;
  let asked = Number.NEGATIVE_INFINITY;
  for (;;) {
    const { standing } = work.look();
    if (standing === 'follower') return 'not_leading';
    if (standing === 'leading') {
      if (monotonicMs() - asked >= SUCCESSOR_MS) {
        asked = monotonicMs();
        if (await work.hasSuccessor()) return 'handed_over';
      }
      if (work.look().unfinished === 0) return 'idle';
    }
    if (how.hurry.aborted) return 'hurried';
    if (monotonicMs() >= deadline) return 'time_over';
    await sleep(LOOK_MS, how.hurry);
  }
}

/**
 * Whether the next leader is a server of this home folder, which adopts what runs. PostgreSQL says how many wait, the folder how many of
 * them are ours: while others wait as well, nobody knows who gets the lock, and executions of this home would be strangers to them.
 */
export async function hasSuccessor(database: Database, agentAddress: string): Promise<boolean> {
  const folder = dirname(agentAddress);
  const others = readdirSync(folder).filter((name) => /^a\d+\.sock$/.test(name) && name !== basename(agentAddress));
  if (others.length === 0) return false;
  try {
    const ours = (await Promise.all(others.map((name) => isListening(join(folder, name))))).filter(Boolean).length;
    const waiting = await countWaiting(database);
    return waiting > 0 && waiting <= ours;
  } catch {
    // A database that does not answer names no successor.
    return false;
  }
}
