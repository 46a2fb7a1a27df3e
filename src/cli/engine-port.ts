// What the commands that run an engine are handed by the composition root: they know its shape, not its parts.
import type { Config } from '#contract/config.ts';
import type { DrainEnd, Event } from '#contract/events.ts';
import type { Secrets } from '#contract/secrets.ts';
import type { RunUuid } from '#contract/ids.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { Database } from '#store/database.ts';
import type { Registered } from '#store/dag-versions.ts';

/** How an engine is to be opened. */
export interface EngineRequest {
  readonly config: Config;
  readonly home: string;
  /** `throwaway`: a private store that is gone afterwards. `embedded`: the one of the home folder, unless LEOFLOW_DATABASE_URL names another. `external`: only LEOFLOW_DATABASE_URL. */
  readonly store: 'throwaway' | 'embedded' | 'external';
  readonly python: string;
  /** False: only runs that are asked for. */
  readonly followsSchedules?: boolean;
  /** Receives the server's own JSON log lines. */
  readonly writeLog: (line: string) => void;
}

/** The public API while it is served. */
export interface ServedUrl {
  readonly url: string;
  /** A token of the user admin, for commands on this machine. */
  makeToken(lifeSeconds: number): Promise<string>;
}

/** An engine that runs. */
export interface OpenEngine {
  readonly database: Database;
  readonly secrets: Secrets;
  register(dag: CompiledDag, how: { bundle: string; active: boolean; parseMs: number | null }): Promise<Registered>;
  onEvent(listener: (event: Event) => void): void;
  onRunFinished(listener: (run: { id: RunUuid; dagId: string; runId: string }) => void): void;
  report(event: Event): void;
  /** The last messages of a try's log, at most some hundred. */
  readLog(attemptId: string): Promise<readonly { readonly event: string; readonly level?: string; readonly error_detail?: unknown }[]>;
  /** Serves the public API. Throws `address_in_use`. */
  serve(where: { host: string; port: number }): Promise<ServedUrl>;
  /** Running executions that this server decides on. */
  countExecutions(): number;
  /** Waits until the callbacks of runs that have ended are made, until their time or patience is over. */
  untilCalledBack(hurry: AbortSignal): Promise<void>;
  /** Starts nothing any more and waits: for what runs, for another server of this home folder, or until time or patience is over. `stop` has to follow. */
  drain(how: { readonly seconds: number; readonly hurry: AbortSignal }): Promise<{ readonly how: DrainEnd; readonly left: number }>;
  /** Ends it; with `endExecutions` everything that runs is ended too. */
  stop(how: { endExecutions: boolean }): Promise<void>;
}

/** Opens an engine; the composition root implements it. */
export type OpenEngineFunction = (request: EngineRequest) => Promise<OpenEngine>;
