// Functions for Node that a dag.yaml names: whether they are there, and which modules travel with them.
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Drawing } from '#contract/drawing.ts';
import { suggest } from '#platform/config.ts';
import type { Compiled, CompileProblem, CompileRequest } from './compiled.ts';
import type { PlaceOf } from './from-drawing.ts';
import { drawModule, withModules } from './from-typescript.ts';

interface Named { readonly module: string; readonly name: string; readonly dagIndex: number; readonly path: readonly (string | number)[] }

/** Imports each module once, in a bounded child. The answer has its problems, and the local modules it imports among the sources. */
export async function addNodeModules(request: CompileRequest, compiled: Compiled, drawn: { readonly drawings: readonly Drawing[]; readonly place: PlaceOf }): Promise<Compiled> {
  const named = drawn.drawings.flatMap((drawing, dagIndex) => functionsIn(drawing.tasks, ['tasks']).flatMap(({ reference, path }) => {
    const [file = '', name = ''] = reference.split('#');
    const module = [posix.join(posix.dirname(request.file), file), posix.normalize(file)].find((path) => !path.startsWith('..') && existsSync(join(request.root, path)));
    return module === undefined ? [] : [{ module, name, dagIndex, path }];
  }));
  const problems: CompileProblem[] = [];
  const modules = new Set<string>();
  for (const module of new Set(named.map((one) => one.module))) {
    const read = await drawModule({ ...request, file: module });
    if ('message' in read) {
      problems.push(read);
      continue;
    }
    problems.push(...read.problems.map(({ isImport: _import, ...problem }) => problem));
    for (const path of [module, ...read.modules]) modules.add(path);
    const isKnown = ({ name }: Named): boolean => read.exports.includes(name) || read.dags.length > 0 || read.problems.length > 0;
    problems.push(...named.filter((one) => one.module === module && !isKnown(one)).map((one) => missing(request, one, { place: drawn.place, exports: read.exports })));
  }
  if (modules.size === 0 && problems.length === 0) return compiled;
  const dags = problems.length > 0 ? [] : compiled.dags.map((dag) => withModules(request, dag, [...modules]));
  return { ...compiled, dags, problems: [...compiled.problems, ...problems], read: [...new Set([...(compiled.read ?? []), ...modules])] };
}

function missing(request: CompileRequest, { module, name, dagIndex, path }: Named, { place, exports }: { place: PlaceOf; exports: readonly string[] }): CompileProblem {
  const at = place(dagIndex, path);
  return { file: request.file, line: at?.line ?? null, column: at?.column ?? null, message: `${module} exports no function ${name}${suggest(name, exports)}`, hint: null };
}

function functionsIn(tasks: unknown, path: readonly (string | number)[]): { reference: string; path: readonly (string | number)[] }[] {
  if (typeof tasks !== 'object' || tasks === null) return [];
  return Object.entries(tasks).flatMap(([id, entry]: [string, unknown]) => {
    if (typeof entry !== 'object' || entry === null) return [];
    if ('node' in entry && typeof entry.node === 'string') return [{ reference: entry.node, path: [...path, id, 'node'] }];
    return 'tasks' in entry ? functionsIn(entry.tasks, [...path, id, 'tasks']) : [];
  });
}
