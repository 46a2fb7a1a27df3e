// `leoflow assess DIR`: which files of an existing Airflow project run here as they are, which need more, and which cannot.
import { Command } from 'commander';
import { existsSync, globSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { LIMITS } from '#contract/config.ts';
import { type Assessment, assessFile, type FileEvidence, type ImportNeed, type Verdict } from '#core/assess-file.ts';
import { userEnvironment } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import { findDagFiles } from '#compile/find-dag-files.ts';
import { ensureHome } from './home-folder.ts';
import type { LocalContext } from './local-context.ts';
import { paint } from './run-view.ts';
import { renderJson, renderTable } from './output.ts';
import { ProjectCompiler } from './project-compiler.ts';
import { findPython } from './python-command.ts';

interface Row extends Assessment { readonly file: string; readonly dags: readonly string[] }
interface FileImports { readonly path: string; readonly needs?: readonly ImportNeed[]; readonly broken?: { readonly line: number; readonly message: string } }

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');
const PARALLEL = 2;
const SCAN_MS = 120_000;

const WORDS: Readonly<Record<Verdict, { readonly title: string; readonly colour: number; readonly sentence: string }>> = {
  runs: { title: 'runs', colour: 32, sentence: 'run as they are' },
  packages: { title: 'needs packages', colour: 33, sentence: 'run once their packages are in dependencies.python of leoflow.yaml' },
  value: { title: 'needs a value', colour: 33, sentence: 'read a variable or connection at import: set it (`leoflow variables set`), or move the read into a task' },
  sdk: { title: 'needs the SDK', colour: 33, sentence: 'need the real Task SDK with the providers named, which this version does not run yet; or a @task that calls the library itself' },
  cannot: { title: 'cannot run', colour: 31, sentence: 'cannot run as they are written' },
  none: { title: 'no DAG', colour: 90, sentence: 'hold no DAG' },
};

/** The command. It executes the files' top level, as any parser of DAG files does, and runs no task. */
export function assessCommand(context: LocalContext): Command {
  return new Command('assess').description('Say which files of an existing Airflow project run here, which need more, and which cannot and why.')
    .argument('<dir>', 'folder of DAG files, or one file').option('--json', 'print JSON').option('--only <verdict>', `only files with this verdict: ${Object.keys(WORDS).join(', ')}`)
    .addHelpText('after', '\nThe top level of each file is executed, as Airflow would; no task runs and nothing is changed.\n\nExample:\n  leoflow assess ~/airflow/dags\n')
    .action((dir: string, options: { json?: boolean; only?: string }) => assess(context, dir, options));
}

async function assess(context: LocalContext, dir: string, options: { readonly json?: boolean; readonly only?: string }): Promise<void> {
  const full = resolve(dir);
  if (!existsSync(full)) throw new AppError('file_unreadable', `${dir} does not exist`);
  if (options.only !== undefined && !(options.only in WORDS)) throw new AppError('usage', `--only ${options.only}: expected one of ${Object.keys(WORDS).join(', ')}`);
  const isFolder = statSync(full).isDirectory();
  const root = isFolder ? full : dirname(full);
  const files = (isFolder ? findDagFiles(full) : [basename(full)]).filter((file) => file.endsWith('.py'));
  if (files.length === 0) throw new AppError('file_unreadable', `no Python DAG file below ${dir}`);
  const config = context.readConfig();
  const python = await findPython(config, ensureHome(context.homeOf(config)), context.err);
  const bare = await readImports(python, { root, importPaths: [] }, files);
  const importPaths = findImportPaths(root, bare);
  const imports = importPaths.length === 0 ? bare : await readImports(python, { root, importPaths }, files);
  const compiler = new ProjectCompiler(root, { config, python, say: context.err, importPaths });
  const rows = await assessAll(files, async (file, done) => {
    if (context.errIsTerminal) context.err(`\r\u001b[K${done} of ${files.length}  ${file}`);
    if (context.stop.aborted) throw new AppError('interrupted', 'interrupted');
    return { file, ...(await assessOne(compiler, file, imports.get(file))) };
  });
  if (context.errIsTerminal) context.err('\r\u001b[K');
  const shown = rows.filter((row) => options.only === undefined || row.verdict === options.only);
  if (options.json === true) return context.out(renderJson(shown));
  print(context, shown);
  if (importPaths.length > 0) context.out(`\nassessed with import_paths: [${importPaths.map((path) => relative(root, path) || '.').join(', ')}] in ${join(dir, 'leoflow.yaml')}; write that there, or these modules are missing\n`);
}

async function assessAll(files: readonly string[], one: (file: string, done: number) => Promise<Row>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) rows.push(await one(file, rows.length));
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return rows.sort((a, b) => (a.file < b.file ? -1 : 1));
}

async function assessOne(compiler: ProjectCompiler, file: string, imports: FileImports | undefined): Promise<Omit<Row, 'file'>> {
  if (imports?.broken !== undefined) return { verdict: 'cannot', why: `line ${imports.broken.line}: ${imports.broken.message}`, what: [], dags: [] };
  const compiled = await compiler.compile(file);
  const dags = compiled.dags.map((one) => one.dag.dag_id);
  const evidence: FileEvidence = { dags, problems: compiled.problems.map(({ kind, line, message }) => ({ kind: kind ?? null, line, message })), needs: imports?.needs ?? [] };
  return { ...assessFile(evidence), dags };
}

/** Folders near the DAG files that hold modules which are missing otherwise, where Airflow projects keep them: the repository, plugins, include. */
function findImportPaths(root: string, imports: ReadonlyMap<string, FileImports>): readonly string[] {
  const missing = new Set([...imports.values()].flatMap((file) => file.needs ?? []).filter((need) => need.needs === 'package').map((need) => need.what));
  const above = [root, dirname(root), dirname(dirname(root))];
  const candidates = above.flatMap((folder) => [folder, join(folder, 'plugins'), join(folder, 'include'), join(folder, 'src'), join(folder, 'dags')]);
  const found: string[] = [];
  for (const folder of candidates) {
    const held = [...missing].filter((name) => existsSync(join(folder, `${name}.py`)) || existsSync(join(folder, name, '__init__.py')) || globSync(join(folder, name, '{*,*/*}.py')).length > 0);
    if (held.length > 0) found.push(folder);
    for (const name of held) missing.delete(name);
  }
  return found;
}

async function readImports(python: string, place: { readonly root: string; readonly importPaths: readonly string[] }, files: readonly string[]): Promise<ReadonlyMap<string, FileImports>> {
  const done = await run(python, ['-m', 'leoflow.assess', place.root, ...place.importPaths], { timeoutMs: SCAN_MS, maxOutputBytes: LIMITS.maxParseOutputBytes, input: `${files.join('\n')}\n`, env: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER } });
  if (done.status !== 0) throw new AppError('bug', `reading imports failed: ${done.stderr.trim().split('\n').at(-1) ?? ''}`);
  return new Map((JSON.parse(done.stdout) as FileImports[]).map((one) => [one.path, one]));
}

function print(context: LocalContext, rows: readonly Row[]): void {
  if (rows.length > 0) {
    context.out(renderTable(['FILE', 'VERDICT', 'DAGS', 'WHY'], rows.map(({ file, verdict, dags, why }) => [file, paint(WORDS[verdict].title, WORDS[verdict].colour, context.coloured), dags.length, why])));
    context.out('\n');
  }
  for (const verdict of Object.keys(WORDS) as Verdict[]) {
    const found = rows.filter((row) => row.verdict === verdict);
    if (found.length === 0) continue;
    const dags = found.reduce((sum, row) => sum + row.dags.length, 0);
    context.out(`${String(found.length).padStart(5)} file${found.length === 1 ? ' ' : 's'} ${WORDS[verdict].sentence}${verdict === 'runs' ? ` (${dags} DAGs)` : ''}\n`);
  }
  const wanted = new Map<string, number>();
  for (const row of rows.filter((one) => one.verdict === 'sdk' || one.verdict === 'packages')) for (const what of row.what) wanted.set(what, (wanted.get(what) ?? 0) + 1);
  const most = [...wanted].sort(([a, one], [b, two]) => two - one || (a < b ? -1 : 1)).slice(0, 10);
  if (most.length > 0) context.out(`\nmost wanted: ${most.map(([what, count]) => `${what} (${count})`).join(', ')}\n`);
}
