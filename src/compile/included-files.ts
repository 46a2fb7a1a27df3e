// `include_files` of leoflow.yaml: data files that travel with a DAG because its project says so.
import { createHash } from 'node:crypto';
import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { LIMITS } from '#contract/config.ts';
import type { CompiledDag, CompileProblem } from './compiled.ts';
import { pathPattern } from './path-pattern.ts';
import type { ProjectLayer } from './project-file.ts';

interface Pattern { readonly text: string; readonly layer: ProjectLayer; readonly at: readonly (string | number)[] }

/** What the patterns found: paths from the root, sorted. `warnings` are about the project, and the same for each of its DAGs. */
interface Included { readonly files: readonly string[]; readonly problems: readonly CompileProblem[]; readonly warnings: readonly CompileProblem[] }

const FOREIGN = new Set(['__pycache__', 'node_modules', 'site-packages', 'dist-packages']);

/** Patterns of the layers, for one DAG or, with null, for any. All layers count: they add up. */
function patternsOf(layers: readonly ProjectLayer[], dagId: string | null): readonly Pattern[] {
  return layers.flatMap((layer) => {
    const { include_files: all = [], dags = {} } = layer.settings;
    const own = Object.entries(dags).filter(([id]) => dagId === null || id === dagId).flatMap(([id, { include_files: texts = [] }]) => texts.map((text, index) => ({ text, layer, at: ['dags', id, 'include_files', index] })));
    return [...all.map((text, index) => ({ text, layer, at: ['include_files', index] })), ...own];
  });
}

/** Whether a file lies where a pattern of the layers has it travel with some DAG. @param path whole path */
export function isIncluded(layers: readonly ProjectLayer[], path: string): boolean {
  return patternsOf(layers, null).some(({ text, layer }) => pathPattern(text).test(relative(layer.folder, path).split(sep).join('/')));
}

/** Folders that hold all that the patterns of the layers may find, whole paths. */
export function foldersOfIncluded(layers: readonly ProjectLayer[]): readonly string[] {
  return patternsOf(layers, null).filter(({ text }) => !leavesFolder(text)).map(({ text, layer }) => resolve(layer.folder, fixedPart(text)));
}

/** The DAG with the files that its project names for it. What is wrong is in `problems`, each with its place in leoflow.yaml. */
export function withIncluded(one: CompiledDag, { layers, root }: { readonly layers: readonly ProjectLayer[]; readonly root: string }): { readonly dag: CompiledDag; readonly problems: Included['problems']; readonly warnings: Included['warnings'] } {
  const { files, problems, warnings } = findIncluded(patternsOf(layers, one.dag.dag_id), root);
  const added = files.filter((path) => !one.sources.some((source) => source.path === path)).map((path) => ({ path, content: readFileSync(join(root, path)) }));
  if (added.length === 0) return { dag: one, problems, warnings };
  const digests = added.map(({ path, content }) => ({ path, sha256: createHash('sha256').update(content).digest('hex') }));
  return { dag: { ...one, dag: { ...one.dag, sources: [...one.dag.sources, ...digests] }, sources: [...one.sources, ...added] }, problems, warnings };
}

function findIncluded(patterns: readonly Pattern[], root: string): Included {
  const files = new Set<string>();
  const problems: CompileProblem[] = [];
  const warnings: CompileProblem[] = [];
  let bytes = 0;
  for (const { text, layer, at } of patterns) {
    const say = (message: string, hint: string): CompileProblem => ({ file: layer.path, ...layer.placeOf(at), message: `include_files: ${text} ${message}`, hint });
    if (leavesFolder(text)) {
      problems.push(say('leads out of the folder of this leoflow.yaml', 'Move it into the leoflow.yaml of a folder that holds the files.'));
      continue;
    }
    const found = filesOf(text, { folder: layer.folder, root });
    if (found.length === 0) warnings.push(say('matches no file', 'Hidden files count when they are named in full; installed packages and caches never do.'));
    for (const path of found) {
      if (!files.has(path)) bytes += statSync(join(root, path)).size;
      files.add(path);
    }
    if (files.size > LIMITS.maxIncludedFiles || bytes > LIMITS.maxIncludedBytes) {
      problems.push(say(`is too much: up to ${LIMITS.maxIncludedFiles} files and ${LIMITS.maxIncludedBytes / 1e6} MB travel with a DAG by include_files`, 'Name less, or let tasks read large files from a place that all machines share.'));
      break;
    }
  }
  return { files: problems.length > 0 ? [] : [...files].sort(), problems, warnings };
}

function leavesFolder(text: string): boolean {
  return text.startsWith('/') || text.split('/').includes('..');
}

/** Folders before the first wildcard. Of a pattern without one its last name may be a file's. */
function fixedPart(text: string): string {
  const names = text.replace(/\/+$/, '').split('/');
  const wild = names.findIndex((name) => /[*?]/.test(name));
  return names.slice(0, wild === -1 ? -1 : wild).join('/') || '.';
}

/** Paths from the root of what a pattern names below a folder. */
function filesOf(text: string, { folder, root }: { readonly folder: string; readonly root: string }): readonly string[] {
  const pattern = pathPattern(text);
  const real = realpathSync(root);
  const found: string[] = [];
  const take = (path: string): void => {
    if (!realpathSync(path).startsWith(`${real}${sep}`) || !pattern.test(relative(folder, path).split(sep).join('/'))) return;
    found.push(relative(root, path).split(sep).join('/'));
  };
  const visit = (path: string | null): void => {
    if (path === null) return;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || FOREIGN.has(entry.name) || found.length > LIMITS.maxIncludedFiles) continue;
      const inner = join(path, entry.name);
      if (entry.isDirectory() && !existsSync(join(inner, 'pyvenv.cfg'))) visit(inner);
      else if (isFile(entry, inner)) take(inner);
    }
  };
  const named = resolve(folder, text);
  const starts = [named, resolve(folder, fixedPart(text))].map((path) => ({ path, is: statSync(path, { throwIfNoEntry: false }) }));
  if (starts[0]?.is?.isFile() === true) take(named);
  else visit(starts.find(({ is }) => is?.isDirectory() === true)?.path ?? null);
  return found;
}

/** A link to a file is one. */
function isFile(entry: Dirent, path: string): boolean {
  return entry.isFile() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
