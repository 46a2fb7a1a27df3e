// Retention: while it leads, a server deletes what is older than LEOFLOW_RETENTION_DAYS, or than the DAG's own days, values that expired, and bytes outside PostgreSQL that no row names.
import { type Config, LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { ValueStore } from '#contract/value-store.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { expireValues } from '#store/dead-values.ts';
import { listOwnRetentions, prune } from '#store/prune.ts';
import { sweepValues } from './sweep-values.ts';

interface HistoryOptions {
  readonly config: Config;
  readonly database: Database;
  readonly reporter: Reporter;
  readonly values?: ValueStore | null;
  /** Executions whose rows were deleted because they are old: their logs may go as well. */
  readonly onPruned: (executions: readonly string[]) => void | Promise<void>;
}

const DAY_MS = 86_400_000;

/** One per server. */
export class History {
  readonly #options: HistoryOptions;
  #isPruning = false;
  #isSweeping = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Never rejects: what could not be deleted now is deleted another time. */
  async prune(): Promise<void> {
    const { database, reporter } = this.#options;
    if (this.#isPruning) return;
    this.#isPruning = true;
    try {
      // A full batch says that there may be more: at the target of 600 tasks a second, one batch per call would never catch up.
      while ((await expireValues(database.pool, LIMITS.maxBatchOperations)) === LIMITS.maxBatchOperations);
      const own = await listOwnRetentions(database);
      for (const { dagId, days } of own) await this.#pruneRuns(days, { dagId });
      await this.#pruneRuns(this.#options.config.LEOFLOW_RETENTION_DAYS, { dagId: null, except: own.map((one) => one.dagId) });
    } catch (error) {
      reporter.report({ event: 'failure', where: 'prune', error: errorText(error) });
    } finally {
      this.#isPruning = false;
    }
  }

  /** @param days 0 keeps everything */
  async #pruneRuns(days: number, which: { readonly dagId: string | null; readonly except?: readonly string[] }): Promise<void> {
    if (days === 0) return;
    const { database, onPruned, reporter } = this.#options;
    const { runs, versions } = await prune(database, { endedBefore: database.clock.nowMs() - days * DAY_MS, keepRuns: 1, ...which }, onPruned);
    if (runs > 0) reporter.report({ event: 'history.pruned', runs, versions });
  }

  /** Bytes outside PostgreSQL follow their rows. Never rejects. */
  async sweep(epoch: number): Promise<void> {
    const { database, reporter, values } = this.#options;
    if (!values || this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const { dead, orphans } = await sweepValues({ database, values, epoch });
      if (dead + orphans > 0) reporter.report({ event: 'xcom_store.swept', dead, orphans });
    } catch (error) {
      // The store says itself, and once, that it is away.
      if (!(error instanceof AppError && error.code === 'xcom_store_unavailable')) reporter.report({ event: 'failure', where: 'sweep values', error: errorText(error) });
    } finally {
      this.#isSweeping = false;
    }
  }
}
