// What a server's scheduling side is given: settings, its place, the outside world, and who hears of what.
import type { Config } from '#contract/config.ts';
import type { RunUuid } from '#contract/ids.ts';
import type { Secrets } from '#contract/secrets.ts';
import type { SpanListener } from '#contract/spans.ts';
import type { ValueStore } from '#contract/value-store.ts';
import type { Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import type { Leadership } from '#store/leader.ts';
import type { Listening, NoticeHandlers } from '#store/notifications.ts';
import type { Executor, Outcomes } from '#executor/executor.ts';
import type { SpecFolders } from './execution-spec.ts';

/** How servers of one database agree on who leads and hear of what others changed. */
interface Coordination {
  /** Resolves when this server leads. Rejects when the wait cannot go on: it is begun anew. */
  awaitLeadership(address: string, stop: AbortSignal): Promise<Leadership>;
  listen(handlers: NoticeHandlers): Listening;
}

/**
 * `home` holds sockets and the address of the leader. `host` names the machine for people; `place` machine and home in executions' rows:
 * what runs in another home folder of the same machine is as far away as what runs on another machine.
 */
export interface SchedulerOptions {
  readonly config: Config;
  readonly home: string;
  readonly host: string;
  readonly place: string;
  readonly database: Database;
  readonly coordination: Coordination;
  readonly reporter: Reporter;
  readonly executor: Executor;
  /** Unix socket (or host:port) of this server's agent API. */
  readonly agentAddress: string;
  readonly folders: SpecFolders;
  readonly outcomes: Outcomes;
  /** Where variables and connections of tasks come from. */
  readonly secrets: Secrets;
  /** Where bytes of XComs lie outside PostgreSQL; null or missing: in it. */
  readonly values?: ValueStore | null;
  /** Executions whose rows were deleted because they are old: their logs may go as well. */
  readonly onPruned: (executions: readonly string[]) => void | Promise<void>;
  /** Called when a run reached its end. */
  readonly onRunFinished?: (run: { id: RunUuid; dagId: string; runId: string }) => void;
  /** False: only runs that somebody asks for, none because a schedule says so. */
  readonly followsSchedules?: boolean;
  /** Hears of what has ended while this server leads, for traces. */
  readonly onSpan?: SpanListener;
}
