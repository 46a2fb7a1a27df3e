// Which files of a folder may hold DAGs: a rule of thumb per language, and Airflow's ignore file.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { languageOf } from './compile-file.ts';
import { ignorePattern } from './path-pattern.ts';
import { PROJECT_FILE } from './project-file.ts';

const SKIPPED_FOLDERS = new Set(['__pycache__', 'node_modules', '.git', '.venv', 'venv', '.tox', '.mypy_cache']);
/** Tests of DAGs name them, and hold none. */
const IS_TEST = /^(test_.*|.*_test|conftest)\.py$|\.test\.[mc]?[jt]s$/;
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** What a file must be to be taken for a DAG file, for people who expected one. */
export const DAG_FILE_HINT = 'A DAG file is a .py file that mentions both "dag" and "airflow", a .yaml file with tasks: at its top, or a .ts or .js file that imports leoflow.';

/** Files below `root` that may hold DAGs, sorted; paths relative to `root` with `/`. */
export function findDagFiles(root: string): string[] {
  const ignored = readIgnore(root);
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      const name = relative(root, path).split(sep).join('/');
      // Airflow's own name for it: what lies there is made known to DAG files, and is none.
      if (name === 'plugins') continue;
      if (found.length >= MAX_FILES || ignored.some((pattern) => pattern.test(name))) continue;
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.')) visit(path);
      else if (entry.isFile() && mayHoldDags(path)) found.push(name);
    }
  };
  visit(root);
  return found;
}

/** By its name and a look at its text; nothing is parsed. */
export function mayHoldDags(path: string): boolean {
  const test = TESTS[languageOf(path) ?? 'none'];
  try {
    return test !== null && basename(path) !== PROJECT_FILE && !IS_TEST.test(basename(path)) && statSync(path).size <= MAX_FILE_BYTES && test(readFileSync(path, 'utf8'));
  } catch {
    return false;
  }
}

const TESTS = {
  /** Airflow's safe mode: the text contains "dag" and "airflow". */
  python: (text: string): boolean => /dag/i.test(text) && /airflow|leoflow/i.test(text),
  yaml: (text: string): boolean => /^\uFEFF?["']?tasks["']?[ \t]*:/m.test(text),
  typescript: (text: string): boolean => /\b(?:from|import|require\()\s*["']leoflow["']/.test(text),
  none: null,
};

/** `.airflowignore`, glob syntax: one pattern a line, `#` comments. */
function readIgnore(root: string): RegExp[] {
  try {
    return readFileSync(join(root, '.airflowignore'), 'utf8').split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '').map(ignorePattern);
  } catch {
    return [];
  }
}
