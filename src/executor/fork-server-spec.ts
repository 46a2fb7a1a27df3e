// What a launcher is told of a fork server: the version's files, its interpreters, and what runs bodies in Node.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ForkServerSpec } from '#contract/attempt.ts';
import type { PreparedVersion } from './executor.ts';

const NODE_FOLDER = join(import.meta.dirname, '..', 'node');

/** The program that runs one body in Node: a TypeScript source here, JavaScript in the published form. */
export const NODE_RUNNER = ['run-task.ts', 'run-task.js'].map((name) => join(NODE_FOLDER, name)).find((path) => existsSync(path)) ?? '';

/** The spec of a fork server for a version. */
export function forkServerSpec(id: string, version: PreparedVersion, machine: { readonly home: string; readonly python: string; readonly environment: Readonly<Record<string, string>>; readonly importTimeoutSeconds: number }): ForkServerSpec {
  return {
    id, version_id: version.versionId, dag_id: version.dagId, root: version.root, dag_file: version.dagFile, path: version.path,
    python: version.python ?? machine.python, env: machine.environment, log_file: join(machine.home, 'logs', 'imports.log'), import_timeout_seconds: machine.importTimeoutSeconds,
    ...(version.taskSdk === undefined ? {} : { runtime: 'airflow' as const }),
    ...(version.importSecrets === undefined ? {} : { import_secrets: version.importSecrets }),
    ...(version.nodeModules.length === 0 ? {} : { node: { interpreter: version.node ?? process.execPath, runner: NODE_RUNNER, modules: version.nodeModules } }),
  };
}
