// Brings a DAG version's source files to this machine: once, whole, in a folder named by the version.
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { Dag } from '#contract/dag.ts';
import type { ConnectionValue } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import type { Secrets } from '#contract/secrets.ts';
import { type Environments, ownNode } from '#platform/environments.ts';
import type { PreparedVersion } from '#executor/executor.ts';
import type { Database } from '#store/database.ts';
import { findSpec, listSources } from '#store/dag-versions.ts';
import { findConnection, useVariable } from './secret-access.ts';

/** Where versions and environments lie, which interpreter makes Python ones, and who hears of it. */
export interface VersionPlace {
  readonly folder: string;
  readonly environments: Environments;
  readonly python: string;
  readonly say: (text: string) => void;
  readonly secrets: Secrets;
}

/** Writes the sources below `folder/<version id>` and builds its environment, unless they are there. A version never changes, so what is there is right. */
export async function prepareVersion(database: Database, versionId: VersionId, place: VersionPlace): Promise<PreparedVersion> {
  const dag = await findSpec(database, versionId);
  if (dag === null) throw new AppError('not_found', `the DAG version ${versionId} is gone`);
  const root = join(place.folder, versionId);
  const [first] = dag.sources;
  if (first === undefined) throw new AppError('invalid_dag', `the version of ${dag.dag_id} holds no source file`);
  const python = dag.environment?.python === undefined ? null : await place.environments.python(dag.environment.python, place.python, place.say);
  if (!existsSync(root) || dag.environment?.node !== undefined) await writeSources(database, { dag, root, place });
  return { ...(await importSecretsOf(dag, place.secrets)), versionId, dagId: dag.dag_id, root, dagFile: first.path, path: (dag.import_paths ?? []).map((path) => join(root, safePath(path))), python, node: ownNode(join(root, 'node_modules')), ...runtimesOf(dag), ...(dag.runtime === 'airflow' ? { taskSdk: true as const } : {}) };
}

/** What the bodies run in, and the modules of those in Node. */
function runtimesOf(dag: Dag): Pick<PreparedVersion, 'runtimes' | 'nodeModules'> {
  const bodies = dag.tasks.map(({ body }) => body);
  const nodeModules = [...new Set(bodies.flatMap((body) => (body.kind === 'node' ? [body.module] : [])))];
  const needsPython = nodeModules.length === 0 || bodies.some(({ kind }) => kind !== 'node' && kind !== 'empty');
  return { nodeModules, runtimes: [...(needsPython ? ['python' as const] : []), ...(nodeModules.length > 0 ? ['node' as const] : [])] };
}

/** What the file reads while it is imported. A value that is gone since is for the file to complain about. */
async function importSecretsOf(dag: Dag, secrets: Secrets): Promise<Pick<PreparedVersion, 'importSecrets'>> {
  if (dag.import_reads === undefined) return {};
  const variables: Record<string, string> = {};
  const connections: Record<string, ConnectionValue> = {};
  for (const key of dag.import_reads.variables ?? []) {
    const value = await useVariable(secrets, dag, { op: 'get', key });
    if (value !== null) variables[key] = value;
  }
  for (const id of dag.import_reads.connections ?? []) {
    const connection = await findConnection(secrets, dag, id);
    if (connection !== null) connections[id] = connection;
  }
  return { importSecrets: { variables, connections } };
}

async function writeSources(database: Database, { dag, root, place }: { readonly dag: Dag; readonly root: string; readonly place: VersionPlace }): Promise<void> {
  const sources = await listSources(database, dag);
  if (sources.length < dag.sources.length) throw new AppError('not_found', `source files of ${dag.dag_id} are missing in the store`);
  const { node } = dag.environment ?? {};
  const content = (path: string | undefined): Buffer | null => {
    const source = sources.find((one) => one.path === path);
    return source === undefined ? null : Buffer.from(source.content);
  };
  const manifest = content(node?.manifest);
  const modules = manifest === null ? null : await place.environments.node({ manifest, lock: content(node?.lock) }, place.say);
  if (existsSync(root)) return;
  const temporary = `${root}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  for (const source of sources) {
    const path = join(temporary, safePath(source.path));
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    writeFileSync(path, source.content, { mode: 0o440 });
  }
  if (modules !== null) symlinkSync(modules, join(temporary, 'node_modules'));
  try {
    renameSync(temporary, root);
  } catch (error) {
    // Another server of this machine was faster.
    if (!existsSync(root)) throw error;
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** A path of a pushed version stays below its folder. */
function safePath(path: string): string {
  const normal = normalize(path);
  if (normal.startsWith('/') || normal.split('/').includes('..')) throw new AppError('invalid_dag', `the source path ${path} leaves its folder`);
  return normal;
}
