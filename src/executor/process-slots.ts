// Places for executions in a fork server: a parked child, or one that is forked after the commit.
import type { ExecutionId } from '#contract/ids.ts';
import type { Slot } from './executor.ts';
import { giveJob, type ParkedChild, type Warm } from './warm.ts';

/** Whose places they are. */
interface SlotOwner {
  readonly epoch: number;
  /** Whether the fork server can still be given work. */
  readonly isUsable: (warm: Warm) => boolean;
  readonly lose: (executions: readonly ExecutionId[], reason: string) => void;
  readonly refill: (warm: Warm) => void;
}

/** A child that waits already. */
export function parkedSlot(warm: Warm, child: ParkedChild, owner: SlotOwner): Slot {
  return {
    handle: warm.id, pid: child.pid,
    launch: (spec) => {
      if (child.isGone || !owner.isUsable(warm)) return owner.lose([spec.execution_id], 'its process ended before it began');
      giveJob(warm, child, spec);
      owner.refill(warm);
    },
    release: () => {
      if (!child.isGone) warm.parked[child.runtime].unshift(child);
    },
  };
}

/** A child that is forked with its job. */
export function forkSlot(warm: Warm, owner: SlotOwner): Slot {
  return {
    handle: warm.id, pid: null,
    launch: (spec) => {
      if (warm.link === null || !owner.isUsable(warm)) return owner.lose([spec.execution_id], 'its fork server is gone');
      warm.running.add(spec.execution_id);
      warm.link.send({ op: 'run', epoch: owner.epoch, spec });
    },
    release: () => undefined,
  };
}
