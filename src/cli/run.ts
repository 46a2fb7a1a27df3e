// `leoflow run PATH`: one DAG once, without a server. Exit code 0 only when the run succeeded.
import { Command } from 'commander';
import { rmSync } from 'node:fs';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { conditionOf } from '#core/asset-condition.ts';
import { msOf, wallMs } from '#platform/clock.ts';
import { suggest } from '#platform/config.ts';
import { ensureHome, makeOwnFolder } from './home-folder.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { renderProblem } from '#compile/compiled.ts';
import { compileFiles } from './compile-files.ts';
import type { OpenEngine } from './engine-port.ts';
import { type LocalContext, screenOf } from './local-context.ts';
import { findPython } from './python-command.ts';
import { printOutcome, runOnce } from './run-once.ts';
import { listRunXComs } from '#store/run-view.ts';

interface Options { dag?: string; conf?: string; params?: string; date?: string; json?: boolean }

/** The command. */
export function runCommand(context: LocalContext): Command {
  return new Command('run').description('Run one DAG once, without a server.').argument('<path>', 'DAG file, or a folder of them')
    .option('--dag <id>', 'which DAG, when the path holds several').option('--conf <json>', 'run configuration, a JSON object: values of params').option('--params <json>', 'the same as --conf').option('--date <date>', 'logical date (ISO 8601, UTC when it names no offset); now unless said, none for a run without one')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  leoflow run etl.py --conf \'{"day": "2026-01-01"}\'\n')
    .action((path: string, options: Options) => run(context, path, options));
}

async function run(context: LocalContext, path: string, options: Options): Promise<void> {
  const conf = parseConf(options.params ?? options.conf);
  const logicalDate = readDate(options.date);
  const config = context.readConfig();
  const home = ensureHome(context.homeOf(config));
  const python = await findPython(config, home, context.err);
  const compiled = await compileFiles(path, { config, python, say: context.err }, { deterministic: false, strict: false });
  for (const warning of compiled.warnings) context.err(`warning: ${renderProblem(warning)}\n`);
  const chosen = chooseDag(compiled.dags, options.dag, compiled.problems.map(renderProblem));
  const own = makeOwnFolder(home);
  const engine = await context.openEngine({ config, home: own, store: 'throwaway', followsSchedules: false, python, writeLog: () => undefined });
  try {
    for (const other of compiled.dags) if (other !== chosen && namesAssets(other.dag)) await engine.register(other, { bundle: 'run', active: true, parseMs: null });
    await execute(context, engine, { chosen, conf, logicalDate, json: options.json === true });
  } finally {
    await engine.stop({ endExecutions: true });
    rmSync(own, { recursive: true, force: true });
  }
}

async function execute(context: LocalContext, engine: OpenEngine, what: { chosen: CompiledDag; conf: Readonly<Record<string, unknown>>; logicalDate: number | null; json: boolean }): Promise<void> {
  await engine.register(what.chosen, { bundle: 'run', active: true, parseMs: null });
  const screen = screenOf(context, what.json);
  const outcome = await runOnce(engine, { dag: what.chosen.dag, conf: what.conf, logicalDate: what.logicalDate, signal: context.stop }, screen);
  if (what.json) context.out(`${JSON.stringify({ dag_id: outcome.dag.dag_id, run_id: outcome.runId, state: outcome.view.state, start_ms: outcome.view.startMs, end_ms: outcome.view.endMs, task_instances: outcome.view.instances, xcoms: await listRunXComs(engine.database, outcome.run, 10_000) }, null, 2)}\n`);
  else await printOutcome(engine, outcome, screen);
  await engine.untilCalledBack(context.stop);
  if (outcome.view.state !== 'success') throw new AppError('run_failed', `the run of ${outcome.dag.dag_id} ${outcome.view.state}`);
}

/** Tasks of one DAG may look at the assets of another in the same file. */
function namesAssets({ tasks, timetable }: Dag): boolean {
  return conditionOf(timetable) !== null || tasks.some((task) => task.inlets !== undefined || task.outlets !== undefined);
}

/** The one DAG that is meant. A file with problems is refused only when the DAG asked for is not there. Throws `usage`, `invalid_dag` or `not_found`. */
export function chooseDag(dags: readonly CompiledDag[], wanted: string | undefined, problems: readonly string[]): CompiledDag {
  const ids = dags.map((one) => one.dag.dag_id);
  const [only] = dags;
  if (wanted === undefined && dags.length === 1 && only !== undefined && problems.length === 0) return only;
  const found = dags.find((one) => one.dag.dag_id === wanted);
  if (found !== undefined) return found;
  if (problems.length > 0) throw new AppError('invalid_dag', problems.join('\n'));
  if (wanted === undefined && dags.length > 1) throw new AppError('usage', `there are ${dags.length} DAGs: ${ids.join(', ')}`, { hint: 'Choose one with --dag ID.' });
  throw new AppError('not_found', wanted === undefined ? 'there is no DAG in this file' : `there is no DAG ${wanted}${suggest(wanted, ids)}`, { hint: ids.length > 0 ? `It holds: ${ids.join(', ')}.` : 'Does the file call its @dag function?' });
}

/** `--conf` as an object. Throws `invalid_json`. */
export function parseConf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_json', `--conf is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new AppError('invalid_json', '--conf must be a JSON object, such as {"key": 1}');
  return value as Readonly<Record<string, unknown>>;
}

/** `--date` of a command that starts a run: now unless said, as Airflow's interface has it; null for `none`. */
export function readDate(text: string | undefined): number | null {
  return text === 'none' ? null : (parseDate(text) ?? wallMs());
}

/** `--date` as epoch ms; a date without offset is UTC. Throws `usage`. */
export function parseDate(text: string | undefined): number | null {
  if (text === undefined) return null;
  const full = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : /(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`;
  try {
    return msOf(full);
  } catch (cause) {
    throw new AppError('usage', `--date ${text} is no date`, { cause, hint: 'Write it as 2026-01-31 or 2026-01-31T06:00:00+01:00.' });
  }
}
