// Runs the example DAGs of an installed Airflow under its own Task SDK on our engine, and holds each beside what Airflow recorded.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenEngine } from '#cli/engine-port.ts';
import { openParsers, ProjectCompiler } from '#cli/project-compiler.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { Config } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { checkConf } from '#core/check-conf.ts';
import { createRun } from '#store/dag-runs.ts';
import { findRunView, listRunXComs } from '#store/run-view.ts';

interface Recorded { readonly run: string; readonly tasks: Record<string, [string | null, number]>; readonly xcoms: Record<string, unknown> }

/** What became of one example. `differences` is empty when it ended as in Airflow; `apart` says why it is not compared. */
export interface ExampleRow {
  readonly dagId: string;
  readonly file: string;
  readonly tasks: number;
  readonly run: string;
  readonly airflow: string;
  /** How many task instances, and XComs of them, Airflow recorded: each has its equal here. */
  readonly compared: { readonly instances: number; readonly xcoms: number };
  readonly differences: readonly string[];
  readonly apart: string | null;
  /** Why only the numbers of task instances in each state are compared; null when each is. */
  readonly counted: string | null;
}

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'airflow-3.2.1', 'example-dags.json'), 'utf8')) as Record<string, Recorded>;

/** Outcomes that say nothing of the engine, each with its reason. */
const APART: Readonly<Record<string, string>> = {
  example_weekday_branch_operator: 'depends on the weekday', tutorial_objectstorage: 'needs the network', example_dag_decorator: 'needs the network', read_asset_event: 'whether the asset had an event before',
};
/** Which branch is taken is chance, or the time of day: as many task instances must end in each state. */
const COUNTED: Readonly<Record<string, string>> = {
  example_branch_datetime_operator: 'the time of day chooses the branch', example_branch_datetime_operator_2: 'the time of day chooses the branch', example_branch_datetime_operator_3: 'the time of day chooses the branch',
  example_branch_operator: 'chance chooses the branches', example_branch_python_operator_decorator: 'chance chooses the branches',
};
const AT_ONCE = 8;
const FINISHED = ['success', 'failed', 'skipped', 'upstream_failed', 'removed'];

/** Compiles every example file below a folder of its own. */
export async function compileExamples(place: string, { config, python }: { readonly config: Config; readonly python: string }): Promise<{ readonly dags: CompiledDag[]; readonly problems: string[] }> {
  const packages = execFileSync(python, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], { encoding: 'utf8' }).trim();
  const dags: CompiledDag[] = [];
  const problems: string[] = [];
  const parsers = openParsers(config);
  for (const [name, folder] of [['core', join(packages, 'airflow', 'example_dags')], ['standard', join(packages, 'airflow', 'providers', 'standard', 'example_dags')]] as const) {
    const root = join(place, name);
    mkdirSync(root, { recursive: true });
    // The recording had the standard provider's files without the folder of templates beside them: there, too, a task found none.
    const left = ['__pycache__', 'standard', ...(name === 'standard' ? ['sql'] : [])];
    cpSync(folder, root, { recursive: true, filter: (path) => !left.includes(basename(path)) });
    writeFileSync(join(root, 'leoflow.yaml'), 'runtime: airflow\n');
    const compiler = new ProjectCompiler(root, { config, python, parsers });
    for (const file of readdirSync(root).filter((one) => one.endsWith('.py') && one !== '__init__.py')) {
      const compiled = await compiler.compile(file);
      dags.push(...compiled.dags);
      problems.push(...compiled.problems.map((problem) => `${name}/${problem.file}: ${problem.message}`));
    }
  }
  await parsers.close();
  return { dags, problems };
}

/** Runs each DAG once, a few at a time, the slow ones first; one that is still waiting after `limitMs` is compared as far as it came. */
export async function runExamples(engine: OpenEngine, dags: readonly CompiledDag[], limitMs: number): Promise<ExampleRow[]> {
  // Two files give one URI two names; whose comes first is the asset, also in Airflow, where it was this one's.
  const comesFirst = ({ dag }: CompiledDag): number => (dag.fileloc === 'example_outlet_event_extra.py' ? 0 : 1);
  for (const one of [...dags].sort((a, b) => comesFirst(a) - comesFirst(b))) await engine.register(one, { bundle: 'examples', active: true, parseMs: null });
  const rows: ExampleRow[] = [];
  const isSlow = ({ dag }: CompiledDag): number => (recorded[dag.dag_id]?.run === 'unfinished' ? 0 : 1);
  const left = [...dags].sort((a, b) => isSlow(a) - isSlow(b));
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) rows.push(await runExample(engine, one, limitMs));
  }));
  return rows.sort((a, b) => (a.dagId < b.dagId ? -1 : 1));
}

async function runExample(engine: OpenEngine, { dag }: CompiledDag, limitMs: number): Promise<ExampleRow> {
  const expected = recorded[dag.dag_id] ?? null;
  const counted = COUNTED[dag.dag_id] ?? null;
  const row = { dagId: dag.dag_id, file: dag.fileloc, tasks: dag.tasks.length, airflow: expected?.run ?? 'not recorded', compared: sizeOf(expected), apart: APART[dag.dag_id] ?? null, counted };
  try {
    const ended = await play(engine, dag, limitMs);
    return { ...row, run: ended.run, differences: expected === null ? [] : (counted === null ? compareAll : compareCounts)(expected, ended) };
  } catch (error) {
    if (expected?.run === 'refused' && error instanceof AppError && error.code === 'invalid_value') return { ...row, run: 'refused', differences: [] };
    return { ...row, run: 'error', differences: [error instanceof Error ? error.message : String(error)] };
  }
}

function sizeOf(expected: Recorded | null): ExampleRow['compared'] {
  return expected === null ? { instances: 0, xcoms: 0 } : { instances: Object.keys(expected.tasks).length, xcoms: comparedXComs(expected).length };
}

function compareAll(expected: Recorded, ended: Ended): string[] {
  const isAsFar = expected.run === 'unfinished' || ended.run === expected.run;
  return [...(isAsFar ? [] : [`run ${ended.run}`]), ...compareTasks(expected, ended.tasks), ...compareXComs(expected, ended.xcoms)];
}

interface Ended { readonly run: string; readonly tasks: ReadonlyMap<string, [string | null, number]>; readonly xcoms: ReadonlyMap<string, string> }

/** Triggers a run and waits for its end, or as long as is waited for it. */
async function play(engine: OpenEngine, dag: Dag, limitMs: number): Promise<Ended> {
  const { database } = engine;
  const faults = checkConf(dag, {});
  if (faults.length > 0) throw new AppError('invalid_value', faults.join('\n'));
  const now = database.clock.nowMs();
  const created = await createRun(database, {
    dagId: dag.dag_id, runId: `manual__${dag.dag_id}`, runType: 'manual', logicalDate: null, interval: null, runAfter: now, conf: {}, triggeredBy: 'cli', user: null, note: null,
  });
  if (created.kind !== 'created') throw new Error(`the run could not be made: ${created.kind}`);
  const { id } = created.run;
  let view = await findRunView(database, id);
  for (const end = Date.now() + limitMs; Date.now() < end && view?.state !== 'success' && view?.state !== 'failed'; view = await findRunView(database, id)) await sleep(300);
  const xcoms = await listRunXComs(database, id, 10_000);
  return {
    run: view?.state ?? 'gone',
    tasks: new Map((view?.instances ?? []).map((one) => [`${one.taskId}[${one.mapIndex}]`, [one.state, one.tryNumber]])),
    xcoms: new Map(xcoms.map((one) => [`${one.taskId}[${one.mapIndex}].${one.key}`, one.text])),
  };
}

function compareCounts(expected: Recorded, ended: Ended): string[] {
  const [theirs, ours] = [Object.values(expected.tasks), [...ended.tasks.values()]].map((tasks) => tasks.map((one) => one.join(' on try ')).sort((a, b) => a.localeCompare(b)).join(', '));
  return [...(ended.run === expected.run ? [] : [`run ${ended.run}`]), ...(ours === theirs ? [] : [`${ours}; Airflow ${theirs}`])];
}

/** Of a run that was still waiting when it was recorded, what had ended then must have ended so. */
function compareTasks(expected: Recorded, found: ReadonlyMap<string, [string | null, number]>): string[] {
  const differences: string[] = [];
  for (const key of new Set([...Object.keys(expected.tasks), ...found.keys()])) {
    const theirs = expected.tasks[key];
    if (expected.run === 'unfinished' && (theirs === undefined || !FINISHED.includes(theirs[0] ?? ''))) continue;
    if (JSON.stringify(found.get(key)) !== JSON.stringify(theirs)) differences.push(`${key} ${JSON.stringify(found.get(key))}, Airflow ${JSON.stringify(theirs)}`);
  }
  return differences;
}

/** Those of a run that was still waiting hold times. What a task has chosen is the engine's own bookkeeping: its consequences are compared. */
function comparedXComs(expected: Recorded): [string, unknown][] {
  return expected.run === 'unfinished' ? [] : Object.entries(expected.xcoms).filter(([key]) => !key.endsWith('.skipmixin_key'));
}

function compareXComs(expected: Recorded, found: ReadonlyMap<string, string>): string[] {
  return comparedXComs(expected).flatMap(([key, value]) => {
    const ours = found.get(key);
    return ours !== undefined && sameValue(ours, value) ? [] : [`${key} = ${ours}, Airflow ${JSON.stringify(value)}`];
  });
}

/** Airflow's API shows values not deserialised: text stands for itself. */
function sameValue(ours: string, theirs: unknown): boolean {
  const value: unknown = JSON.parse(ours);
  return JSON.stringify(value) === JSON.stringify(theirs) || ours === theirs || String(value) === theirs;
}
