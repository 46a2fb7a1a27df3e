// `leoflow assess` beside what then happens: `make prove-assess`, or `prove.ts [--run] FOLDER…` for folders of DAG files of others.
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type AssessedFile, type AssessedFolder, assessFolder } from '#cli/assess-folder.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { ProjectCompiler } from '#cli/project-compiler.ts';
import { findPython } from '#cli/python-command.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { installAirflow } from '../../../bench/airflow/install.ts';
import { PYTHON } from '../timetables/python.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { evidenceOf, findContradiction } from './compare.ts';
import { KNOWN } from './known.ts';
import { askAirflow, load, play, type Played } from './reality.ts';

const LIMIT_MS = 75_000;
const { values, positionals } = parseArgs({ allowPositionals: true, options: { run: { type: 'boolean' } } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'airflow-3.2.1', 'example-dags.json'), 'utf8')) as Record<string, { readonly run: string }>;

interface Tools { readonly config: ReturnType<typeof readConfig>; readonly python: string; readonly airflow: string; readonly engine: OpenEngine | null }

/** The examples of Airflow, beside nothing: what lies around them in its environment is no project. */
function copyExamples(airflow: string, into: string): string {
  const wheel = process.env['LEOFLOW_TEST_AIRFLOW_WHEEL'];
  const lib = join(dirname(airflow), 'lib');
  const folder = [...(wheel === undefined ? [] : [wheel]), ...['3.10', '3.11', '3.12', '3.13'].map((version) => join(lib, `python${version}`, 'site-packages'))].map((one) => join(one, 'airflow', 'example_dags')).find((one) => existsSync(one));
  if (folder === undefined) throw new Error('no example DAGs: set LEOFLOW_TEST_AIRFLOW_WHEEL');
  const target = join(into, 'examples', 'dags');
  cpSync(folder, target, { recursive: true, filter: (path) => basename(path) !== '__pycache__' });
  return target;
}

/** One line per contradiction, and the table of counts. */
async function proveFolder(folder: string, tools: Tools): Promise<number> {
  const assessed = await assessFolder(folder, { config: tools.config, python: tools.python, say: () => undefined, onFile: () => undefined });
  const answers = await askAirflow(tools.airflow, assessed, assessed.rows.map((row) => row.file));
  const found = new Map<string, string[]>();
  const note = (file: string, what: string | null): void => void (what === null ? undefined : found.set(file, [...(found.get(file) ?? []), what]));
  for (const row of assessed.rows) note(row.file, findContradiction(row, answers.get(row.file) ?? { dags: [], error: 'was not asked' }));
  const ends = await takeAll(assessed, tools, note);
  const evidence = assessed.rows.filter((row) => row.verdict === 'cannot').map((row) => evidenceOf(row, answers.get(row.file) ?? { dags: [], error: null }));
  return report(folder, { assessed, found, ends, evidence });
}

/** What the engine makes of the files that are said to run. @returns how many DAGs ended how */
async function takeAll(assessed: AssessedFolder, tools: Tools, note: (file: string, what: string | null) => void): Promise<ReadonlyMap<string, number>> {
  const compiler = new ProjectCompiler(assessed.root, { config: tools.config, python: tools.python, importPaths: assessed.importPaths });
  const ends = new Map<string, number>();
  const all: { readonly row: AssessedFile; readonly one: CompiledDag }[] = [];
  for (const row of assessed.rows.filter(({ verdict }) => verdict === 'runs')) {
    for (const one of (await compiler.compile(row.file)).dags) {
      note(row.file, await load(one, tools.python).then((why) => (why === null ? null : `${one.dag.dag_id} does not load from its version: ${why}`)));
      all.push({ row, one });
    }
  }
  if (tools.engine === null) return ends.set('loaded from their version', all.length);
  for (const { one } of all) await tools.engine.register(one, { bundle: 'assessed', active: true, parseMs: null });
  await Promise.all(all.map(async ({ row, one }) => {
    const played = tools.engine === null ? null : await play(tools.engine, one, LIMIT_MS);
    if (played === null) return;
    ends.set(played.state, (ends.get(played.state) ?? 0) + 1);
    if (played.state !== 'success') say(`  ${one.dag.dag_id}: ${played.state} ${played.reasons.join('; ').slice(0, 300)}`);
    note(row.file, findBrokenPromise(row, one.dag.dag_id, played));
  }));
  return ends;
}

/** A run may fail by what its tasks do, as Airflow recorded it or as they meet the world. Not by what is missing here. */
function findBrokenPromise(row: AssessedFile, dagId: string, played: Played): string | null {
  const expected = recorded[dagId]?.run;
  if (played.state === 'success' || played.state === expected || (played.state === 'waits' && expected === 'unfinished')) return null;
  if (played.reasons.some((reason) => row.what.some((what) => reason.includes(what)))) return null;
  const missing = played.reasons.find((reason) => /is not (covered|supported) by runtime leoflow|No module named/.test(reason));
  if (missing !== undefined) return `${dagId} fails by what the verdict does not name: ${missing}`;
  return expected === undefined ? null : `${dagId}: ${played.state}, Airflow recorded ${expected}`;
}

interface Proof { readonly assessed: AssessedFolder; readonly found: ReadonlyMap<string, readonly string[]>; readonly ends: ReadonlyMap<string, number>; readonly evidence: readonly string[] }

function report(folder: string, { assessed, found, ends, evidence }: Proof): number {
  say(`\n${folder}: ${assessed.rows.length} files${assessed.importPaths.length > 0 ? `, modules from ${assessed.importPaths.length} folders beside` : ''}`);
  let open = 0;
  for (const verdict of ['runs', 'packages', 'value', 'sdk', 'cannot', 'none'] as const) {
    const rows = assessed.rows.filter((row) => row.verdict === verdict);
    const against = rows.filter((row) => found.has(row.file));
    const known = against.filter((row) => KNOWN[basename(row.file)] !== undefined);
    open += against.length - known.length;
    if (rows.length > 0) say(`  ${verdict.padEnd(9)}${String(rows.length).padStart(4)} files, ${against.length - known.length} contradicted${known.length > 0 ? `, ${known.length} differ for a reason that is known` : ''}`);
    for (const row of against) say(`    ${row.file}: ${(found.get(row.file) ?? []).join('; ')}${known.includes(row) ? `\n      known: ${KNOWN[basename(row.file)]}` : ''}`);
  }
  if (evidence.length > 0) say(`  why it cannot run, at Airflow: ${[...new Set(evidence)].map((kind) => `${evidence.filter((one) => one === kind).length} ${kind}`).join(', ')}`);
  if (ends.size > 0) say(`  DAGs that run: ${[...ends].map(([state, count]) => `${count} ${state}`).join(', ')}`);
  return open;
}

async function prove(): Promise<number> {
  const airflow = await installAirflow({ python: PYTHON, say });
  if (airflow.kind === 'missing') {
    say(airflow.why);
    return 69;
  }
  const { path: place, remove } = temporaryFolder();
  const config = readConfig({ LEOFLOW_HOME: place, LEOFLOW_PARALLELISM: 16 }, {});
  const python = await findPython(config, place, () => undefined);
  const isOwn = positionals.length === 0;
  const engine = isOwn || values.run === true ? await openEngine({ config, home: join(place, 'home'), store: 'throwaway', python, writeLog: () => undefined }) : null;
  try {
    let open = 0;
    for (const folder of isOwn ? [copyExamples(airflow.bin, place)] : positionals) open += await proveFolder(resolve(folder), { config, python, airflow: airflow.bin, engine });
    say(`\n${open} contradictions`);
    return open === 0 ? 0 : 1;
  } finally {
    await engine?.stop({ endExecutions: true });
    remove();
  }
}

process.exitCode = await prove();
