// What every front end takes and gives: a file in, checked DAGs with their sources and all problems out.
import type { Dag } from '#contract/dag.ts';

/** One file for a front end. `python` is an interpreter’s path, `environment` all that user code sees of this process. */
export interface CompileRequest {
  /** The project folder; imports and source paths start here. */
  readonly root: string;
  /** Path of the DAG file below `root`. */
  readonly file: string;
  readonly python: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly importTimeoutSeconds: number;
}

/** A checked DAG and the files that its tasks import: paths and order as in `dag.sources`, contents as digested there. */
export interface CompiledDag {
  readonly dag: Dag;
  readonly sources: readonly { readonly path: string; readonly content: Buffer }[];
}

/** A finding about user code, for `renderProblem`. `file` is relative to the project folder when it lies in it. */
export interface CompileProblem {
  readonly file: string;
  /** From 1; null when the file as a whole is meant. */
  readonly line: number | null;
  readonly message: string;
  /** What to do next. */
  readonly hint: string | null;
}

/** One file may hold several DAGs or none; `problems` refuse, `warnings` do not. */
export interface Compiled {
  readonly dags: readonly CompiledDag[];
  readonly problems: readonly CompileProblem[];
  readonly warnings: readonly CompileProblem[];
}

/** `file:line: message` and the hint on a line of its own. */
export function renderProblem(problem: CompileProblem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}`;
  return `${place}: ${problem.message}${problem.hint === null || problem.hint === '' ? '' : `\n  → ${problem.hint}`}`;
}
