// What every front end takes and gives: a file in, checked DAGs with their sources and all problems out.
import type { ImportSecrets } from '#contract/attempt.ts';
import type { WarmParsers } from './warm-parsers.ts';
import type { Dag } from '#contract/dag.ts';
import type { ProjectRuntime } from '#contract/project.ts';

/** Versions of Airflow's core and Task SDK in an environment. */
export interface InstalledAirflow { readonly core: string; readonly sdk: string }

/** One file for a front end. `python` is an interpreter’s path, `environment` all that user code sees of this process. */
export interface CompileRequest {
  /** The project folder; imports and source paths start here. */
  readonly root: string;
  /** Path of the DAG file below `root`. */
  readonly file: string;
  readonly python: string;
  /** Which runtime a Python file is to have. */
  readonly runtime: ProjectRuntime;
  /** What the interpreter's environment holds of Airflow; null: nothing. */
  readonly airflow: InstalledAirflow | null;
  /** Folders that code is imported from after `root`, whole paths. */
  readonly importPaths: readonly string[];
  /** Where packages of Node are found that the project folder itself does not hold; null: nowhere else. */
  readonly nodeModules: string | null;
  /** Where bytecode of the parser’s own modules is kept; null: nowhere. */
  readonly bytecode: string | null;
  /** Parsers that are warm; null: each file gets a new one. */
  readonly parsers: WarmParsers | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly importTimeoutSeconds: number;
  /** What the file may read while it is imported, besides its environment. */
  readonly secrets: ImportSecrets;
}

/** A checked DAG and the files that its tasks import: paths and order as in `dag.sources`, contents as digested there. */
export interface CompiledDag {
  readonly dag: Dag;
  readonly sources: readonly { readonly path: string; readonly content: Buffer }[];
  /** Fields of dag.json that the author gave, also where the value is Airflow's default and the field is left out. */
  readonly given?: GivenFields;
}

/** By name, for the DAG and for each of its tasks; `line` is where the DAG is drawn. */
export interface GivenFields { readonly line?: number; readonly dag: readonly string[]; readonly tasks: Readonly<Record<string, readonly string[]>> }

/** A finding about user code, for `renderProblem`. `file` is relative to the project folder when it lies in it. */
export interface CompileProblem {
  readonly file: string;
  /** From 1; null when the file as a whole is meant. */
  readonly line: number | null;
  /** From 1; null where it is not known. */
  readonly column: number | null;
  readonly message: string;
  /** What to do next. */
  readonly hint: string | null;
  /** The source line with what is meant in it, as a compiler shows it. */
  readonly excerpt?: string;
  /** The parser’s word for what is wrong, such as unsupported_import; for programs. */
  readonly kind?: string;
}

/** A variable by its key, or a connection by its id. */
export interface NeededSecret { readonly kind: 'variable' | 'connection'; readonly name: string }

/** A file, or with `/` at its end a folder, that the code names and that does not travel; and where it is named. */
export interface LeftOutFile { readonly path: string; readonly file: string | null; readonly line: number; readonly why: string }

/** One file may hold several DAGs or none; `problems` refuse, `warnings` do not. */
export interface Compiled {
  readonly dags: readonly CompiledDag[];
  readonly problems: readonly CompileProblem[];
  readonly warnings: readonly CompileProblem[];
  /** Variables and connections that the file asked for while it was imported, and that nobody gave it. */
  readonly needed?: readonly NeededSecret[];
  /** Files below the project that were read beside the DAG file, sound or not: who watches it watches them. */
  readonly read?: readonly string[];
  /** Files that the code names and that may come to be there, to be watched too. With `/` at its end all that lies below. */
  readonly awaited?: readonly string[];
  readonly leftOut?: readonly LeftOutFile[];
  /** Which runtime read a Python file. */
  readonly runtime?: 'leoflow' | 'airflow';
}

/** Whether it says that a file holds no DAG: of one that was named an error, in a folder mostly a helper. */
export function isWithoutDag({ kind }: CompileProblem): boolean {
  return kind === 'no_dag';
}

/** The problem of a file without a DAG as a warning about a folder. */
export function asNote(problem: CompileProblem): CompileProblem {
  return { ...problem, line: null, hint: `If it is to hold one: ${problem.hint ?? ''} If it is not, exclude_paths of leoflow.yaml or a line in .airflowignore leaves it out.` };
}

/** `file:line:column: message`, as much of the place as is known; then the excerpt, and the hint on a line of its own. */
export function renderProblem(problem: CompileProblem): string {
  const place = [problem.file, problem.line, problem.line === null ? null : problem.column].filter((part) => part !== null).join(':');
  return `${place}: ${problem.message}${problem.excerpt === undefined ? '' : `\n\n${problem.excerpt}\n`}${problem.hint === null || problem.hint === '' ? '' : `\n  → ${problem.hint}`}`;
}
