// What every front end takes and gives: a file in, checked DAGs with their sources and all problems out.
import type { Dag } from '#contract/dag.ts';

export interface CompileRequest {
  /** The project folder; imports and source paths start here. */
  readonly root: string;
  /** Path of the DAG file below `root`. */
  readonly file: string;
  readonly python: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly importTimeoutSeconds: number;
}

export interface CompiledDag {
  readonly dag: Dag;
  readonly sources: readonly { readonly path: string; readonly content: Buffer }[];
}

export interface CompileProblem {
  readonly file: string;
  /** From 1; null when the file as a whole is meant. */
  readonly line: number | null;
  readonly message: string;
  /** What to do next. */
  readonly hint: string | null;
}

export interface Compiled {
  readonly dags: readonly CompiledDag[];
  readonly problems: readonly CompileProblem[];
  readonly warnings: readonly CompileProblem[];
}

/** `file:line: message` and the hint on a line of its own. */
export function renderProblem(problem: CompileProblem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}`;
  return `${place}: ${problem.message}${problem.hint === null ? '' : `\n  → ${problem.hint}`}`;
}
