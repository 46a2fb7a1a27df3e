// Secrets in a folder, one file each, as Docker and Kubernetes mount them: variables/KEY, connections/ID.
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { SecretsBackend } from '#contract/secrets.ts';
import { errorText } from '#platform/report.ts';
import { readConnection } from './read-connection.ts';

/** A mounted secret is at most this large (Kubernetes' own limit). */
const MAX_BYTES = 1024 * 1024;
/** Codes of the file system that say: there is no such file. */
const ABSENT: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

/** Reads `folder` anew for each look-up, since mounted secrets change under a running server. */
export function createFilesBackend(folder: string): SecretsBackend {
  const name = `files in ${folder}`;
  const find = async (kind: string, id: string): Promise<string | null> => {
    if (!isFileName(id)) return null;
    try {
      return await readWithin(folder, join(folder, kind, id));
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      throw new AppError('secrets_unavailable', `${kind}/${id} of the ${name} cannot be read (${errorText(cause)})`, { cause });
    }
  };
  return {
    name,
    findVariable: (key) => find('variables', key),
    async findConnection(connId) {
      const text = await find('connections', connId);
      return text === null ? null : readConnection(connId, text, `the ${name}`);
    },
  };
}

/** A name that is one file of a folder and leads nowhere else. */
function isFileName(id: string): boolean {
  return id !== '' && !id.startsWith('.') && !['/', '\\', '\0'].some((char) => id.includes(char));
}

/** The text of a file without its last newline; null when there is none. Links may lead about inside the folder (Kubernetes' do), not out of it. */
async function readWithin(folder: string, path: string): Promise<string | null> {
  try {
    const [root, real] = [await realpath(folder), await realpath(path)];
    if (!real.startsWith(`${root}${sep}`)) throw new AppError('secret_unreadable', `${path} leads out of its folder`);
    const found = await stat(real);
    if (!found.isFile()) return null;
    if (found.size > MAX_BYTES) throw new AppError('secret_unreadable', `${path} is larger than ${MAX_BYTES} bytes`);
    return (await readFile(real, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.has(error.code)) return null;
    throw error;
  }
}
