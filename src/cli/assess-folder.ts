// Assesses the files of a folder: reads what they import, compiles each, and finds folders near by that their modules lie in.
import { existsSync, globSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Config, LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { type Assessment, assessFile, type FileEvidence, type ImportNeed } from '#core/assess-file.ts';
import { userEnvironment } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import type { CompileProblem } from '#compile/compiled.ts';
import { DagFolderScan } from '#compile/find-dag-files.ts';
import { isPackagedDag } from '#compile/packaged-dags.ts';
import { refusePackaged } from './compile-files.ts';
import { ProjectCompiler } from './project-compiler.ts';

/** One file with its verdict and the ids of its DAGs. */
export interface AssessedFile extends Assessment { readonly file: string; readonly dags: readonly string[] }

/** `importPaths`: folders that modules of the files were found in, beside `root`, and that a leoflow.yaml has to name. */
export interface AssessedFolder { readonly root: string; readonly importPaths: readonly string[]; readonly rows: readonly AssessedFile[] }

/** `python` is an interpreter's path; `onFile` hears of each file before it is compiled, and may throw. */
export interface AssessTools { readonly config: Config; readonly python: string; readonly say: (text: string) => void; readonly onFile: (file: string, done: number, all: number) => void }

interface FileText { readonly path: string; readonly needs?: readonly ImportNeed[]; readonly definesOnly?: boolean; readonly broken?: { readonly line: number; readonly message: string } }

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');
const PARALLEL = 2;
const SCAN_MS = 120_000;
/** Whole environments lie there: what they hold is no part of a project. */
const FOREIGN = new Set(['site-packages', 'dist-packages']);

/** Every DAG file of a folder, or one file, sorted. Throws `file_unreadable` when there is none. */
export async function assessFolder(dir: string, tools: AssessTools): Promise<AssessedFolder> {
  const full = resolve(dir);
  if (!existsSync(full)) throw new AppError('file_unreadable', `${dir} does not exist`);
  const isFolder = statSync(full).isDirectory();
  const root = isFolder ? full : dirname(full);
  if (!isFolder && isPackagedDag(full)) refusePackaged(dir);
  const scan = isFolder ? new DagFolderScan(full) : null;
  const files = (scan?.find() ?? [basename(full)]).filter((file) => file.endsWith('.py'));
  const packaged = (scan?.findPackaged() ?? []).map(packagedRow);
  if (files.length + packaged.length === 0) throw new AppError('file_unreadable', `no Python DAG file below ${dir}`);
  const bare = files.length === 0 ? new Map<string, FileText>() : await readTexts(tools.python, { root, importPaths: [] }, files);
  const importPaths = findImportPaths(root, bare);
  const texts = importPaths.length === 0 ? bare : await readTexts(tools.python, { root, importPaths }, files);
  const compiler = new ProjectCompiler(root, { config: tools.config, python: tools.python, say: tools.say, importPaths });
  const rows = await assessAll(files, async (file, done) => {
    tools.onFile(file, done, files.length);
    return { file, ...(await assessOne(compiler, file, texts.get(file))) };
  });
  return { root, importPaths, rows: [...rows, ...packaged].sort(byFile) };
}

function packagedRow({ file, message, hint }: CompileProblem): AssessedFile {
  return { file, verdict: 'cannot', why: `${message}. ${hint ?? ''}`, what: [], dags: [] };
}

function byFile(a: AssessedFile, b: AssessedFile): number {
  return a.file < b.file ? -1 : 1;
}

async function assessAll(files: readonly string[], one: (file: string, done: number) => Promise<AssessedFile>): Promise<readonly AssessedFile[]> {
  const rows: AssessedFile[] = [];
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) rows.push(await one(file, rows.length));
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return rows;
}

async function assessOne(compiler: ProjectCompiler, file: string, text: FileText | undefined): Promise<Omit<AssessedFile, 'file'>> {
  if (text?.broken !== undefined) return { verdict: 'cannot', why: `line ${text.broken.line}: ${text.broken.message}`, what: [], dags: [] };
  const compiled = await compiler.compile(file);
  const dags = compiled.dags.map((one) => one.dag.dag_id);
  const evidence: FileEvidence = { dags, problems: compiled.problems.map(({ kind, line, message }) => ({ kind: kind ?? null, line, message })), needs: text?.needs ?? [], definesOnly: text?.definesOnly === true };
  return { ...assessFile(evidence), dags };
}

/** Folders near the DAG files that hold modules which are missing otherwise, where Airflow projects keep them: the repository, plugins, include. */
function findImportPaths(root: string, imports: ReadonlyMap<string, FileText>): readonly string[] {
  const missing = new Set([...imports.values()].flatMap((file) => file.needs ?? []).filter((need) => need.needs === 'package').map((need) => need.what));
  const above = [root, dirname(root), dirname(dirname(root))].filter((folder) => !FOREIGN.has(basename(folder)));
  const candidates = above.flatMap((folder) => [folder, join(folder, 'plugins'), join(folder, 'include'), join(folder, 'src'), join(folder, 'dags')]);
  const found: string[] = [];
  for (const folder of candidates) {
    const held = [...missing].filter((name) => existsSync(join(folder, `${name}.py`)) || existsSync(join(folder, name, '__init__.py')) || globSync(join(folder, name, '{*,*/*}.py')).length > 0);
    if (held.length > 0) found.push(folder);
    for (const name of held) missing.delete(name);
  }
  return found;
}

async function readTexts(python: string, place: { readonly root: string; readonly importPaths: readonly string[] }, files: readonly string[]): Promise<ReadonlyMap<string, FileText>> {
  const done = await run(python, ['-m', 'leoflow.assess', place.root, ...place.importPaths], { cwd: PYTHON_FOLDER, timeoutMs: SCAN_MS, maxOutputBytes: LIMITS.maxParseOutputBytes, input: `${files.join('\n')}\n`, env: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER } });
  if (done.timedOut) throw new AppError('usage', `reading what ${files.length} files import took longer than ${SCAN_MS / 1000} s`, { hint: 'Assess the folders below it one by one.' });
  if (done.status !== 0) throw new AppError('bug', `reading imports failed: ${done.stderr.trim().split('\n').at(-1) ?? ''}`);
  return new Map((JSON.parse(done.stdout) as FileText[]).map((one) => [one.path, one]));
}
