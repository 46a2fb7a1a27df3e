// leoflow.yaml: what a project folder says about the DAG files below it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { suggest } from '#platform/config.ts';

/** Settings of a project. Absent parts change nothing. */
export interface Project {
  readonly owner: string | null;
  readonly tags: readonly string[];
  readonly excludePaths: readonly string[];
  readonly defaults: TaskDefaults;
  readonly tasks: Readonly<Record<string, TaskDefaults>>;
}

/** What a task gets when its own code says nothing (defaults), or whatever it says (tasks). */
export interface TaskDefaults {
  readonly retries?: number;
  readonly retry_delay_seconds?: number;
  readonly execution_timeout_seconds?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const EMPTY: Project = { owner: null, tags: [], excludePaths: [], defaults: {}, tasks: {} };
const KEYS = ['schema_version', 'owner', 'tags', 'exclude_paths', 'defaults', 'tasks'];
const TASK_KEYS = ['retries', 'retry_delay_seconds', 'execution_timeout_seconds', 'env'];
const MAX_BYTES = 1024 * 1024;

/** Reads DIR/leoflow.yaml; an empty project when there is none. Throws `invalid_value` with all problems and their lines. */
export function readProject(folder: string): Project {
  const path = join(folder, 'leoflow.yaml');
  if (!existsSync(path)) return EMPTY;
  const text = readFileSync(path, 'utf8');
  if (text.length > MAX_BYTES) throw new AppError('too_large', `${path} is larger than ${MAX_BYTES} bytes`);
  return parseProject(text, path);
}

/** Parses the text of a leoflow.yaml. */
export function parseProject(text: string, path: string): Project {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, schema: 'core' });
  const problems = document.errors.map((error) => `${path}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`);
  if (problems.length > 0) throw new AppError('invalid_value', problems.join('\n'));
  const value: unknown = document.toJS({ maxAliasCount: 50 });
  const check = new Checker(path);
  const project = check.project(value ?? {});
  if (check.problems.length > 0) throw new AppError('invalid_value', check.problems.join('\n'), { hint: `Known keys: ${KEYS.join(', ')}.` });
  return project;
}

class Checker {
  readonly problems: string[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  project(value: unknown): Project {
    const fields = this.#fields(value, '$', KEYS);
    const tasks: Record<string, TaskDefaults> = {};
    for (const [id, task] of Object.entries(this.#fields(fields['tasks'] ?? {}, '$.tasks', null))) tasks[id] = this.#task(task, `$.tasks.${id}`);
    return {
      owner: this.#text(fields['owner'], '$.owner'), tags: this.#texts(fields['tags'], '$.tags'),
      excludePaths: this.#texts(fields['exclude_paths'], '$.exclude_paths').map((path) => path.replace(/\/+$/, '')),
      defaults: this.#task(fields['defaults'] ?? {}, '$.defaults'), tasks,
    };
  }

  #task(value: unknown, at: string): TaskDefaults {
    const fields = this.#fields(value, at, TASK_KEYS);
    const made: Record<string, unknown> = {};
    for (const key of ['retries', 'retry_delay_seconds', 'execution_timeout_seconds']) {
      const number = fields[key];
      if (number === undefined) continue;
      if (typeof number === 'number' && number >= 0 && (key !== 'retries' || Number.isInteger(number))) made[key] = number;
      else this.#say(`${at}.${key} must be a number that is not negative`);
    }
    if (fields['env'] !== undefined) {
      const env = Object.entries(this.#fields(fields['env'], `${at}.env`, null));
      made['env'] = Object.fromEntries(env.map(([name, text]) => [name, String(text)]));
    }
    return made;
  }

  #fields(value: unknown, at: string, known: readonly string[] | null): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#say(`${at} must be a mapping`);
      return {};
    }
    for (const key of Object.keys(value)) if (known !== null && !known.includes(key)) this.#say(`${at}: unknown key ${key}${suggest(key, known)}`);
    return value as Record<string, unknown>;
  }

  #text(value: unknown, at: string): string | null {
    if (value !== undefined && typeof value !== 'string') this.#say(`${at} must be a text`);
    return typeof value === 'string' ? value : null;
  }

  #texts(value: unknown, at: string): string[] {
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[];
    this.#say(`${at} must be a list of texts`);
    return [];
  }

  #say(text: string): void {
    this.problems.push(`${this.#path}: ${text}`);
  }
}

/** The DAG as its project wants it. Overrides of tasks that no DAG has are the caller's to notice. */
export function applyProject(dag: Dag, project: Project): Dag {
  if (project === EMPTY) return dag;
  const tags = [...new Set([...(dag.tags ?? []), ...project.tags])].sort();
  return {
    ...dag,
    ...(tags.length > 0 ? { tags } : {}),
    // Airflow's default owner is no choice of the author.
    ...(project.owner !== null && (dag.owners ?? ['airflow']).join() === 'airflow' ? { owners: [project.owner] } : {}),
    tasks: dag.tasks.map((task) => ({ ...project.defaults, ...task, ...project.tasks[task.task_id], ...mergeEnv(task.env, project, task.task_id) })),
  };
}

function mergeEnv(env: Readonly<Record<string, string>> | undefined, project: Project, taskId: string): { env?: Record<string, string> } {
  const merged = { ...project.defaults.env, ...env, ...project.tasks[taskId]?.env };
  return Object.keys(merged).length > 0 ? { env: merged } : {};
}
