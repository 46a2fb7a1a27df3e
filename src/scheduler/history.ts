// Retention: while it leads, a server deletes what is older than LEOFLOW_RETENTION_DAYS.
import type { Config } from '#contract/config.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { prune } from '#store/prune.ts';

interface HistoryOptions {
  readonly config: Config;
  readonly database: Database;
  readonly reporter: Reporter;
  /** Executions whose rows were deleted because they are old: their logs may go as well. */
  readonly onPruned: (executions: readonly string[]) => void;
}

const DAY_MS = 86_400_000;

/** One per server. */
export class History {
  readonly #options: HistoryOptions;
  #isPruning = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Never rejects: what could not be deleted now is deleted another time. */
  async prune(): Promise<void> {
    const { config, database, onPruned, reporter } = this.#options;
    const days = config.LEOFLOW_RETENTION_DAYS;
    if (days === 0 || this.#isPruning) return;
    this.#isPruning = true;
    try {
      const { runs, versions } = await prune(database, { endedBefore: database.clock.nowMs() - days * DAY_MS, keepRuns: 1, dagId: null }, onPruned);
      if (runs > 0) reporter.report({ event: 'history.pruned', runs, versions });
    } catch (error) {
      reporter.report({ event: 'failure', where: 'prune', error: errorText(error) });
    } finally {
      this.#isPruning = false;
    }
  }
}
