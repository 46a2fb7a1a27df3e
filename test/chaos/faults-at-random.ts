// The faults of processes and of the database in no order, one after the other, on one stage.
import { type Fault, MIXED } from './fault.ts';
import { FAULTS_OF_PROCESSES } from './faults-of-processes.ts';
import { FAULTS_OF_THE_DATABASE } from './faults-of-the-database.ts';

const NAMES = ['leader-kill', 'all-sessions-ended', 'task-kill', 'leader-cut', 'database-crash-1s', 'launcher-kill', 'lock-session-ended', 'leader-short-partition', 'rolling-restart', 'commit-answer-lost', 'leader-and-launcher-kill'];
const PARTS = NAMES.flatMap((name) => [...FAULTS_OF_PROCESSES, ...FAULTS_OF_THE_DATABASE].filter((fault) => fault.name === name));

/** Which part a round injects: neighbours differ, and all come round. */
function partOf(round: number): Fault | undefined {
  return PARTS[(round * 7 + Math.floor(round / PARTS.length)) % PARTS.length];
}

/** Eleven kinds of fault, each twice. */
export const FAULTS_AT_RANDOM: readonly Fault[] = [
  {
    name: 'one-after-the-other', about: `${PARTS.length} of the faults above in no order, on one stage`, scene: { servers: 3, mix: MIXED }, times: 2 * PARTS.length, recovered: 'start',
    inject: async (scene, round) => (await partOf(round)?.inject(scene, round)) ?? 0,
    heal: async (scene, round) => {
      await partOf(round)?.heal?.(scene, round);
    },
  },
];
