// One leoflow.yaml, read and checked: every problem with its line and column, every value with its place.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainSchema } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { ProjectFile } from '#contract/project.ts';
import { durationSeconds } from '#core/duration.ts';
import { PlacedSchema, type Place, readYaml, type ValuePath } from './yaml-places.ts';

/** The file's name; the words about its keys are in `contract/project.ts`. */
export const PROJECT_FILE = 'leoflow.yaml';
const MAX_BYTES = 1024 * 1024;

const schema = new PlacedSchema(() => plainSchema(ProjectFile));

/** A checked leoflow.yaml. */
export interface ProjectLayer {
  /** Path of the file, as problems name it. */
  readonly path: string;
  /** The folder it speaks for. */
  readonly folder: string;
  readonly settings: ProjectFile;
  readonly placeOf: (path: ValuePath) => Place;
}

/** Reads FOLDER/leoflow.yaml; null when there is none. Throws `invalid_value` with all problems and their places. */
export function readProjectFile(folder: string): ProjectLayer | null {
  const path = join(folder, PROJECT_FILE);
  if (!existsSync(path)) return null;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('file_unreadable', `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (text.length > MAX_BYTES) throw new AppError('too_large', `${path} is larger than ${MAX_BYTES} bytes`);
  return parseProjectFile(text, { path, folder });
}

/** Parses the text of a leoflow.yaml. An empty one says nothing. */
export function parseProjectFile(text: string, where: { readonly path: string; readonly folder: string }): ProjectLayer {
  const { documents, problems } = readYaml(text);
  const [document, second] = documents;
  const isEmpty = document === undefined || document.value === null;
  const all = [...problems, ...(isEmpty ? [] : schema.check(document)), ...(second === undefined ? [] : [{ ...second.placeOf([]), message: 'a second document: leoflow.yaml holds one' }])];
  if (all.length > 0) {
    throw new AppError('invalid_value', all.map((problem) => `${where.path}:${problem.line}:${problem.column}: ${problem.message}`).join('\n'), {
      hint: `Known keys: ${Object.keys(ProjectFile.properties).join(', ')}.`, details: all.map((problem) => ({ file: where.path, ...problem })),
    });
  }
  return { ...where, settings: isEmpty ? {} : inSeconds(document.value as ProjectFile), placeOf: (path) => (isEmpty ? { line: 1, column: 1 } : document.placeOf(path, 'key')) };
}

const DURATIONS = ['retry_delay', 'max_retry_delay', 'execution_timeout', 'dagrun_timeout'];

/** `retry_delay: 5m` as `retry_delay_seconds: 300`, wherever settings stand. */
function inSeconds<V>(value: V, isSettings = true): V {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]: [string, unknown]): [string, unknown] => {
    if (isSettings && DURATIONS.includes(key)) return [`${key}_seconds`, durationSeconds(inner as number | string)];
    // Below `tasks` and `dags` stand ids, and below those settings again.
    return [key, inSeconds(inner, !(isSettings && (key === 'tasks' || key === 'dags')) && key !== 'env')];
  });
  return Object.fromEntries(entries) as V;
}
