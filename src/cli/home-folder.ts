// The home folder of a command: made when missing, refused when it cannot be used.
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';

/** Makes the folder. Throws `invalid_config` when it cannot be made or written. */
export function ensureHome(home: string): string {
  try {
    mkdirSync(home, { recursive: true, mode: 0o755 });
    accessSync(home, constants.W_OK);
    return home;
  } catch (cause) {
    throw new AppError('invalid_config', `the home folder ${home} cannot be used`, { cause, hint: 'Set LEOFLOW_HOME to a folder you may write.' });
  }
}

/** A folder of this command's own below the home folder. Others may enter it, since PostgreSQL runs as another user when we are root. */
export function makeOwnFolder(home: string): string {
  const folder = mkdtempSync(join(home, 'r'));
  chmodSync(folder, 0o711);
  return folder;
}
