// Why nothing matched, and what to try next: a probe's hints in words.
import type { ProbeHints, ProbeRun } from '#contract/xcom-reader.ts';

/** What was asked for, in the words it was asked in. */
export interface Asked {
  readonly dagId: string;
  readonly run: string;
  readonly task: string | null;
  readonly key: string;
  readonly mapIndex: string | null;
  readonly runs: readonly ProbeRun[];
}

const some = (names: readonly string[], many = 8): string => `${names.slice(0, many).join(', ')}${names.length > many ? ', …' : ''}`;

/** Sentences, the most telling first. */
export function tellHints(hints: ProbeHints, asked: Asked): readonly string[] {
  if (!hints.dag_known && hints.incomplete) return ['why could not be told: the role may not read the tables dag and task_instance'];
  if (!hints.dag_known) return [hints.dags.length === 0 ? `there is no DAG ${asked.dagId}, nor any other` : `there is no DAG ${asked.dagId}; known are ${some(hints.dags)}`];
  if (asked.runs.length === 0) return [tellRuns(hints, asked)];
  return [...tellTask(hints, asked), ...(hints.archived > 0 ? [`${hints.archived} pickled values were moved to _xcom_archive when Airflow was upgraded to 3; they are not read`] : [])];
}

function tellRuns(hints: ProbeHints, asked: Asked): string {
  if (hints.recent_runs.length === 0) return `DAG ${asked.dagId} has no runs yet`;
  return `DAG ${asked.dagId} has no run ${asked.run}; its last ones are ${some(hints.recent_runs.map((run) => `${run.run_id} (${run.state ?? 'no state'})`), 5)}; --list-runs lists more`;
}

function tellTask(hints: ProbeHints, asked: Asked): readonly string[] {
  const run = asked.runs[0]?.run_id ?? asked.run;
  if (hints.map_indexes !== null && asked.mapIndex !== null) return [`key ${asked.key} has the map indexes ${hints.map_indexes[0]} to ${hints.map_indexes[1]}`];
  if (hints.instances.length === 0 && hints.incomplete) return [`${hints.keys.length === 0 ? 'nothing was pushed by such a task' : `pushed were ${some(hints.keys)}`}; states of tasks could not be told: the role may not read task_instance`];
  if (hints.instances.length === 0) return [`run ${run} has no task ${asked.task ?? ''}`.trimEnd() + (hints.task_ids.length === 0 ? '' : `; it has ${some(hints.task_ids)}`)];
  const states = hints.instances.map((instance) => `${instance.task_id}${instance.map_index < 0 ? '' : `[${instance.map_index}]`} is ${instance.state ?? 'not started'}`);
  if (hints.keys.length === 0) return [`nothing was pushed: ${some(states, 5)}`];
  return [`key ${asked.key} was not pushed (${some(states, 3)}); pushed were ${some(hints.keys)}`];
}
