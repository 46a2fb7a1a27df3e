// The stored secrets of this machine's own database, with the keys of its settings: for what no server shows.
import { fileOfSetting } from '#platform/config.ts';
import { findKeys } from '#platform/key-file.ts';
import type { Vault } from '#store/variables.ts';
import type { LocalContext } from './local-context.ts';
import { withOwnDatabase } from './own-database.ts';

/** Runs with database and keys. Throws `invalid_config` when the keys cannot be read. */
export async function withOwnVault<R>(context: Pick<LocalContext, 'readConfig' | 'homeOf'>, work: (vault: Vault) => Promise<R>): Promise<R> {
  const config = context.readConfig();
  const keys = findKeys(config, context.homeOf(config), fileOfSetting('LEOFLOW_SECRET_KEYS'));
  keys.read();
  return withOwnDatabase(context, (database) => work({ database, keys }));
}
