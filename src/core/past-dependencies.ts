// What the DAG's run before has to say: depends_on_past and wait_for_downstream, as Airflow's PrevDagrunDep judges them.
import type { Graph, GraphTask } from './graph.ts';

/** How a task stands in the run before. `new`: no run before has an instance of it; `absent`: only that one has none. */
export type PastState = 'good' | 'bad' | 'absent' | 'new';

/** The run before, as far as tasks look at it. */
export interface PastRun {
  /** Epoch milliseconds. */
  readonly logicalDate: number;
  readonly states: ReadonlyMap<string, PastState>;
}

function looksAtPast({ task }: GraphTask): boolean {
  return task.depends_on_past === true || task.wait_for_downstream === true;
}

/** Ids of the tasks that the run before holds back. @param past null when there is no run before, or this one has no logical date */
export function blockedByPast(graph: Graph, past: PastRun | null): ReadonlySet<string> {
  return new Set(past === null ? [] : graph.tasks.filter((task) => looksAtPast(task) && isBlocked(graph, task, past)).map((task) => task.id));
}

function isBlocked(graph: Graph, task: GraphTask, past: PastRun): boolean {
  const { start_date: start, ignore_first_depends_on_past: ignoreFirst } = task.task;
  const since = start ?? graph.dag.start_date;
  if (graph.dag.catchup === true && since !== undefined && past.logicalDate < Date.parse(since)) return false;
  const own = past.states.get(task.id) ?? 'new';
  if (own === 'absent') return true;
  if (own === 'new') return ignoreFirst === false;
  return own === 'bad' || dependantsOf(graph, task).some((id) => past.states.get(id) === 'bad');
}

/** With wait_for_downstream the direct downstream tasks count as well; one that the run before had not is no obstacle. */
function dependantsOf(graph: Graph, task: GraphTask): string[] {
  return task.task.wait_for_downstream === true ? task.downstream.flatMap((index) => graph.tasks[index]?.id ?? []) : [];
}
