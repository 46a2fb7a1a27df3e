// `leoflow lite DIR`: store, server, scheduler and watcher for a folder of DAG files, on this machine, for one person.
import { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { callEvery } from '#platform/clock.ts';
import { isAlive } from '#platform/exec.ts';
import { hashPassword } from '#store/password-hashes.ts';
import { saveUser } from '#store/users.ts';
import { rootOf } from '#compile/project.ts';
import { DagFolder } from './dag-folder.ts';
import type { OpenEngine } from './engine-port.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';

interface Options { port?: string; home?: string }

/** The command. */
export function liteCommand(context: LocalContext): Command {
  return new Command('lite').description('Server, scheduler and API for a folder of DAG files; each file is registered again when it is saved.')
    .argument('<dir>', 'folder of DAG files').option('--port <n>', 'port on 127.0.0.1 (default 8088)').option('--home <folder>', 'where data, logs and the password are kept')
    .addHelpText('after', '\nExample:\n  leoflow lite dags/ --port 8088\n  curl -X POST http://127.0.0.1:8088/auth/token -d username=admin -d password=…\n')
    .action((dir: string, options: Options) => lite(context, dir, options));
}

async function lite(context: LocalContext, dir: string, options: Options): Promise<void> {
  const root = resolve(dir);
  if (!existsSync(root) || !statSync(root).isDirectory()) throw new AppError('file_unreadable', `${dir} is no folder`);
  // Wrong settings are said before anything is started.
  rootOf(root);
  const config = context.readConfig({ ...(options.port === undefined ? {} : { LEOFLOW_PORT: options.port }), ...(options.home === undefined ? {} : { LEOFLOW_HOME: resolve(options.home) }) });
  const home = ensureHome(context.homeOf(config));
  refuseSecond(home);
  const python = await findPython(config, home, context.err);
  mkdirSync(join(home, 'logs'), { recursive: true, mode: 0o700 });
  const logFile = join(home, 'logs', 'server.log');
  const engine = await context.openEngine({ config, home, store: 'embedded', python, writeLog: (line) => appendLog(logFile, line) });
  const folder = new DagFolder({ engine, config, python, root, say: context.err, secrets: engine.secrets });
  try {
    const password = await ensureAdmin(engine, { config, home });
    const served = await engine.serve({ host: '127.0.0.1', port: config.LEOFLOW_PORT });
    const stopTokens = await keepToken(home, () => served.makeToken(config.LEOFLOW_TOKEN_TTL_SECONDS), config);
    writeFileAtomic(join(home, 'server.json'), JSON.stringify({ url: served.url, pid: process.pid, dags: root }), 0o644);
    await folder.start();
    if (password !== null) context.err(`password of the user admin, kept in ${join(home, 'admin-password')}: ${password}\n`);
    context.out(`ready ${served.url}\n`);
    await untilStopped(context.stop);
    stopTokens();
    context.err('stopping …\n');
  } finally {
    await folder.stop();
    rmSync(join(home, 'server.json'), { force: true });
    await engine.stop({ endExecutions: true });
  }
}

/** One lite per home folder: two would watch, register and remove against each other. */
function refuseSecond(home: string): void {
  const path = join(home, 'server.json');
  if (!existsSync(path)) return;
  const { pid, url } = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; url: string };
  if (pid !== process.pid && isAlive(pid)) throw new AppError('conflict', `a server runs in this home folder already: ${url} (process ${pid})`, { hint: 'Stop it, or give this one another --home and --port.' });
}

/** A full disk must not end the server: its own log lines are dropped, the tasks' outcomes are not. */
function appendLog(path: string, line: string): void {
  try {
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
  } catch {
    // Nowhere to tell it.
  }
}

/** @returns the password when it was made now and must be shown once */
async function ensureAdmin(engine: OpenEngine, place: { config: Config; home: string }): Promise<string | null> {
  const path = join(place.home, 'admin-password');
  const given = place.config.LEOFLOW_ADMIN_PASSWORD;
  const kept = existsSync(path) ? readFileSync(path, 'utf8').trim() : null;
  const password = given ?? kept ?? randomBytes(12).toString('base64url');
  if (given === null && kept === null) writeFileAtomic(path, `${password}\n`, 0o600);
  await saveUser(engine.database, { username: 'admin', passwordHash: await hashPassword(password), role: 'admin' });
  return given === null && kept === null ? password : null;
}

/** A token for commands of the same user on this machine, renewed before it expires. @returns a function that ends the renewal */
async function keepToken(home: string, make: () => Promise<string>, config: Config): Promise<() => void> {
  const path = join(home, 'token');
  writeFileAtomic(path, await make(), 0o600);
  const callOff = callEvery(Math.min(config.LEOFLOW_TOKEN_TTL_SECONDS * 500, 3_600_000), () => void make().then((token) => writeFileAtomic(path, token, 0o600), () => undefined));
  return () => {
    callOff();
    rmSync(path, { force: true });
  };
}

/** Resolves when the process is told to end. */
export function untilStopped(stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    // The signal alone does not hold the process; this timer does.
    const stopHolding = holdProcess();
    const finish = (): void => {
      stopHolding();
      done();
    };
    if (stop.aborted) finish();
    else stop.addEventListener('abort', finish, { once: true });
  });
}

function holdProcess(): () => void {
  const never = new MessageChannel();
  never.port1.ref();
  never.port1.on('message', () => undefined);
  return () => never.port1.close();
}
