// dag.ts to dag.json: its types are checked, it is drawn in a bounded child, and the drawing is compiled as any other.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '#contract/config.ts';
import type { Drawing } from '#contract/drawing.ts';
import { run } from '#platform/exec.ts';
import { checkTypes } from './check-types.ts';
import type { Compiled, CompiledDag, CompileProblem, CompileRequest } from './compiled.ts';
import { compileDrawing, type PlaceOf } from './from-drawing.ts';

const NODE_FOLDER = join(import.meta.dirname, '..', 'node');
const EXTENSION = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';

interface Answer {
  readonly dags: readonly { readonly drawing: Drawing; readonly places: Readonly<Record<string, { readonly line: number; readonly column: number }>> }[];
  readonly modules: readonly string[];
  readonly exports: readonly string[];
  readonly problems: readonly (CompileProblem & { readonly isImport: boolean })[];
}

/** Compiles one TypeScript or JavaScript file. A type that does not fit refuses it. Throws `python_missing`. */
export async function compileTypeScript(request: CompileRequest): Promise<Compiled> {
  const isTyped = /\.m?ts$/.test(request.file);
  const [types, drawn] = await Promise.all([isTyped ? checkTypes(request) : [], drawModule(request)]);
  if ('message' in drawn) return { dags: [], problems: types.length > 0 ? types : [drawn], warnings: [] };
  // What does not compile often does not import either: once is enough.
  const found = drawn.problems.filter(({ isImport }) => !isImport || types.length === 0).map(({ file, line, column, message, hint }): CompileProblem => ({ file, line, column, message, hint }));
  const read = drawn.modules.filter((path) => path !== request.file);
  const refused = [...types, ...found];
  if (refused.length > 0 || drawn.dags.length === 0) return { dags: [], problems: refused, warnings: [], read };
  const compiled = await compileDrawing(request, drawn.dags.map(({ drawing }) => drawing), placesIn(drawn.dags));
  return { ...compiled, dags: compiled.dags.map((dag) => withModules(request, dag, read)), read: [...new Set([...read, ...(compiled.read ?? [])])].filter((path) => path !== request.file) };
}

/** The local modules that the file imports travel with it, before the drawings. */
export function withModules({ root }: CompileRequest, { dag, sources }: CompiledDag, modules: readonly string[]): CompiledDag {
  const missing = modules.filter((path) => !dag.sources.some((source) => source.path === path)).sort().map((path) => ({ path, content: readFileSync(join(root, path)) }));
  const digests = missing.map(({ path, content }) => ({ path, sha256: createHash('sha256').update(content).digest('hex') }));
  return { dag: { ...dag, sources: [...dag.sources.slice(0, -1), ...digests, ...dag.sources.slice(-1)] }, sources: [...sources.slice(0, -1), ...missing, ...sources.slice(-1)] };
}

/** Keys down to a task are its groups' and its own: its place is where it is called. */
function placesIn(dags: Answer['dags']): PlaceOf {
  return (index, path) => {
    const one = dags[index];
    if (one === undefined) return null;
    let entry: unknown = one.drawing;
    let [prefix, found] = ['', ''];
    for (const [at, key] of path.entries()) {
      if (at % 2 === 1 && path[at - 1] === 'tasks') {
        found = prefix + String(key);
        entry = (entry as Record<string, unknown> | undefined)?.[String(key)];
        prefix = typeof entry === 'object' && entry !== null && 'prefix_group_id' in entry && entry.prefix_group_id === false ? prefix : `${found}.`;
      } else if (key === 'tasks') entry = (entry as Record<string, unknown> | undefined)?.['tasks'];
      else break;
    }
    return one.places[found] ?? one.places[''] ?? null;
  };
}

/** Imports a module in a bounded child. @returns what it draws, exports and imports, or the problem that it could not be imported */
export async function drawModule(request: CompileRequest): Promise<Answer | CompileProblem> {
  const failed = (message: string, hint: string | null): CompileProblem => ({ file: request.file, line: null, column: null, message, hint });
  const asked = { root: request.root, file: request.file, folders: [...request.importPaths, ...(request.nodeModules === null ? [] : [join(request.nodeModules, '..')])], limitSeconds: request.importTimeoutSeconds };
  const done = await run(process.execPath, ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', join(NODE_FOLDER, `draw-file.${EXTENSION}`), JSON.stringify(asked)], {
    cwd: request.root, env: { ...(request.bytecode === null ? {} : { NODE_COMPILE_CACHE: join(request.bytecode, 'node') }), ...request.environment }, timeoutMs: (request.importTimeoutSeconds + 5) * 1000, maxOutputBytes: LIMITS.maxParseOutputBytes,
  });
  if (done.timedOut) return failed(`importing took longer than ${request.importTimeoutSeconds} s`, 'Move slow work from the top of the file into tasks, or raise LEOFLOW_IMPORT_TIMEOUT_SECONDS.');
  if (done.overflowed) return failed(`the file printed more than ${LIMITS.maxParseOutputBytes} bytes while it was imported`, 'Print less at the top of the file.');
  if (done.status === 0) return JSON.parse(done.stdout) as Answer;
  const how = done.signal === null ? `status ${done.status}` : `signal ${done.signal}`;
  return failed(`Node ended with ${how} while the file was imported: ${done.stderr.trim().split('\n').slice(-3).join(' | ') || 'no output'}`, null);
}
