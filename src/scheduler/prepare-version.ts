// Brings a DAG version's source files to this machine: once, whole, in a folder named by the version.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { VersionId } from '#contract/ids.ts';
import type { PreparedVersion } from '#executor/executor.ts';
import type { Database } from '#store/database.ts';
import { findSpec, listSources } from '#store/dag-versions.ts';

/**
 * Writes the sources below `folder/<version id>` unless they are there. A version never changes, so what is there is right.
 * @param livePath folders that imports may also come from (the project's own, in lite)
 */
export async function prepareVersion(database: Database, versionId: VersionId, place: { folder: string; livePath: (dagId: string) => readonly string[] }): Promise<PreparedVersion> {
  const dag = await findSpec(database, versionId);
  if (dag === null) throw new AppError('not_found', `the DAG version ${versionId} is gone`);
  const root = join(place.folder, versionId);
  const [first] = dag.sources;
  if (first === undefined) throw new AppError('invalid_dag', `the version of ${dag.dag_id} holds no source file`);
  if (!existsSync(root)) {
    const sources = await listSources(database, dag);
    if (sources.length < dag.sources.length) throw new AppError('not_found', `source files of ${dag.dag_id} are missing in the store`);
    const temporary = `${root}.${process.pid}.tmp`;
    rmSync(temporary, { recursive: true, force: true });
    for (const source of sources) {
      const path = join(temporary, safePath(source.path));
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
      writeFileSync(path, source.content, { mode: 0o440 });
    }
    try {
      renameSync(temporary, root);
    } catch (error) {
      // Another server of this machine was faster.
      if (!existsSync(root)) throw error;
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  return { versionId, dagId: dag.dag_id, root, dagFile: first.path, path: place.livePath(dag.dag_id) };
}

/** A path of a pushed version stays below its folder. */
function safePath(path: string): string {
  const normal = normalize(path);
  if (normal.startsWith('/') || normal.split('/').includes('..')) throw new AppError('invalid_dag', `the source path ${path} leaves its folder`);
  return normal;
}
