// Everything that files have drawn in this process: DAGs with their functions, and what is wrong. One per process, whichever copy of the SDK draws.
import type { Place } from './call-place.ts';

/** A function of a task, as the author wrote it. */
export type TaskFunction = (args: Readonly<Record<string, unknown>>, context: unknown) => unknown;

/** A DAG as drawn: the JSON of contract/drawing.ts, and what JSON cannot hold. */
export interface DrawnDag {
  readonly dag_id: string;
  readonly drawing: Readonly<Record<string, unknown>>;
  /** Functions of its tasks by full task id. */
  readonly functions: ReadonlyMap<string, TaskFunction>;
  /** Where tasks and groups are drawn, by full id; the DAG's own under the empty text. */
  readonly places: ReadonlyMap<string, Place>;
}

/** A finding about a drawing. */
export interface DrawingProblem {
  readonly place: Place | null;
  readonly message: string;
  readonly hint: string | null;
}

/** A function that must be exported, because a drawing names it: `values.map(double)`. */
export interface WantedExport {
  readonly name: string;
  readonly value: unknown;
  readonly place: Place | null;
}

/** What was drawn, and what is wrong. */
export interface Registry {
  /** Path of the file being drawn, below the project folder. */
  file: string;
  readonly dags: DrawnDag[];
  readonly problems: DrawingProblem[];
  readonly exports: WantedExport[];
}

const KEY = Symbol.for('leoflow.registry');

/** The registry of this process. */
export function registry(): Registry {
  const holder = globalThis as { [KEY]?: Registry };
  holder[KEY] ??= { file: 'dag.ts', dags: [], problems: [], exports: [] };
  return holder[KEY];
}
