// Which files of a folder may hold DAGs: a rule of thumb per language, and Airflow's ignore files.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { userEnvironment } from '#platform/config.ts';
import { IgnoreRules, ignoreSyntaxOf } from './airflow-ignore.ts';
import { languageOf } from './compile-file.ts';
import type { CompileProblem } from './compiled.ts';
import { isPackagedDag, packagedDagProblem } from './packaged-dags.ts';
import { PROJECT_FILE } from './project-file.ts';

const SKIPPED_FOLDERS = new Set(['__pycache__', 'node_modules', '.git', '.venv', 'venv', '.tox', '.mypy_cache']);
/** Tests of DAGs name them, and hold none. */
const IS_TEST = /^(test_.*|.*_test|conftest)\.py$|\.test\.[mc]?[jt]s$/;
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** What a file must be to be taken for a DAG file, for people who expected one. */
export const DAG_FILE_HINT = 'A DAG file is a .py file that mentions both "dag" and "airflow", a .yaml file with tasks: at its top, or a .ts or .js file that imports leoflow.';

/** A search of one folder, whose `.airflowignore` files are read once: make another when one was saved. */
export class DagFolderScan {
  readonly root: string;
  readonly #rules: IgnoreRules;

  /** @param root the folder of the DAG files */
  constructor(root: string) {
    this.root = resolve(root);
    this.#rules = new IgnoreRules(this.root, ignoreSyntaxOf(this.root, userEnvironment()));
  }

  /** Files that may hold DAGs, sorted; paths relative to the folder with `/`. */
  find(): string[] {
    return this.#visit(mayHoldDags);
  }

  /** Whether the search would find the file. @param name path below the folder */
  finds(name: string): boolean {
    return this.#isOpen(name) && mayHoldDags(join(this.root, name));
  }

  /** A warning for each packaged DAG, which is not read. */
  findPackaged(): CompileProblem[] {
    return this.#visit(isPackagedDag).map(packagedDagProblem);
  }

  #visit(test: (path: string) => boolean): string[] {
    const found: string[] = [];
    const visit = (folder: string): void => {
      for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(folder, entry.name);
        if (found.length >= MAX_FILES || this.#isSkipped(path, entry.isDirectory())) continue;
        if (entry.isDirectory()) visit(path);
        else if (entry.isFile() && test(path)) found.push(relative(this.root, path).split(sep).join('/'));
      }
    };
    visit(this.root);
    return found;
  }

  /** Neither the path nor a folder that it lies in is left out. */
  #isOpen(name: string): boolean {
    const parts = name.split('/');
    return parts.every((_, depth) => !this.#isSkipped(join(this.root, ...parts.slice(0, depth + 1)), depth < parts.length - 1));
  }

  #isSkipped(path: string, isFolder: boolean): boolean {
    const name = basename(path);
    // Airflow's own name for it: what lies there is made known to DAG files, and is none.
    if (path === join(this.root, 'plugins') || (isFolder && (SKIPPED_FOLDERS.has(name) || name.startsWith('.')))) return true;
    return this.#rules.ignores(path, isFolder);
  }
}

/** By its name and a look at its text; nothing is parsed. */
function mayHoldDags(path: string): boolean {
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
