// What the commands that talk to a server, or to the database directly, get from the composition root.
import type { Config, SettingName } from '#contract/config.ts';

/** Streams, settings and the stop signal of one invocation. */
export interface CliContext {
  /** Settings; flags override the environment. Throws `invalid_config`. */
  readonly readConfig: (overrides?: Partial<Record<SettingName, string | number | boolean>>) => Config;
  readonly homeOf: (config: Config) => string;
  /** Writes to standard output: the result. */
  readonly out: (text: string) => void;
  /** Writes to standard error: progress. */
  readonly err: (text: string) => void;
  readonly outIsTerminal: boolean;
  readonly coloured: boolean;
  /** Aborts on SIGINT and SIGTERM. */
  readonly stop: AbortSignal;
  /** Replaces the network in tests. */
  readonly fetch?: typeof fetch;
}
