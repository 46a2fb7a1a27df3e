// What the leoflow.yaml files of a project say together about one DAG: found, merged nearest last, applied, and explained.
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Dag } from '#contract/dag.ts';
import type { DagSettings, ProjectRuntime, TaskSettings } from '#contract/project.ts';
import type { CompiledDag, CompileProblem, GivenFields } from './compiled.ts';
import { foldersOfIncluded, isIncluded } from './included-files.ts';
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

  /** The files that speak for a DAG file, farthest first. @param file path below the root, `.` for what speaks for all of it */
  layersOf(file: string): readonly ProjectLayer[] {
    const folder = file === '.' ? this.root : dirname(join(this.root, file));
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

  /** The setting that keeps a file from holding DAGs of this project, with its place; null when none does. */
  exclusionOf(file: string): string | null {
    const full = join(this.root, file);
    for (const { folder, settings, path: from, placeOf } of this.layersOf(file)) {
      const path = relative(folder, full).split(sep).join('/');
      const matches = (patterns: readonly string[]): boolean => patterns.some((pattern) => pathPattern(pattern).test(path));
      if (matches(settings.exclude_paths ?? [])) return `exclude_paths (${from}:${placeOf(['exclude_paths']).line})`;
      if (settings.include_paths !== undefined && !matches(settings.include_paths)) return `include_paths (${from}:${placeOf(['include_paths']).line})`;
    }
    return null;
  }

  /** Folders that the nearest file which says so imports from besides its own, whole paths. */
  importPathsOf(file: string): readonly string[] {
    return this.layersOf(file).reduce<readonly string[]>((paths, { folder, settings }) => settings.import_paths?.map((path) => resolve(folder, path)) ?? paths, []);
  }

  /** Whether `include_files` let a file travel with DAGs of another. Both are paths below the root. */
  carries(file: string, path: string): boolean {
    return isIncluded(this.layersOf(file), join(this.root, path));
  }

  /** Which runtime the nearest file that says so wants. */
  runtimeOf(file: string): ProjectRuntime {
    return this.layersOf(file).reduce<ProjectRuntime>((runtime, layer) => layer.settings.runtime ?? runtime, 'auto');
  }
}

/**
 * Where paths of a version start: the folder of the DAG files, or the nearest one above it that also holds every folder they import from and every file that is to travel with them.
 * @returns also the folder of the DAG files as seen from there, with `/` at its end unless it is the root itself
 */
export function rootOf(folder: string): { readonly root: string; readonly prefix: string } {
  const own = resolve(folder);
  let root = own;
  const project = new Project(own);
  for (const path of [...project.importPathsOf('.'), ...foldersOfIncluded(project.layersOf('.'))]) while (path !== root && !path.startsWith(`${root}${sep}`) && dirname(root) !== root) root = dirname(root);
  return { root, prefix: root === own ? '' : `${relative(root, own).split(sep).join('/')}/` };
}

/** From the folder that holds the repository down to the one above `root`. Without a repository: the nearest one above with settings, when `root` has none. */
function foldersAbove(root: string): string[] {
  const above: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return above.reverse();
    if (dirname(folder) === folder) break;
    above.push(dirname(folder));
  }
  const nearest = [root, ...above].find((folder) => existsSync(join(folder, PROJECT_FILE)));
  return nearest === undefined || nearest === root ? [] : [nearest];
}

/** A value that some layer gives, with the place of it. `key` is a path of names. */
export interface ProjectValue { readonly key: string; readonly value: unknown; readonly from: string }

/** What one DAG gets, with where each value came from. */
export interface DagView { readonly settings: DagSettings; readonly values: readonly ProjectValue[] }

const LISTS_THAT_ADD = new Set(['tags', 'include_files']);
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
export function applyProject({ dag, given = NOTHING_GIVEN }: Pick<CompiledDag, 'dag' | 'given'>, layers: readonly ProjectLayer[]): { readonly dag: Dag; readonly problems: readonly CompileProblem[] } {
  if (layers.length === 0) return { dag, problems: [] };
  const { settings } = viewOf(layers, dag.dag_id);
  const tags = [...new Set([...(dag.tags ?? []), ...(settings.tags ?? [])])].sort();
  const applied: Dag = {
    ...dag,
    ...(tags.length > 0 ? { tags } : {}),
    // Airflow's default owner is no choice of the author.
    ...(settings.owner !== undefined && (dag.owners ?? ['airflow']).join() === 'airflow' ? { owners: [settings.owner] } : {}),
    ...unlessSaid(dag, settings, given.dag),
    ...(settings.retention_days === undefined ? {} : { retention_days: settings.retention_days }),
    ...accessOf(settings),
    tasks: dag.tasks.map((task) => ({ ...without(settings.defaults, ['env', ...(given.tasks[task.task_id] ?? [])]), ...task, ...without(settings.tasks?.[task.task_id], ['env']), ...mergedEnv(task.env, settings, task.task_id) })),
  };
  return { dag: applied, problems: unknownTasks(dag, layers) };
}

const NOTHING_GIVEN: GivenFields = { dag: [], tasks: {} };

/** Settings of the project that the DAG itself has no word about. */
function unlessSaid(dag: Dag, settings: DagSettings, given: readonly string[]): Partial<Dag> {
  const names = ['is_paused_upon_creation', 'max_active_runs', 'max_active_tasks', 'dagrun_timeout_seconds'] as const;
  return Object.fromEntries(names.filter((name) => settings[name] !== undefined && dag[name] === undefined && !given.includes(name)).map((name) => [name, settings[name]]));
}

function accessOf({ connections, variables }: DagSettings): Pick<Dag, 'access'> {
  if (connections === undefined && variables === undefined) return {};
  return { access: { ...(connections === undefined ? {} : { connections: [...connections].sort() }), ...(variables === undefined ? {} : { variables: [...variables].sort() }) } };
}

/** Task settings without some of them; the environment is merged apart. */
function without(settings: TaskSettings | undefined, names: readonly string[]): Omit<TaskSettings, 'env'> {
  return Object.fromEntries(Object.entries(settings ?? {}).filter(([name]) => !names.includes(name)));
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
