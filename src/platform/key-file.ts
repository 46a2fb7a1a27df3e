// Where the keys of stored secrets come from: a setting, or a file that is read again when it changed.
import { chmodSync, chownSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { type KeyRing, keyOf, parseKeys, type SecretKey } from './secret-box.ts';

/** The keys as they are now. */
export interface KeySource {
  /**
   * Throws `invalid_config` when the file cannot be read, is no list of keys, or is the home folder's own and open to others; one that LEOFLOW_SECRET_KEYS_FILE names may be open to a group.
   * A file that goes away after it was read is no failure: what it held is still right.
   */
  read(): KeyRing;
  /** The file that rotation changes; null when the keys stand in the setting itself. */
  readonly file: string | null;
}

const HEAD = '# Keys of Leoflow’s variables and connections. The first encrypts, all decrypt. Whoever loses this file loses them; keep a copy apart from the database’s backups.\n';

/**
 * The keys of LEOFLOW_SECRET_KEYS, of the file that LEOFLOW_SECRET_KEYS_FILE names, else of `keys/secrets.keys` in the home folder, which is made when first asked for.
 * @param givenFile what LEOFLOW_SECRET_KEYS_FILE names
 */
export function openKeys(config: Pick<Config, 'LEOFLOW_SECRET_KEYS'>, home: string, givenFile: string | null): KeySource {
  return keysOf(config, { home, givenFile }, makeKeyFile);
}

/** The same for who only looks: a file that is lost is never replaced by one that opens nothing. */
export function findKeys(config: Pick<Config, 'LEOFLOW_SECRET_KEYS'>, home: string, givenFile: string | null): KeySource {
  return keysOf(config, { home, givenFile }, () => undefined);
}

function keysOf(config: Pick<Config, 'LEOFLOW_SECRET_KEYS'>, { home, givenFile }: { readonly home: string; readonly givenFile: string | null }, make: (file: string) => void): KeySource {
  if (givenFile !== null) return fileSource(givenFile, () => undefined);
  if (config.LEOFLOW_SECRET_KEYS !== null) {
    const ring = parseKeys(config.LEOFLOW_SECRET_KEYS, 'LEOFLOW_SECRET_KEYS');
    return { read: () => ring, file: null };
  }
  const file = join(home, 'keys', 'secrets.keys');
  return fileSource(file, () => {
    make(file);
    refuseOpen(file);
  });
}

/** A ring that never changes. */
export function fixedKeys(ring: KeyRing): KeySource {
  return { read: () => ring, file: null };
}

/** @param prepare makes and checks the file before it is read */
function fileSource(file: string, prepare: () => void): KeySource {
  let seen = '';
  let ring: KeyRing | null = null;
  return {
    file,
    read() {
      const stamp = stampOf(file);
      // A file that went away under a running server: what it held is still right.
      if (ring !== null && (stamp === null || stamp === seen)) return ring;
      prepare();
      ring = parseKeys(readKeyFile(file), file);
      seen = stamp ?? stampOf(file) ?? '';
      return ring;
    },
  };
}

/** Another file, or another content: an atomic change makes a new inode. */
function stampOf(file: string): string | null {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.ino} ${stat.mtimeNs} ${stat.size} ${stat.mode}`;
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('invalid_config', `the key file ${file} cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, { cause, hint: 'Put it back from its backup: another one opens nothing that is encrypted already. A server makes one for a database that has none. See “The key is lost” in docs/guides/operations.md.' });
  }
}

/** Whoever comes first makes it, whole. */
function makeKeyFile(file: string): void {
  if (stampOf(file) !== null) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, `${HEAD}${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    chmodSync(temporary, 0o600);
    linkSync(temporary, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function refuseOpen(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  // Reading it says so.
  if (stat === undefined || stat.isDirectory()) return;
  const { mode } = stat;
  if ((mode & 0o077) !== 0) throw new AppError('invalid_config', `the key file ${file} may be read by others (mode ${(mode & 0o777).toString(8)})`, { hint: `Run: chmod 600 ${file}` });
}

/** Whole or not at all, for the same owner: a rotation by root must not lock the server out. Throws `invalid_config` when the place cannot be written. */
function replaceKeyFile(file: string, text: string): void {
  const { uid, gid, mode } = statSync(file);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: mode & 0o777, flush: true });
    if (process.getuid?.() === 0) chownSync(temporary, uid, gid);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new AppError('invalid_config', `the key file ${file} cannot be changed (${cause instanceof Error ? cause.message : String(cause)})`, { cause, hint: 'Change it where it comes from: put a new key (openssl rand -base64 32) behind the others on every server, then first, and run `leoflow keys rotate`.' });
  }
}

/** Puts a fresh key behind the others of a file, which readers see whole or not at all. @returns the new key */
export function addKey(file: string): SecretKey {
  const key = keyOf(randomBytes(32));
  arrangeKeys(file, (keys) => [...keys, key]);
  return key;
}

/** Puts a key of a file before the others. */
export function putKeyFirst(file: string, keyId: string): void {
  arrangeKeys(file, (keys) => [...keys.filter((key) => key.id === keyId), ...keys.filter((key) => key.id !== keyId)]);
}

/** Leaves only these keys in a file. */
export function keepKeys(file: string, keep: (key: SecretKey) => boolean): void {
  arrangeKeys(file, (keys) => keys.filter(keep));
}

/** Comments stay, above the keys. */
function arrangeKeys(file: string, arrange: (keys: readonly SecretKey[]) => readonly SecretKey[]): void {
  const text = readKeyFile(file);
  const comments = text.split('\n').filter((line) => line.trim().startsWith('#'));
  const keys = arrange(parseKeys(text, file).keys).map((key) => key.bytes.toString('base64'));
  if (keys.length === 0) throw new AppError('bug', `no key would be left in ${file}`);
  replaceKeyFile(file, `${[...comments, ...keys].join('\n')}\n`);
}
