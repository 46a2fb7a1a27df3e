// Files to compiled DAGs for the commands: one file or a folder, findings printed, refused files told apart from usable ones.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { userEnvironment } from '#platform/config.ts';
import type { CompiledDag, CompileProblem, CompileRequest } from '#compile/compiled.ts';
import { findDagFiles } from '#compile/find-dag-files.ts';
import { applyProject, readProject } from '#compile/project-file.ts';
import { compilePython, findNondeterminism } from '#compile/from-python.ts';

/** `files` are relative to `root`, without what leoflow.yaml excludes. `dags` holds the usable ones even when others are refused: a DAG id is in it once. */
export interface CompiledFiles {
  readonly root: string;
  readonly files: readonly string[];
  readonly dags: readonly CompiledDag[];
  readonly problems: readonly CompileProblem[];
  readonly warnings: readonly CompileProblem[];
}

/** The request for one file of a project. */
export function compileRequest(config: Config, python: string, place: { root: string; file: string }): CompileRequest {
  return { ...place, python, environment: userEnvironment(), importTimeoutSeconds: config.LEOFLOW_IMPORT_TIMEOUT_SECONDS };
}

/** Resolves a path argument. Throws `file_unreadable` when there is nothing or nothing to compile. */
export function resolveDagPath(path: string): { root: string; files: string[] } {
  const full = resolve(path);
  if (!existsSync(full)) throw new AppError('file_unreadable', `${path} does not exist`);
  if (!statSync(full).isDirectory()) return { root: dirname(full), files: [basename(full)] };
  const files = findDagFiles(full);
  if (files.length === 0) throw new AppError('file_unreadable', `no DAG file below ${path}`, { hint: 'A DAG file is a .py file that mentions both "dag" and "airflow".' });
  return { root: full, files };
}

/**
 * Compiles a file or every DAG file of a folder.
 * @param how `deterministic` parses twice: a difference is a warning, an error with `strict`
 */
export async function compileFiles(path: string, tools: { config: Config; python: string }, how: { deterministic: boolean; strict: boolean }): Promise<CompiledFiles> {
  const { root, files: all } = resolveDagPath(path);
  const dags: CompiledDag[] = [];
  const problems: CompileProblem[] = [];
  const warnings: CompileProblem[] = [];
  const owners = new Map<string, string>();
  const project = readProject(root);
  const files = all.filter((file) => !project.excludePaths.some((excluded) => file === excluded || file.startsWith(`${excluded}/`)));
  for (const file of files) {
    const request = compileRequest(tools.config, tools.python, { root, file });
    const compiled = await compilePython(request);
    problems.push(...compiled.problems);
    warnings.push(...compiled.warnings);
    if (how.deterministic && compiled.dags.length > 0) (how.strict ? problems : warnings).push(...(await findNondeterminism(request, compiled)));
    for (const one of compiled.dags) {
      const owner = owners.get(one.dag.dag_id);
      if (owner === undefined) {
        owners.set(one.dag.dag_id, file);
        dags.push({ ...one, dag: applyProject(one.dag, project) });
      } else problems.push({ file, line: null, message: `the DAG ${one.dag.dag_id} is also in ${owner}`, hint: 'Rename one of them.' });
    }
  }
  return { root, files, dags, problems, warnings };
}
