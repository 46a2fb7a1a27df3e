// `leoflow doctor`: looks at everything a run needs and says what is missing and how to get it.
import { Command } from 'commander';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { fileOfSetting } from '#platform/config.ts';
import { isAlive, run } from '#platform/exec.ts';
import { findKeys } from '#platform/key-file.ts';
import { errorText } from '#platform/report.ts';
import { openDatabase, probeDatabase } from '#store/database.ts';
import { listMigrations } from '#store/migrate.ts';
import { examineRing } from '#store/secret-keys.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { findPython } from './python-command.ts';

interface Finding { readonly name: string; readonly state: 'ok' | 'note' | 'bad'; readonly text: string }

const LOW_DISK_BYTES = 1024 ** 3;

/** The command. Exit code 69 when something that is needed is missing. */
export function doctorCommand(context: LocalContext): Command {
  return new Command('doctor').description('Look at everything a run needs and say what is missing.').option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  leoflow doctor\n')
    .action(async (options: { json?: boolean }) => {
      const findings = await examine(context);
      if (options.json === true) context.out(`${JSON.stringify(findings, null, 2)}\n`);
      else for (const { name, state, text } of findings) context.out(`${{ ok: '✓', note: '·', bad: '✗' }[state]} ${name.padEnd(12)} ${text}\n`);
      const bad = findings.filter((finding) => finding.state === 'bad');
      if (bad.length > 0) throw new AppError('invalid_config', `${bad.length} of ${findings.length} checks failed: ${bad.map((finding) => finding.name).join(', ')}`, { hint: 'The lines marked ✗ say what to do.' });
    });
}

async function examine(context: LocalContext): Promise<Finding[]> {
  const major = Number(process.versions.node.split('.')[0]);
  const node: Finding = { name: 'node', state: major >= 24 ? 'ok' : 'bad', text: major >= 24 ? process.versions.node : `${process.versions.node}: Node 24 or newer is needed; run bin/leoflow, which brings its own` };
  let config: Config;
  try {
    config = context.readConfig();
  } catch (error) {
    return [node, { name: 'settings', state: 'bad', text: errorText(error) }];
  }
  const home = context.homeOf(config);
  return [
    node, { name: 'settings', state: 'ok', text: 'every LEOFLOW_* variable is known' }, checkHome(home), checkDisk(home), ...(await checkPython(context, config, home)),
    await checkDatabase(config), await checkKeys(config, home), ...(await checkValues(context, config)), checkServer(home),
  ];
}

function checkHome(home: string): Finding {
  try {
    ensureHome(home);
    accessSync(home, constants.W_OK);
    const socket = join(home, 'run', 'launcher.sock');
    if (socket.length > 100) return { name: 'home', state: 'bad', text: `${home} is too long for unix sockets: choose a shorter LEOFLOW_HOME` };
    return { name: 'home', state: 'ok', text: home };
  } catch (error) {
    return { name: 'home', state: 'bad', text: `${errorText(error)}. Set LEOFLOW_HOME to a folder you may write.` };
  }
}

function checkDisk(home: string): Finding {
  if (!existsSync(home)) return { name: 'disk', state: 'note', text: 'unknown' };
  const { bavail, bsize } = statfsSync(home);
  const free = bavail * bsize;
  return { name: 'disk', state: free < LOW_DISK_BYTES ? 'bad' : 'ok', text: `${(free / 1024 ** 3).toFixed(1)} GiB free${free < LOW_DISK_BYTES ? ': less than 1 GiB, free some space' : ''}` };
}

async function checkPython(context: LocalContext, config: Config, home: string): Promise<Finding[]> {
  try {
    const python = await findPython(config, home, context.err);
    const probe = await run(python, ['-c', 'import sys\nfound = []\nfor name in ("jinja2", "pendulum"):\n    try:\n        __import__(name)\n        found.append(name)\n    except ImportError:\n        pass\nprint(sys.version.split()[0], *found)'], { timeoutMs: 20_000 });
    const [version = '?', ...modules] = probe.stdout.trim().split(' ');
    const missing = ['jinja2', 'pendulum'].filter((name) => !modules.includes(name));
    return [
      { name: 'python', state: 'ok', text: `${version} (${python})` },
      missing.length === 0 ? { name: 'modules', state: 'ok', text: 'jinja2, pendulum' } : { name: 'modules', state: 'bad', text: `missing ${missing.join(', ')}: ${python} -m pip install ${missing.join(' ')}` },
    ];
  } catch (error) {
    return [{ name: 'python', state: 'bad', text: `${errorText(error)}. ${error instanceof AppError ? error.hint : ''}` }];
  }
}

async function checkDatabase(config: Config): Promise<Finding> {
  if (config.LEOFLOW_DATABASE_URL === null) return { name: 'database', state: 'ok', text: `embedded PostgreSQL (lite, run, demo); schema ${listMigrations().at(-1)?.name ?? 'none'}` };
  const database = openDatabase(config.LEOFLOW_DATABASE_URL);
  try {
    await probeDatabase(database);
    return { name: 'database', state: 'ok', text: 'LEOFLOW_DATABASE_URL answers' };
  } catch (error) {
    return { name: 'database', state: 'bad', text: `${errorText(error)}. ${error instanceof AppError ? error.hint : ''}` };
  } finally {
    await database.close();
  }
}

/** The embedded database is looked into by `leoflow keys check`, which starts it. */
async function checkKeys(config: Config, home: string): Promise<Finding> {
  const database = config.LEOFLOW_DATABASE_URL === null ? null : openDatabase(config.LEOFLOW_DATABASE_URL);
  try {
    const ring = findKeys(config, home, fileOfSetting('LEOFLOW_SECRET_KEYS')).read();
    const wrong = database === null ? null : await examineRing(database, ring);
    return wrong === null ? { name: 'keys', state: 'ok', text: `${ring.keys.length} for variables and connections, first ${ring.keys[0].id}` } : { name: 'keys', state: 'bad', text: `${wrong}. See \`leoflow keys check\`.` };
  } catch (error) {
    if (/relation .* does not exist/.test(errorText(error))) return { name: 'keys', state: 'note', text: 'the database has no tables yet; a server makes them when it starts' };
    return { name: 'keys', state: 'bad', text: `${errorText(error)}. ${error instanceof AppError ? error.hint : ''}` };
  } finally {
    await database?.close();
  }
}

async function checkValues(context: LocalContext, config: Config): Promise<Finding[]> {
  if (config.LEOFLOW_REDIS_URL === null) return [{ name: 'xcom', state: 'ok', text: 'values lie in PostgreSQL' }];
  const { refusal, warnings } = await context.examineRedis(config.LEOFLOW_REDIS_URL);
  if (refusal !== null) return [{ name: 'xcom', state: 'bad', text: `${refusal}; see Redis in docs/guides/operations.md` }];
  const notes = warnings.map((text): Finding => ({ name: 'xcom', state: 'note', text }));
  return [{ name: 'xcom', state: 'ok', text: 'LEOFLOW_REDIS_URL answers and drops nothing by itself' }, ...notes];
}

function checkServer(home: string): Finding {
  const file = join(home, 'server.json');
  if (!existsSync(file)) return { name: 'server', state: 'note', text: 'none runs in this home folder; start one with `leoflow lite DIR`' };
  const { url, pid } = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number };
  return isAlive(pid) ? { name: 'server', state: 'ok', text: `${url} (process ${pid})` } : { name: 'server', state: 'note', text: `one was killed; the next \`leoflow lite\` takes over what it left` };
}
