// What the commands that run an engine on this machine get from the composition root.
import type { AttemptService } from '#contract/attempt.ts';
import type { Config, SettingName } from '#contract/config.ts';
import type { StoreExamination } from '#contract/value-store.ts';
import type { OpenEngineFunction } from './engine-port.ts';
import type { RunScreen } from './run-once.ts';

/** Standard streams, signals, settings and the way to an engine. Commands take these from here, so that they can be driven without a terminal. */
export interface LocalContext {
  /** Settings; flags override the environment. Throws `invalid_config`. */
  readonly readConfig: (overrides?: Partial<Record<SettingName, string | number | boolean>>) => Config;
  readonly homeOf: (config: Config) => string;
  readonly openEngine: OpenEngineFunction;
  /** Removes what executions of this home folder logged. */
  readonly deleteLogs: (home: string, executionIds: readonly string[]) => Promise<void>;
  /** Whether the Redis at this address would keep values. */
  readonly examineRedis: (url: string) => Promise<StoreExamination>;
  /** Serves the agent protocol on a unix socket. */
  readonly startAgent: (socketPath: string, service: AttemptService) => Promise<{ close(): Promise<void> }>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly coloured: boolean;
  /** Aborts on SIGINT and SIGTERM. */
  readonly stop: AbortSignal;
  /** Takes the second such signal, which else ends the process; the third does. */
  readonly onSecondStop: (hurry: () => void) => void;
  readonly version: string;
  /** Ends the command with the exit code of the program that it ran. */
  readonly exitWith: (code: number) => void;
}

/** Where a run is shown: progress on standard error, the result on standard output. */
export function screenOf(context: LocalContext, quiet = false): RunScreen {
  return { out: context.out, progress: quiet ? null : context.err, live: context.errIsTerminal, coloured: context.coloured };
}
