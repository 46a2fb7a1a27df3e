// `leoflow demo`: real Airflow DAG files from the released wheel, compiled, run and shown, with one of ours beside them.
import { Command } from 'commander';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { renderProblem } from '#compile/compiled.ts';
import { run } from '#platform/exec.ts';
import { compileFiles } from './compile-files.ts';
import { ensureHome, makeOwnFolder } from './home-folder.ts';
import { type LocalContext, screenOf } from './local-context.ts';
import { findPython } from './python-command.ts';
import { printOutcome, runOnce } from './run-once.ts';
import { paint } from './run-view.ts';

const WHEEL = 'apache-airflow-core==3.2.1';
const FROM_WHEEL = ['tutorial_taskflow_api.py', 'example_dynamic_task_mapping.py'];
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'demo');

/** The command. */
export function demoCommand(context: LocalContext): Command {
  return new Command('demo').description('Watch real Airflow DAG files being compiled, registered, run and inspected.')
    .addHelpText('after', '\nIt downloads one wheel (4.7 MB) with pip; without a network it uses small DAG files of its own and says so.\n')
    .action(() => demo(context));
}

async function demo(context: LocalContext): Promise<void> {
  const config = context.readConfig();
  const home = ensureHome(context.homeOf(config));
  const python = await findPython(config, home, context.err);
  const own = makeOwnFolder(home);
  const folder = join(own, 'dags');
  mkdirSync(folder);
  try {
    await collectFiles(context, { python, cache: join(home, 'demo'), folder });
    await runAll(context, { own, folder, python });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function runAll(context: LocalContext, place: { own: string; folder: string; python: string }): Promise<void> {
  const config = context.readConfig();
  const screen = screenOf(context);
  const compiled = await compileFiles(place.folder, { config, python: place.python }, { deterministic: true, strict: false });
  if (compiled.problems.length > 0) throw new AppError('invalid_dag', compiled.problems.map(renderProblem).join('\n'));
  context.out(`compiled    ${compiled.files.length} files → ${compiled.dags.length} DAGs, ${compiled.dags.reduce((sum, one) => sum + one.dag.tasks.length, 0)} tasks\n`);
  const engine = await context.openEngine({ config, home: place.own, store: 'throwaway', followsSchedules: false, python: place.python, writeLog: () => undefined });
  try {
    const failed: string[] = [];
    for (const one of compiled.dags) {
      const registered = await engine.register(one, { bundle: 'demo', active: true, parseMs: null });
      context.out(`\n${paint('──', 90, context.coloured)} ${one.dag.fileloc}: ${one.dag.dag_id}, version ${registered.number} registered\n`);
      const outcome = await runOnce(engine, { dag: one.dag, conf: {}, logicalDate: null, signal: context.stop }, screen);
      await printOutcome(engine, outcome, screen);
      if (outcome.view.state !== 'success') failed.push(one.dag.dag_id);
    }
    if (failed.length > 0) throw new AppError('run_failed', `these runs failed: ${failed.join(', ')}`);
  } finally {
    await engine.stop({ endExecutions: true });
  }
  context.out(HOW_TO_GO_ON);
}

const HOW_TO_GO_ON = `
How to go on
  bin/leoflow run examples/demo/branch_retry_join.py     run one DAG once, without a server
  bin/leoflow lite examples/demo                         server, scheduler and API for a folder of DAG files
  bin/leoflow --help                                     everything else
`;

/** The wheel's files, byte for byte, plus ours; ours alone when the wheel cannot be had. */
async function collectFiles(context: LocalContext, place: { python: string; cache: string; folder: string }): Promise<void> {
  const wheel = await findWheel(context, place);
  const extracted = wheel === null ? false : await extract(context, { ...place, wheel });
  for (const name of readdirSync(EXAMPLES).filter((file) => file.endsWith('.py') && (!extracted || !file.startsWith('offline_')))) copyFileSync(join(EXAMPLES, name), join(place.folder, name));
}

async function findWheel(context: LocalContext, place: { python: string; cache: string }): Promise<string | null> {
  mkdirSync(place.cache, { recursive: true });
  const cached = readdirSync(place.cache).find((name) => name.endsWith('.whl'));
  if (cached !== undefined) return join(place.cache, cached);
  context.err(`downloading ${WHEEL} (4.7 MB) for its example DAGs …\n`);
  const done = await run(place.python, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', place.cache, WHEEL], { timeoutMs: 120_000, signal: context.stop });
  const found = readdirSync(place.cache).find((name) => name.endsWith('.whl'));
  if (done.status === 0 && found !== undefined) return join(place.cache, found);
  context.err(`no network: ${WHEEL} could not be downloaded, so the demo uses small DAG files of its own.\n`);
  return null;
}

const UNPACK = 'import sys, zipfile\nwheel, folder, *names = sys.argv[1:]\nwith zipfile.ZipFile(wheel) as z:\n    for name in names:\n        open(f"{folder}/{name}", "wb").write(z.read(f"airflow/example_dags/{name}"))\n';

async function extract(context: LocalContext, place: { python: string; wheel: string; folder: string }): Promise<boolean> {
  const done = await run(place.python, ['-c', UNPACK, place.wheel, place.folder, ...FROM_WHEEL], { timeoutMs: 30_000 });
  if (done.status !== 0 || !existsSync(join(place.folder, FROM_WHEEL[0] ?? ''))) {
    context.err('the wheel could not be read, so the demo uses small DAG files of its own.\n');
    return false;
  }
  for (const name of FROM_WHEEL) {
    const digest = createHash('sha256').update(readFileSync(join(place.folder, name))).digest('hex');
    context.out(`from the wheel  ${name}  sha256 ${digest.slice(0, 16)}…  (byte-identical to ${WHEEL})\n`);
  }
  return true;
}
