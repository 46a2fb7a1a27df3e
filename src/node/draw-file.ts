// Imports a DAG file in a process of its own and prints what it draws, which local modules it imports and what is wrong, as JSON.
import { realpathSync, writeSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { type Place, placeOfFrame } from '#sdk/call-place.ts';
import { registry } from '#sdk/registry.ts';
import { ModuleLoader } from './load-module.ts';
import { resolveLeoflow } from './resolve-leoflow.ts';
import { exitProcess, guardImports } from './watch-body.ts';

/** What is asked, as JSON in the first argument. `folders`: where packages may lie beside the project's own. */
export interface DrawRequest {
  readonly root: string;
  readonly file: string;
  readonly folders: readonly string[];
  readonly limitSeconds: number;
}

/** A finding; `file` is below the project. `isImport`: the file does not import at all. */
export interface DrawFinding {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly hint: string | null;
  readonly isImport: boolean;
}

/** The answer. `places`: line and column by full id of a task or group, the DAG's own by the empty text. */
export interface DrawAnswer {
  readonly dags: readonly { readonly drawing: unknown; readonly places: Readonly<Record<string, { readonly line: number; readonly column: number }>> }[];
  readonly modules: readonly string[];
  /** Names that the file exports. */
  readonly exports: readonly string[];
  readonly problems: readonly DrawFinding[];
}

const request = JSON.parse(process.argv[2] ?? '{}') as DrawRequest;
const root = realpathSync(request.root);
const target = join(root, request.file);

/** Path below the project with /; null for what lies elsewhere or in node_modules. */
function localPath(file: string): string | null {
  const path = relative(root, file).split(sep).join('/');
  return path.startsWith('../') || path.startsWith('/') || /(^|\/)node_modules\//.test(path) ? null : path;
}

async function draw(): Promise<DrawAnswer> {
  const modules = new Set<string>();
  resolveLeoflow({ folders: [root, ...request.folders], onResolved: (file) => void modules.add(file) });
  const state = registry();
  state.file = request.file;
  const loaded = await new ModuleLoader(root, request.limitSeconds).load(request.file);
  const problems = state.problems.map(({ place, message, hint }) => finding(place, { message, hint, isImport: false }));
  if (loaded.kind === 'failed') problems.push(importFinding(loaded.error));
  else for (const wanted of state.exports) {
    if (loaded.exported[wanted.name] !== wanted.value) problems.push(finding(wanted.place, { message: `values are mapped through ${wanted.name}, which ${request.file} does not export`, hint: `Write \`export function ${wanted.name}(…)\` at the top of the file: the process that maps finds it by this name.`, isImport: false }));
  }
  const inFile = (places: ReadonlyMap<string, Place>): [string, { line: number; column: number }][] => [...places].filter(([, place]) => place.file === target).map(([id, { line, column }]) => [id, { line, column }]);
  return {
    dags: state.dags.map(({ drawing, places }) => ({ drawing, places: Object.fromEntries(inFile(places)) })),
    modules: [...modules].map(localPath).filter((path) => path !== null && path !== request.file) as string[],
    exports: loaded.kind === 'failed' ? [] : Object.keys(loaded.exported),
    problems,
  };
}

function finding(place: Place | null, what: Pick<DrawFinding, 'message' | 'hint' | 'isImport'>): DrawFinding {
  const file = place === null ? null : localPath(place.file);
  return { file: file ?? request.file, line: file === null ? null : (place?.line ?? null), column: file === null ? null : (place?.column ?? null), ...what };
}

/** The innermost place of the project in what was thrown. */
function importFinding(error: Error): DrawFinding {
  const thrown = error.cause instanceof Error ? error.cause : error;
  const places = String(thrown.stack ?? '').split('\n').map(placeOfFrame).filter((place) => place !== null && localPath(place.file) !== null);
  const code = 'code' in thrown ? thrown.code : null;
  const hint = code === 'ERR_MODULE_NOT_FOUND' ? 'Install the package, or write local imports with their extension: ./file.ts.'
    : code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' ? 'Node strips types and nothing else: write no enum, namespace or parameter property.' : null;
  return finding(places[0] ?? null, { message: error.message.replace(`the module ${request.file} does not import: `, ''), hint, isImport: true });
}

guardImports();
// What the file prints must not mix with the answer.
process.stdout.write = process.stderr.write.bind(process.stderr);
const answer = Buffer.from(JSON.stringify(await draw()), 'utf8');
for (let written = 0; written < answer.length; ) written += writeSync(1, answer, written);
exitProcess(0);
