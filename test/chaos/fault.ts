// What a fault is to the proof: how it is made, how it is undone, and from when on recovery counts.
import type { Scene, SceneOptions } from './scene.ts';

/** One line of the proof. */
export interface Fault {
  readonly name: string;
  /** What is done, for people. */
  readonly about: string;
  readonly scene: SceneOptions;
  /** How often it is injected at least. */
  readonly times: number;
  /** `next epoch`: the first decision of another term; `start`: the first task that was decided on and started after it. */
  readonly recovered: 'next epoch' | 'start';
  /** Seconds that a closed execution may take to end. */
  readonly grace?: number;
  /** Why it cannot be made on this machine, null when it can. */
  readonly unable?: () => string | null;
  /** Once, before there is load. */
  readonly prepare?: (scene: Scene) => Promise<void>;
  /** @returns the moment from which recovery counts (epoch ms) */
  readonly inject: (scene: Scene, round: number) => Promise<number>;
  /** After recovery. */
  readonly heal?: (scene: Scene, round: number) => Promise<void>;
  /** Once, after all rounds. */
  readonly cleanUp?: (scene: Scene) => Promise<void>;
}

/** The everyday mix: short tasks, and some that are in their middle most of the time. */
export const MIXED = { weave: 2, long: 1 } as const;
/** Two servers under it. */
export const PAIR: SceneOptions = { servers: 2, mix: MIXED };
