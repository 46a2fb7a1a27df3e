// A DAG as Airflow's own serialization (version 3) says it, as dag.json: our graph, and beside it what the Task SDK wrote.
import type { Dag, Task, TaskGroup } from '#contract/dag.ts';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import { readDeadline } from '#core/deadlines.ts';
import { flagOf, instantOf, isObject, type Json, listOf, NotExpressible, numberUnless, objectOf, plainOf, secondsOf, textOf, withoutUndefined, zoneOf } from './airflow-encoding.ts';
import { expandOf } from './airflow-expand.ts';
import { paramsOf } from './airflow-params.ts';
import { type TaskFacts, taskOf } from './airflow-task.ts';
import { timetableOf } from './airflow-timetable.ts';

/** One DAG as the parser of `runtime: airflow` answers it. */
export interface SerializedDag {
  readonly serialization: unknown;
  /** By task id. */
  readonly facts: Readonly<Record<string, TaskFacts>>;
  readonly sources: Dag['sources'];
  /** Of the project's plugins. */
  readonly run_listeners?: readonly string[];
}

/** What a DAG was mapped to, unchecked, or everything that our graph has no words for. */
export type MappedDag = { readonly kind: 'mapped'; readonly dag: Dag } | { readonly kind: 'refused'; readonly dagId: string; readonly problems: readonly string[] };

const VERSION = 3;

/** Maps one DAG; pure. @param file path of the DAG file below its project */
export function mapAirflowDag({ serialization, facts, sources, run_listeners: listeners }: SerializedDag, file: string): MappedDag {
  const envelope = objectOf(serialization);
  const encoded = objectOf(envelope['dag']);
  const dagId = String(encoded['dag_id']);
  if (envelope['__version'] !== VERSION) return { kind: 'refused', dagId, problems: [`the Task SDK wrote version ${JSON.stringify(envelope['__version'])} of the serialization, and ${VERSION} is known`] };
  const problems: string[] = [];
  const tryTo = <V>(what: string, make: () => V): V | null => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof NotExpressible)) throw error;
      problems.push(`${what}: ${error.message}`);
      return null;
    }
  };
  const groups = collectGroups(objectOf(encoded['task_group']), tryTo);
  const defaults = objectOf(objectOf(envelope['client_defaults'])['tasks']);
  const operators = listOf(encoded['tasks']).map((task) => objectOf(objectOf(task)['__var']));
  const upstream = upstreamOf(operators);
  const tasks = operators.map((operator) => {
    const id = String(operator['task_id']);
    return tryTo(`task ${JSON.stringify(id)}`, () => taskOf(operator, { file, dates: encoded, dependsOn: upstream.get(id) ?? [], group: groups.ofTask.get(id), facts: facts[id] ?? {}, defaults }));
  }).filter((task): task is Task => task !== null);
  // Airflow asks a reference of the project's own with a session of its database, which is not there.
  for (const deadline of listOf(encoded['deadline'])) if (readDeadline(deadline) === null) problems.push(`deadline: the reference ${JSON.stringify(objectOf(objectOf(deadline)['reference'])['reference_type'])} is none of the Task SDK’s own`);
  if (problems.length > 0) return { kind: 'refused', dagId, problems };
  return { kind: 'mapped', dag: dagOf(encoded, { file, sources, tasks, groups: groups.groups, serialization, listeners }) };
}

interface Parts { readonly file: string; readonly sources: Dag['sources']; readonly tasks: Task[]; readonly groups: TaskGroup[]; readonly serialization: unknown; readonly listeners: readonly string[] | undefined }

function dagOf(encoded: Json, { file, sources, tasks, groups, serialization, listeners }: Parts): Dag {
  const dagId = String(encoded['dag_id']);
  const runTypes = listOf(encoded['allowed_run_types']);
  return withoutUndefined({
    schema_version: '1.0',
    dag_id: dagId,
    display_name: encoded['dag_display_name'] === dagId ? undefined : textOf(encoded['dag_display_name']),
    description: textOf(encoded['description'] ?? encoded['_description']),
    doc_md: textOf(encoded['doc_md']),
    owners: filled([...new Set(tasks.map((task) => task.owner ?? 'airflow'))].sort()),
    owner_links: isEmpty(encoded['owner_links']) ? undefined : plainOf(encoded['owner_links']),
    tags: filled(listOf(encoded['tags']).map(String).sort()),
    fileloc: file,
    runtime: 'airflow',
    sources,
    timetable: timetableOf(encoded['timetable']),
    timezone: zoneOf(encoded['timezone']) === 'UTC' ? undefined : zoneOf(encoded['timezone']),
    start_date: instantOf(encoded['start_date']),
    end_date: instantOf(encoded['end_date']),
    catchup: flagOf(encoded['catchup']),
    ...limitsOf(encoded),
    fail_fast: flagOf(encoded['fail_fast']),
    is_paused_upon_creation: typeof encoded['is_paused_upon_creation'] === 'boolean' ? encoded['is_paused_upon_creation'] : undefined,
    render_template_as_native_obj: flagOf(encoded['render_template_as_native_obj']),
    allowed_run_types: runTypes.length === 0 ? undefined : runTypes,
    params: paramsOf(listOf(encoded['params']), 'dag'),
    default_args: isEmpty(plainOf(encoded['default_args'])) ? undefined : plainOf(encoded['default_args']),
    callbacks: filled((['success', 'failure'] as const).filter((name) => encoded[`has_on_${name}_callback`] === true)),
    run_listeners: filled([...(listeners ?? [])]),
    deadlines: filled(listOf(encoded['deadline'])),
    task_groups: filled(groups),
    edge_labels: filled(labelsOf(objectOf(encoded['edge_info']))),
    tasks,
    airflow_serialization: serialization,
  }) as Dag;
}

function limitsOf(encoded: Json): Partial<Record<keyof Dag, unknown>> {
  return {
    max_active_runs: numberUnless(encoded['max_active_runs'], DAG_DEFAULTS.maxActiveRuns),
    max_active_tasks: numberUnless(encoded['max_active_tasks'], DAG_DEFAULTS.maxActiveTasks),
    max_consecutive_failed_dag_runs: numberUnless(encoded['max_consecutive_failed_dag_runs'], 0),
    dagrun_timeout_seconds: secondsOf(encoded['dagrun_timeout']),
  };
}

/** Airflow writes downstream ids only. */
function upstreamOf(operators: readonly Json[]): ReadonlyMap<string, readonly string[]> {
  const upstream = new Map<string, string[]>();
  for (const operator of operators) {
    for (const id of listOf(operator['downstream_task_ids']).map(String)) upstream.set(id, [...(upstream.get(id) ?? []), String(operator['task_id'])]);
  }
  return new Map([...upstream].map(([id, ids]) => [id, ids.sort()]));
}

function labelsOf(edges: Json): NonNullable<Dag['edge_labels']> {
  return Object.entries(edges).flatMap(([from, targets]) => Object.entries(objectOf(targets)).flatMap(([to, info]) => {
    const { label } = objectOf(info);
    return typeof label === 'string' ? [{ from, to, label }] : [];
  })).sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Groups { readonly groups: TaskGroup[]; readonly ofTask: ReadonlyMap<string, string> }

/** Every group below the root, parents first, and which one each task is in. */
function collectGroups(root: Json, tryTo: <V>(what: string, make: () => V) => V | null): Groups {
  const groups: TaskGroup[] = [];
  const ofTask = new Map<string, string>();
  const visit = (group: Json, id: string | null): void => {
    for (const [key, child] of Object.entries(objectOf(group['children']))) {
      const [kind, value] = listOf(child);
      if (kind === 'operator' && id !== null) ofTask.set(String(value), id);
      if (kind !== 'taskgroup' || !isObject(value)) continue;
      const made = tryTo(`task group ${JSON.stringify(key)}`, () => groupOf(value, { id: key, parent: id }));
      if (made !== null) groups.push(made);
      visit(value, key);
    }
  };
  visit(root, null);
  return { groups, ofTask };
}

function groupOf(encoded: Json, { id, parent }: { readonly id: string; readonly parent: string | null }): TaskGroup {
  return withoutUndefined({
    group_id: id,
    parent: parent ?? undefined,
    display_name: textOf(encoded['group_display_name']),
    tooltip: textOf(encoded['tooltip']),
    prefix_group_id: encoded['prefix_group_id'] === false ? false : undefined,
    expand: encoded['is_mapped'] === true ? expandOf(encoded['expand_input']) : undefined,
    ui_color: encoded['ui_color'] === 'CornflowerBlue' ? undefined : textOf(encoded['ui_color']),
    ui_fgcolor: encoded['ui_fgcolor'] === '#000' ? undefined : textOf(encoded['ui_fgcolor']),
  }) as TaskGroup;
}

function filled<V>(values: readonly V[]): V[] | undefined {
  return values.length === 0 ? undefined : [...values];
}

function isEmpty(value: unknown): boolean {
  return Object.keys(objectOf(value)).length === 0;
}
