// Which files of a folder may hold DAGs: Airflow's own rule of thumb, and its ignore file.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const SKIPPED_FOLDERS = new Set(['__pycache__', 'node_modules', '.git', '.venv', 'venv', '.tox', '.mypy_cache']);
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Python files below `root` that mention both a DAG and airflow, sorted; paths relative to `root` with `/`. */
export function findDagFiles(root: string): string[] {
  const ignored = readIgnore(root);
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      const name = relative(root, path).split(sep).join('/');
      if (found.length >= MAX_FILES || ignored.some((pattern) => pattern.test(name))) continue;
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.')) visit(path);
      else if (entry.isFile() && entry.name.endsWith('.py') && mayHoldDags(path)) found.push(name);
    }
  };
  visit(root);
  return found;
}

/** Airflow's safe mode: the text contains "dag" and "airflow". */
export function mayHoldDags(path: string): boolean {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) return false;
    const text = readFileSync(path, 'utf8').toLowerCase();
    return text.includes('dag') && (text.includes('airflow') || text.includes('leoflow'));
  } catch {
    return false;
  }
}

/** `.airflowignore`, glob syntax: one pattern a line, `#` comments. */
function readIgnore(root: string): RegExp[] {
  try {
    return readFileSync(join(root, '.airflowignore'), 'utf8').split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '').map(globToRegExp);
  } catch {
    return [];
  }
}

function globToRegExp(glob: string): RegExp {
  const body = glob.replace(/\/$/, '').replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('**', '\u0001').replaceAll('*', '[^/]*').replaceAll('?', '[^/]').replaceAll('\u0001', '.*');
  return new RegExp(`(^|/)${body}(/|$)`);
}
