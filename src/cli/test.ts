// `leoflow test FILE [TASK]`: one task, or a whole DAG, in the foreground of this terminal. Nothing is kept.
import { Command } from 'commander';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { checkConf } from '#core/check-conf.ts';
import type { Instance } from '#core/run-snapshot.ts';
import type { TrialRun } from '#core/trial-run.ts';
import { msOf } from '#platform/clock.ts';
import { suggest } from '#platform/config.ts';
import { renderProblem } from '#compile/compiled.ts';
import { compileFiles } from './compile-files.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson } from './output.ts';
import { environmentOf } from './project-compiler.ts';
import { findPython } from './python-command.ts';
import { chooseDag } from './run.ts';
import { formatMs, paint, renderTree, renderXComs, type ViewedInstance, type ViewedXCom } from './run-view.ts';
import { Trial, type TriedInstance } from './trial.ts';
import { type GivenOptions, readGiven } from './trial-values.ts';

interface Options extends GivenOptions { readonly dag?: string; readonly mapIndex?: string; readonly debug?: boolean; readonly json?: boolean }

const more = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** The command. Exit code 1 when a task failed. */
export function testCommand(context: LocalContext): Command {
  return new Command('test').description('Run one task, or a DAG task by task, in this terminal: no server, nothing kept.')
    .argument('<file>', 'DAG file').argument('[task]', 'task to run; the whole DAG without it')
    .option('--dag <id>', 'which DAG, when the file holds several').option('--params <json>', 'values of params, a JSON object').option('--conf <json>', 'the same as --params').option('--date <date>', 'logical date; now unless said, none for a run without one')
    .option('--xcom <task=json>', 'what another task pushed, TASK=VALUE or TASK/KEY=VALUE (may be repeated)', more).option('--var <key=value>', 'a variable (may be repeated)', more)
    .option('--conn <id=uri>', 'a connection as URI or JSON (may be repeated)', more).option('--with <file>', 'YAML or JSON with params, date, xcoms, variables and connections')
    .option('--map-index <n>', 'one instance of a mapped task').option('--debug', 'stop in the task: pdb for Python; for TypeScript Node waits for an inspector on 127.0.0.1:9229 and stops at `debugger` and at breakpoints')
    .option('--json', 'print states and values as JSON; what tasks print goes to standard error')
    .addHelpText('after', `
Variables and connections that are not given are looked for in the environment (AIRFLOW_VAR_…, AIRFLOW_CONN_…).
Values given as options stand in the list of processes: put secrets into the file of --with.

Example:
  leoflow test etl.py load --xcom 'extract={"rows": 3}' --date 2026-01-31
`)
    .action((file: string, task: string | undefined, options: Options) => test(context, { file, task: task ?? null, options }));
}

async function test(context: LocalContext, { file, task, options }: { readonly file: string; readonly task: string | null; readonly options: Options }): Promise<void> {
  const given = readGiven(options);
  const config = context.readConfig();
  const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
  const secrets = { findVariable: (key: string) => Promise.resolve(given.findVariable(key)), findConnection: (id: string) => Promise.resolve(given.findConnection(id)) };
  const compiled = await compileFiles(file, { config, python, secrets, say: context.err }, { deterministic: false, strict: false });
  for (const warning of compiled.warnings) context.err(`warning: ${renderProblem(warning)}\n`);
  const chosen = chooseDag(compiled.dags, options.dag, compiled.problems.map(renderProblem));
  if (chosen.dag.runtime === 'airflow') {
    throw new AppError('unsupported', `${chosen.dag.dag_id} runs under the Task SDK (runtime airflow), which needs a server to speak to`, { hint: `Run the whole DAG on an engine that is thrown away: leoflow run ${file} --dag ${chosen.dag.dag_id}` });
  }
  const ids = chosen.dag.tasks.map((one) => one.task_id);
  if (task !== null && !ids.includes(task)) throw new AppError('not_found', `${chosen.dag.dag_id} has no task ${task}${suggest(task, ids)}`, { hint: `It has: ${ids.slice(0, 30).join(', ')}.` });
  const strangers = [...given.xcoms.keys()].map((name) => name.split('/')[0] ?? '').filter((id) => !ids.includes(id));
  if (strangers[0] !== undefined) throw new AppError('usage', `--xcom: ${chosen.dag.dag_id} has no task ${strangers[0]}${suggest(strangers[0], ids)}`);
  for (const name of Object.keys(given.conf).filter((one) => !(one in (chosen.dag.params ?? {})))) context.err(`warning: ${chosen.dag.dag_id} has no param ${name}${suggest(name, Object.keys(chosen.dag.params ?? {}))}\n`);
  const faults = checkConf(chosen.dag, given.conf);
  if (faults.length > 0) throw new AppError('invalid_value', faults.join('\n'), { hint: 'Pass the values with --params \'{"name": …}\'.' });
  const environment = await environmentOf(chosen, { config, python, say: context.err });
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-try-'));
  const shown: Shown = { ...context, line: options.json === true ? context.err : context.out, isJson: options.json === true };
  const trial = new Trial({
    chosen, root: compiled.root, folder, ...environment, given, debug: options.debug === true, isQuiet: options.json === true, xcomMaxBytes: config.LEOFLOW_XCOM_MAX_BYTES,
    startAgent: context.startAgent, say: context.err, stop: context.stop,
  });
  try {
    await trial.open();
    await (task === null ? tryDag(shown, trial) : tryTask(shown, trial, { task, mapIndex: mapIndexOf(options.mapIndex) }));
  } finally {
    await trial.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `line` takes what is said while tasks run. */
type Shown = Pick<LocalContext, 'out' | 'coloured'> & { readonly line: (text: string) => void; readonly isJson: boolean };

function mapIndexOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d+$/.test(text)) throw new AppError('usage', `--map-index ${text} is no number`);
  return Number(text);
}

async function tryTask(context: Shown, trial: Trial, what: { readonly task: string; readonly mapIndex: number | null }): Promise<void> {
  const tried = await trial.runTask(what.task, what.mapIndex, (one) => showEnd(context, one));
  if (context.isJson) printJson(context, { state: tried.some(({ report }) => report.outcome === 'failed') ? 'failed' : 'success', instances: tried.map(({ instance, report }) => ({ instance, state: report.outcome })), pushed: trial.pushed });
  const failed = tried.filter(({ report }) => report.outcome === 'failed');
  if (failed.length > 0) throw new AppError('run_failed', `${failed.length === 1 ? what.task : `${failed.length} of ${tried.length} instances of ${what.task}`} failed`);
}

async function tryDag(context: Shown, trial: Trial): Promise<void> {
  const times = new Map<Instance, { startMs: number; endMs: number }>();
  const run: TrialRun = await trial.runAll((tried) => {
    times.set(tried.instance, { startMs: msOf(tried.report.started_at), endMs: msOf(tried.report.ended_at) });
    showEnd(context, tried);
  });
  const viewed = run.instances.map((instance): ViewedInstance => ({
    taskId: instance.task.id, mapIndex: instance.mapIndex, state: instance.state, tryNumber: instance.tryNumber, reason: instance.reason, startMs: null, endMs: null, ...times.get(instance),
  }));
  const { dag } = run.run.graph;
  if (context.isJson) printJson(context, { state: run.state, instances: run.instances.map((instance) => ({ instance, state: instance.state })), pushed: trial.pushed });
  else context.out(`\n${paint(`${dag.dag_id}: ${run.state}`, run.state === 'success' ? 32 : 31, context.coloured)}\n${renderTree(dag, viewed, context.coloured).join('\n')}\n`);
  if (trial.pushed.length > 0 && !context.isJson) context.out(`  XComs\n${renderXComs(trial.pushed).join('\n')}\n`);
  if (run.state !== 'success') throw new AppError('run_failed', `the run of ${dag.dag_id} ${run.state === 'running' ? 'cannot go on' : run.state}`);
}

function printJson(context: Shown, ended: { readonly state: string; readonly instances: readonly { readonly instance: Instance; readonly state: string | null }[]; readonly pushed: readonly ViewedXCom[] }): void {
  context.out(renderJson({
    state: ended.state, task_instances: ended.instances.map(({ instance, state }) => ({ task_id: instance.task.id, map_index: instance.mapIndex, state, try_number: instance.tryNumber })),
    xcoms: ended.pushed.map(({ taskId, mapIndex, key, text }) => ({ task_id: taskId, map_index: mapIndex, key, value: JSON.parse(text) as unknown })),
  }));
}

/** One line per execution, and each value it pushed. */
function showEnd(context: Shown, { instance, report }: TriedInstance): void {
  const name = `${instance.task.id}${instance.mapIndex < 0 ? '' : `[${instance.mapIndex}]`}`;
  const isGood = report.outcome === 'success';
  const isRetried = instance.state === 'up_for_retry';
  const mark = isGood ? '✓' : report.outcome === 'failed' ? '✗' : '↷';
  const why = report.error === undefined ? '' : `  — ${report.error.type}: ${report.error.message.split('\n')[0]}`;
  context.line(`${paint(mark, isGood ? 32 : report.outcome === 'failed' ? 31 : 35, context.coloured)} ${name}  ${isRetried ? 'failed, another try follows' : report.outcome}  ${formatMs(msOf(report.ended_at) - msOf(report.started_at))}${instance.tryNumber > 1 ? `  try ${instance.tryNumber}` : ''}${why}\n`);
  const values = (report.xcoms ?? []).map(({ key, value }) => ({ taskId: instance.task.id, mapIndex: instance.mapIndex, key, text: value }));
  if (values.length > 0) context.line(`${renderXComs(values).join('\n')}\n`);
}
