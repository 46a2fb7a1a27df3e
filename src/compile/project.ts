// What the leoflow.yaml files of a project say together about one DAG: found, merged nearest last, applied, and explained.
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Dag } from '#contract/dag.ts';
import type { DagSettings, ProjectRuntime, TaskSettings } from '#contract/project.ts';
import type { CompileProblem } from './compiled.ts';
import { pathPattern } from './path-pattern.ts';
import { PROJECT_FILE, type ProjectLayer, readProjectFile } from './project-file.ts';

/** The layers of a folder's DAG files are read when first asked for, once each. */
export class Project {
  readonly root: string;
  readonly #layers = new Map<string, ProjectLayer | null>();

  /** Reads the files that speak for all of the folder. Throws `invalid_value` for what is wrong in them. */
  constructor(root: string) {
    this.root = resolve(root);
    this.layersOf('.');
  }

  /** The files that speak for a DAG file, farthest first. @param file path below the root */
  layersOf(file: string): readonly ProjectLayer[] {
    const folder = dirname(join(this.root, file));
    const below = relative(this.root, folder).split(sep).filter((part) => part !== '');
    const inside = below.map((_, depth) => join(this.root, ...below.slice(0, depth + 1)));
    return [...foldersAbove(this.root), this.root, ...inside].flatMap((one) => this.#read(one) ?? []);
  }

  #read(folder: string): ProjectLayer | null {
    const known = this.#layers.get(folder);
    if (known !== undefined) return known;
    const layer = readProjectFile(folder);
    this.#layers.set(folder, layer);
    return layer;
  }

  /** Whether the file may hold DAGs of this project. */
  includes(file: string): boolean {
    const full = join(this.root, file);
    return this.layersOf(file).every(({ folder, settings }) => {
      const path = relative(folder, full).split(sep).join('/');
      const matches = (patterns: readonly string[]): boolean => patterns.some((pattern) => pathPattern(pattern).test(path));
      return !matches(settings.exclude_paths ?? []) && (settings.include_paths === undefined || matches(settings.include_paths));
    });
  }

  /** Folders that the nearest file which says so imports from besides its own, whole paths. */
  importPathsOf(file: string): readonly string[] {
    return this.layersOf(file).reduce<readonly string[]>((paths, { folder, settings }) => settings.import_paths?.map((path) => resolve(folder, path)) ?? paths, []);
  }

  /** Which runtime the nearest file that says so wants. */
  runtimeOf(file: string): ProjectRuntime {
    return this.layersOf(file).reduce<ProjectRuntime>((runtime, layer) => layer.settings.runtime ?? runtime, 'auto');
  }
}

/** The project of a folder. Throws `invalid_value` with everything that is wrong in the settings for all of it. */
export function readProject(root: string): Project {
  return new Project(root);
}

/**
 * Where paths of a version start: the folder of the DAG files, or the nearest one above it that also holds every folder they import from.
 * @returns also the folder of the DAG files as seen from there, with `/` at its end unless it is the root itself
 */
export function rootOf(folder: string): { readonly root: string; readonly prefix: string } {
  const own = resolve(folder);
  let root = own;
  for (const path of readProject(own).importPathsOf('.')) while (path !== root && !path.startsWith(`${root}${sep}`) && dirname(root) !== root) root = dirname(root);
  return { root, prefix: root === own ? '' : `${relative(root, own).split(sep).join('/')}/` };
}

/** From the folder that holds the repository down to the one above `root`. Without a repository there is none: nothing outside may change a DAG. */
function foldersAbove(root: string): string[] {
  const above: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return above.reverse();
    if (dirname(folder) === folder) return [];
    above.push(dirname(folder));
  }
}

/** A value that some layer gives, with the place of it. `key` is a path of names. */
export interface ProjectValue { readonly key: string; readonly value: unknown; readonly from: string }

/** What one DAG gets, with where each value came from. */
export interface DagView { readonly settings: DagSettings; readonly values: readonly ProjectValue[] }

const LISTS_THAT_ADD = new Set(['tags']);
const OF_THE_FOLDER = new Set(['schema_version', 'description', 'include_paths', 'exclude_paths', 'import_paths', 'runtime', 'dependencies', 'dags']);

/** Merges the layers of a DAG file for one DAG of it: files nearer to it win, and in one file what is said for the DAG by id. */
export function viewOf(layers: readonly ProjectLayer[], dagId: string | null): DagView {
  const values = new Map<string, ProjectValue>();
  const settings: Record<string, unknown> = {};
  for (const layer of layers) {
    const own = dagId === null ? undefined : layer.settings.dags?.[dagId];
    const parts: [object, (string | number)[]][] = [[layer.settings, []], ...(own === undefined || dagId === null ? [] : [[own, ['dags', dagId]] as [object, string[]]])];
    for (const [part, at] of parts) {
      const given = Object.fromEntries(Object.entries(part).filter(([key]) => at.length > 0 || !OF_THE_FOLDER.has(key)));
      mergeInto(settings, given, {
        path: [], note: (path, value) => {
          const { line } = layer.placeOf([...at, ...path]);
          values.set(path.join('.'), { key: path.join('.'), value, from: `${layer.path}:${line}` });
        },
      });
    }
  }
  return { settings: settings as DagSettings, values: [...values.values()] };
}

interface Merge { readonly path: readonly string[]; readonly note: (path: readonly string[], value: unknown) => void }

function mergeInto(target: Record<string, unknown>, given: object, merge: Merge): void {
  for (const [key, value] of Object.entries(given)) {
    const path = [...merge.path, key];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const inner = target[key];
      const below = typeof inner === 'object' && inner !== null ? { ...inner } as Record<string, unknown> : {};
      target[key] = below;
      mergeInto(below, value as object, { ...merge, path });
    } else {
      const before: unknown = target[key];
      target[key] = LISTS_THAT_ADD.has(key) && Array.isArray(before) && Array.isArray(value) ? [...new Set([...before as unknown[], ...value as unknown[]])] : value;
      merge.note(path, target[key]);
    }
  }
}

/** The DAG as its project wants it, and overrides by id that fit no task. */
export function applyProject(dag: Dag, layers: readonly ProjectLayer[]): { readonly dag: Dag; readonly problems: readonly CompileProblem[] } {
  if (layers.length === 0) return { dag, problems: [] };
  const { settings } = viewOf(layers, dag.dag_id);
  const tags = [...new Set([...(dag.tags ?? []), ...(settings.tags ?? [])])].sort();
  const applied: Dag = {
    ...dag,
    ...(tags.length > 0 ? { tags } : {}),
    // Airflow's default owner is no choice of the author.
    ...(settings.owner !== undefined && (dag.owners ?? ['airflow']).join() === 'airflow' ? { owners: [settings.owner] } : {}),
    ...unlessSaid(dag, settings),
    ...(settings.retention_days === undefined ? {} : { retention_days: settings.retention_days }),
    ...accessOf(settings),
    tasks: dag.tasks.map((task) => ({ ...textsOf(settings.defaults), ...task, ...textsOf(settings.tasks?.[task.task_id]), ...mergedEnv(task.env, settings, task.task_id) })),
  };
  return { dag: applied, problems: unknownTasks(dag, layers) };
}

function unlessSaid(dag: Dag, settings: DagSettings): Partial<Dag> {
  const { is_paused_upon_creation: paused, max_active_runs: runs, max_active_tasks: tasks, dagrun_timeout_seconds: timeout } = settings;
  return {
    ...(paused === undefined || dag.is_paused_upon_creation !== undefined ? {} : { is_paused_upon_creation: paused }),
    ...(runs === undefined || dag.max_active_runs !== undefined ? {} : { max_active_runs: runs }),
    ...(tasks === undefined || dag.max_active_tasks !== undefined ? {} : { max_active_tasks: tasks }),
    ...(timeout === undefined || dag.dagrun_timeout_seconds !== undefined ? {} : { dagrun_timeout_seconds: timeout }),
  };
}

function accessOf({ connections, variables }: DagSettings): Pick<Dag, 'access'> {
  if (connections === undefined && variables === undefined) return {};
  return { access: { ...(connections === undefined ? {} : { connections: [...connections].sort() }), ...(variables === undefined ? {} : { variables: [...variables].sort() }) } };
}

/** Task settings as dag.json holds them; the environment is merged apart. */
function textsOf(settings: TaskSettings | undefined): Omit<TaskSettings, 'env'> {
  const { env: _env, ...others } = settings ?? {};
  return others;
}

function mergedEnv(env: Readonly<Record<string, string>> | undefined, settings: DagSettings, taskId: string): { env?: Record<string, string> } {
  const merged = { ...settings.defaults?.env, ...env, ...settings.tasks?.[taskId]?.env };
  const texts = Object.fromEntries(Object.entries(merged).map(([name, value]) => [name, String(value)]));
  return Object.keys(texts).length > 0 ? { env: texts } : {};
}

/** Settings for a task that the DAG named has not. Those for all DAGs of a folder may fit another. */
function unknownTasks(dag: Dag, layers: readonly ProjectLayer[]): CompileProblem[] {
  const known = new Set(dag.tasks.map((task) => task.task_id));
  return layers.flatMap((layer) => Object.keys(layer.settings.dags?.[dag.dag_id]?.tasks ?? {}).filter((id) => !known.has(id)).map((id) => ({
    file: layer.path, ...layer.placeOf(['dags', dag.dag_id, 'tasks', id]), message: `dags.${dag.dag_id}.tasks.${id}: the DAG has no such task`, hint: `Its tasks: ${[...known].sort().slice(0, 20).join(', ')}.`,
  })));
}

/** Overrides that fit nothing of a whole folder: DAGs it does not have, tasks that no DAG of it has. */
export function unusedSettings(project: Project, dags: readonly Dag[]): CompileProblem[] {
  const dagIds = new Set(dags.map((dag) => dag.dag_id));
  const taskIds = new Set(dags.flatMap((dag) => dag.tasks.map((task) => task.task_id)));
  const layers = new Map(['.', ...dags.map((dag) => dag.fileloc)].flatMap((file) => project.layersOf(file)).map((layer) => [layer.path, layer]));
  return [...layers.values()].flatMap((layer) => {
    const unused = (ids: readonly string[], known: ReadonlySet<string>, at: 'dags' | 'tasks'): CompileProblem[] => ids.filter((id) => !known.has(id)).map((id) => ({
      file: layer.path, ...layer.placeOf([at, id]), message: `${at}.${id}: there is no such ${at === 'dags' ? 'DAG' : 'task'}`, hint: null,
    }));
    return [...unused(Object.keys(layer.settings.dags ?? {}), dagIds, 'dags'), ...unused(Object.keys(layer.settings.tasks ?? {}), taskIds, 'tasks')];
  });
}

/** Whether a path is one that a project's settings are read from. */
export function isProjectFile(path: string): boolean {
  return path === PROJECT_FILE || path.endsWith(`/${PROJECT_FILE}`);
}
