// Where a project's imports lead: 'leoflow' to this SDK when the project has none, packages also to the project's own folder.
import { existsSync } from 'node:fs';
import { registerHooks, type ResolveHookSync } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** `folders`: where packages may lie besides above the importing file. `onResolved` hears of every file imported. */
export interface ResolveOptions {
  readonly folders: readonly string[];
  readonly onResolved?: (file: string) => void;
}

const SDK = join(import.meta.dirname, '..', 'sdk');
const EXTENSION = existsSync(join(SDK, 'leoflow.ts')) ? 'ts' : 'js';
const OWN: Readonly<Record<string, string>> = { leoflow: `leoflow.${EXTENSION}`, 'leoflow/testing': `testing.${EXTENSION}` };

/** Sets the hooks for all imports that follow. */
export function resolveLeoflow({ folders, onResolved }: ResolveOptions): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = resolveAnywhere(specifier, folders, (parentURL) => next(specifier, parentURL === undefined ? context : { ...context, parentURL }));
      if (resolved.url.startsWith('file:')) onResolved?.(fileURLToPath(resolved.url));
      return resolved;
    },
  });
}

type Resolved = ReturnType<ResolveHookSync>;

function resolveAnywhere(specifier: string, folders: readonly string[], resolve: (parentURL?: string) => Resolved): Resolved {
  try {
    return resolve();
  } catch (error) {
    if (!isMissing(error) || !/^[@a-zA-Z]/.test(specifier)) throw error;
    for (const folder of folders) {
      try {
        return resolve(pathToFileURL(join(folder, 'package.json')).href);
      } catch (other) {
        if (!isMissing(other)) throw other;
      }
    }
    const own = OWN[specifier];
    if (own === undefined) throw error;
    return { url: pathToFileURL(join(SDK, own)).href, shortCircuit: true };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED');
}
