// What the code of a project needs, as leoflow.yaml says it: requirement files read into lists, so that a version names all of it.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Dag } from '#contract/dag.ts';
import { requirementFault } from '#core/requirement.ts';
import type { CompileProblem } from './compiled.ts';
import type { ProjectLayer } from './project-file.ts';

type PythonNeeds = NonNullable<NonNullable<Dag['environment']>['python']>;

/** `node` is the package.json and its lock file, with their contents: they travel with the version. */
export interface Dependencies {
  readonly python: PythonNeeds | null;
  readonly node: { readonly manifest: Buffer; readonly lock: Buffer | null } | null;
  readonly problems: readonly CompileProblem[];
}

/** The name under which package.json travels. */
export const MANIFEST = 'package.json';
/** The name under which its lock file travels. */
export const LOCK = 'package-lock.json';
const MAX_DEPTH = 5;

/** Reads what the nearest layer says of each language. */
export function readDependencies(layers: readonly ProjectLayer[]): Dependencies {
  const problems: CompileProblem[] = [];
  let python: PythonNeeds | null = null;
  let node: Dependencies['node'] = null;
  for (const layer of layers) {
    const { dependencies } = layer.settings;
    if (dependencies?.python !== undefined) python = new RequirementReader(layer, problems).needs(dependencies.python);
    if (dependencies?.node !== undefined) node = readManifest(layer, dependencies.node, problems);
  }
  return { python, node, problems };
}

function readManifest(layer: ProjectLayer, path: string, problems: CompileProblem[]): Dependencies['node'] {
  const full = join(layer.folder, path);
  const say = (message: string): null => {
    problems.push({ file: layer.path, ...layer.placeOf(['dependencies', 'node']), message, hint: null });
    return null;
  };
  if (!existsSync(full)) return say(`dependencies.node: ${path} does not exist`);
  const manifest = readFileSync(full);
  try {
    JSON.parse(manifest.toString('utf8'));
  } catch (error) {
    return say(`dependencies.node: ${path} is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  const lock = join(dirname(full), LOCK);
  return { manifest, lock: existsSync(lock) ? readFileSync(lock) : null };
}

type Said = NonNullable<NonNullable<ProjectLayer['settings']['dependencies']>['python']>;

/** Requirements and constraints as lists of lines, with everything that cannot travel refused. */
class RequirementReader {
  readonly #layer: ProjectLayer;
  readonly #problems: CompileProblem[];
  readonly #constraints: string[] = [];

  constructor(layer: ProjectLayer, problems: CompileProblem[]) {
    this.#layer = layer;
    this.#problems = problems;
  }

  needs(said: Said): PythonNeeds {
    const { version, requirements = [], constraints = [] } = typeof said === 'string' || Array.isArray(said) ? { requirements: said } : said;
    const wanted = this.#lines(requirements);
    const held = [...this.#lines(constraints), ...this.#constraints];
    return { ...(version === undefined ? {} : { version }), requirements: wanted, ...(held.length === 0 ? {} : { constraints: held }) };
  }

  #lines(said: string | readonly string[]): string[] {
    if (typeof said !== 'string') return said.flatMap((line, index) => this.#line(line, { file: this.#layer.path, line: this.#layer.placeOf(['dependencies', 'python']).line + index, depth: 0 }));
    return this.#file(join(this.#layer.folder, said), { file: this.#layer.path, line: this.#layer.placeOf(['dependencies', 'python']).line, depth: 0 });
  }

  #file(path: string, from: From): string[] {
    if (!existsSync(path)) return this.#refuse(from, `${path} does not exist`, null);
    if (from.depth > MAX_DEPTH) return this.#refuse(from, `${path}: requirement files include each other more than ${MAX_DEPTH} deep`, null);
    const lines = readFileSync(path, 'utf8').replaceAll('\r', '').split('\n');
    const read: string[] = [];
    let held = '';
    for (const [index, line] of lines.entries()) {
      if (line.endsWith('\\')) held += `${line.slice(0, -1)} `;
      else {
        read.push(...this.#line(held + line, { file: path, line: index + 1, depth: from.depth + 1 }));
        held = '';
      }
    }
    return read;
  }

  #line(text: string, from: From): string[] {
    const line = text.replace(/(^|\s)#.*$/, '').replaceAll(/\s+/g, ' ').trim();
    if (line === '') return [];
    const included = /^(?:-r|--requirement)[ =]?(.+)$/.exec(line)?.[1];
    if (included !== undefined) return this.#file(join(dirname(from.file), included.trim()), from);
    const constraint = /^(?:-c|--constraint)[ =]?(.+)$/.exec(line)?.[1];
    if (constraint !== undefined) {
      this.#constraints.push(...this.#file(join(dirname(from.file), constraint.trim()), from));
      return [];
    }
    const fault = requirementFault(line);
    if (fault === null) return [line];
    const isOption = line.startsWith('-');
    return this.#refuse(from, `${isOption ? line.split(' ')[0] : line}: ${fault}`, isOption ? 'Set it where environments are built: PIP_INDEX_URL and its like, or pip.conf.' : 'Publish the package, or put the code beside the DAG file.');
  }

  #refuse(from: From, message: string, hint: string | null): [] {
    this.#problems.push({ file: from.file, line: from.line, column: null, message, hint });
    return [];
  }
}

interface From { readonly file: string; readonly line: number; readonly depth: number }
