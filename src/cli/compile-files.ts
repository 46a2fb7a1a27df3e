// Files to compiled DAGs for the commands: one file or a folder, findings printed, refused files told apart from usable ones.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { asNote, type CompiledDag, type CompileProblem, isWithoutDag, renderProblem } from '#compile/compiled.ts';
import { DAG_FILE_HINT, DagFolderScan } from '#compile/find-dag-files.ts';
import { isPackagedDag, packagedDagProblem } from '#compile/packaged-dags.ts';
import { rootOf, unusedSettings } from '#compile/project.ts';
import { type CompileTools, openParsers, ProjectCompiler } from './project-compiler.ts';

/** `files` are relative to `root`, without what leoflow.yaml excludes. `dags` holds the usable ones even when others are refused: a DAG id is in it once. */
export interface CompiledFiles {
  readonly root: string;
  readonly files: readonly string[];
  readonly dags: readonly CompiledDag[];
  readonly problems: readonly CompileProblem[];
  readonly warnings: readonly CompileProblem[];
}

/** Resolves a path argument; `warnings` are about what is not read. Throws `file_unreadable` when there is nothing or nothing to compile. */
export function resolveDagPath(path: string): { root: string; prefix: string; files: string[]; warnings: CompileProblem[] } {
  const full = resolve(path);
  if (!existsSync(full)) throw new AppError('file_unreadable', `${path} does not exist`);
  const isFolder = statSync(full).isDirectory();
  const { root, prefix } = rootOf(isFolder ? full : dirname(full));
  if (!isFolder) {
    if (isPackagedDag(full)) refusePackaged(path);
    return { root, prefix, files: [`${prefix}${basename(full)}`], warnings: [] };
  }
  const scan = new DagFolderScan(full);
  const files = scan.find().map((file) => `${prefix}${file}`);
  const warnings = scan.findPackaged().map((one) => ({ ...one, file: `${prefix}${one.file}` }));
  if (files.length === 0) throw new AppError('file_unreadable', [`no DAG file below ${path}`, ...warnings.map(renderProblem)].join('\n'), { hint: DAG_FILE_HINT });
  return { root, prefix, files, warnings };
}

/** Throws `file_unreadable`: the file is a packaged DAG. */
export function refusePackaged(path: string): never {
  const { message, hint } = packagedDagProblem(path);
  throw new AppError('file_unreadable', `${path}: ${message}`, hint === null ? {} : { hint });
}

/**
 * Compiles a file or every DAG file of a folder.
 * @param how `deterministic` parses twice: a difference is a warning, an error with `strict`
 */
export async function compileFiles(path: string, tools: CompileTools, how: { deterministic: boolean; strict: boolean }): Promise<CompiledFiles> {
  const { root, prefix, files: all, warnings } = resolveDagPath(path);
  const parsers = all.length > 1 ? openParsers(tools.config) : null;
  try {
    const compiler = new ProjectCompiler(root, { ...tools, prefix, ...(parsers === null ? {} : { parsers }) });
    const [only] = all;
    const isFolder = statSync(resolve(path)).isDirectory();
    const exclusion = all.length === 1 && only !== undefined && !isFolder ? compiler.project.exclusionOf(only) : null;
    if (exclusion !== null) throw new AppError('invalid_value', `${path} is left out by ${exclusion}`, { hint: 'Change that setting, or the path.' });
    const compiled = await compileAll(compiler, all.filter((file) => compiler.includes(file)), how);
    const { files, dags, problems, warnings: found } = isFolder ? judgeFolder(compiled) : compiled;
    return { root, files, dags, problems, warnings: [...warnings.filter(({ file }) => compiler.includes(file)), ...found] };
  } finally {
    await parsers?.close();
  }
}

/** A folder that holds a DAG may hold files that look like one and hold none; those that another file reads need no word. */
function judgeFolder(compiled: CompiledFolder): CompiledFolder {
  const { dags, problems, warnings, read } = compiled;
  const rest = problems.filter((problem) => !isWithoutDag(problem));
  if (dags.length === 0 && rest.length === 0) return compiled;
  const empty = problems.filter((problem) => isWithoutDag(problem) && !read.has(problem.file));
  return { ...compiled, problems: rest, warnings: [...warnings, ...empty.map(asNote)] };
}

/** `read`: files that were read beside the one that was compiled. */
interface CompiledFolder extends Omit<CompiledFiles, 'root'> { readonly read: ReadonlySet<string> }

async function compileAll(compiler: ProjectCompiler, files: readonly string[], how: { deterministic: boolean; strict: boolean }): Promise<CompiledFolder> {
  const dags: CompiledDag[] = [];
  const problems: CompileProblem[] = [];
  const warnings: CompileProblem[] = [];
  const owners = new Map<string, string>();
  const read = new Set<string>();
  for (const file of files) {
    const compiled = await compiler.compile(file);
    problems.push(...compiled.problems);
    warnings.push(...compiled.warnings);
    for (const one of compiled.read ?? []) read.add(one);
    if (how.deterministic && compiled.dags.length > 0) (how.strict ? problems : warnings).push(...(await compiler.findNondeterminism(file, compiled)));
    for (const one of compiled.dags) {
      const owner = owners.get(one.dag.dag_id);
      if (owner === undefined) {
        owners.set(one.dag.dag_id, file);
        dags.push(one);
      } else problems.push({ file, line: null, column: null, message: `the DAG ${one.dag.dag_id} is also in ${owner}`, hint: 'Rename one of them.' });
    }
  }
  // Of one file nobody knows what else the settings are for.
  if (files.length > 1) warnings.push(...unusedSettings(compiler.project, dags.map((one) => one.dag)));
  return { files, dags, problems, warnings, read };
}
