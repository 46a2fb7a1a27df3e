// Imports a project's modules: within a time, and with an error that says which one and why.
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Drawing, DrawnFile } from '#contract/drawing.ts';

/** A module's exports, or why there are none. */
export type Loaded = { readonly kind: 'loaded'; readonly exported: Readonly<Record<string, unknown>> } | { readonly kind: 'failed'; readonly error: Error };

/** Modules by their paths inside the project; each is imported once. */
export class ModuleLoader {
  readonly #root: string;
  readonly #limitSeconds: number;
  readonly #loaded = new Map<string, Promise<Loaded>>();

  constructor(root: string, limitSeconds: number) {
    this.#root = root;
    this.#limitSeconds = limitSeconds;
  }

  load(path: string): Promise<Loaded> {
    const known = this.#loaded.get(path) ?? this.#import(path);
    this.#loaded.set(path, known);
    return known;
  }

  async #import(path: string): Promise<Loaded> {
    const { promise, resolve } = Promise.withResolvers<Loaded>();
    const fail = (error: Error): void => resolve({ kind: 'failed', error });
    const timer = setTimeout(() => fail(importError(path, `it is still importing after ${this.#limitSeconds} s: move slow work from the top of the file into tasks`)), this.#limitSeconds * 1000);
    // Without this timer the loop may be empty: then an await at the top waits for what never comes.
    timer.unref();
    const onEmpty = (): void => fail(importError(path, 'an await at the top of the file waits for a promise that nothing can settle any more'));
    process.on('beforeExit', onEmpty);
    import(pathToFileURL(join(this.#root, path)).href).then((exported: Record<string, unknown>) => resolve({ kind: 'loaded', exported }), (thrown: unknown) => {
      fail(importError(path, thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown), thrown));
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      process.off('beforeExit', onEmpty);
    }
  }
}

function importError(path: string, why: string, cause?: unknown): Error {
  const error = new Error(`the module ${path} does not import: ${why}`, cause === undefined ? {} : { cause });
  error.name = 'ImportError';
  error.stack = `ImportError: ${error.message}`;
  return error;
}

/** Path below the project of a file that a drawing names: beside the drawing, else from the project's folder. */
export function findModule(root: string, dagFile: string, name: string): string {
  const beside = posix.normalize(posix.join(posix.dirname(dagFile), name));
  return existsSync(join(root, beside)) ? beside : posix.normalize(name);
}

/** The drawing of a DAG, from the source `<file>.json` that travels with a version. */
export function readDrawnFile(root: string, file: string, dagId: string): Drawing {
  const { dags } = JSON.parse(readFileSync(join(root, `${file}.json`), 'utf8')) as DrawnFile;
  const found = dags.find((drawing) => drawing.dag_id === dagId);
  if (found === undefined) throw new Error(`${file} has no DAG ${dagId}; it has ${dags.map((drawing) => drawing.dag_id).join(', ')}`);
  return found;
}
