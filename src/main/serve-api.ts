// The public API of this process, as main hands it to the commands.
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { LogStore } from '#logs/log-store.ts';
import type { Reporter } from '#platform/report.ts';
import type { Engine } from './engine.ts';

export interface ServedApi { readonly url: string; close(): Promise<void> }

/** Starts listening. Throws `address_in_use`. */
export async function serveApi(_options: { where: { host: string; port: number }; engine: Engine; config: Config; home: string; logs: LogStore; reporter: Reporter }): Promise<ServedApi> {
  throw new AppError('bug', 'wired when the API is there');
}
