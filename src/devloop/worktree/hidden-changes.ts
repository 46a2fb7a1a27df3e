// Changes that git was told to overlook: files marked --assume-unchanged or --skip-worktree that stand otherwise than the index says.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, splitPaths } from './byte-paths.ts';
import { git, tryGit } from './git.ts';
import { entryExists } from './place-files.ts';
import { scratchFolder } from './scratch-folder.ts';

/** Paths below `dir`. `env` leads git to the tree. */
export async function findHiddenChanges(dir: string, env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const listed = splitPaths(await git(['ls-files', '-v', '-s', '-z'], { cwd: dir, env, encoding: 'latin1' }));
  // A letter says how it is marked: small for assumed, S for skipped. Submodules are looked at for themselves.
  const marked = listed.filter((line) => /^[a-zS] (?!160000)/.test(line) && entryExists(join(dir, line.slice(line.indexOf('\t') + 1))));
  if (marked.length === 0) return [];
  const folder = mkdtempSync(join(scratchFolder(), 'hidden-'));
  try {
    // An index without marks, and without times: git looks at every file in it.
    const plain = { ...env, GIT_INDEX_FILE: join(folder, 'index') };
    await git(['update-index', '-z', '--index-info'], { cwd: dir, env: plain, input: Buffer.concat(marked.map((line) => bytesOf(`${line.slice(2)}\0`))) });
    await tryGit(['update-index', '-q', '--refresh'], { cwd: dir, env: plain });
    return splitPaths(await git(['diff-files', '--name-only', '-z'], { cwd: dir, env: plain, encoding: 'latin1' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
