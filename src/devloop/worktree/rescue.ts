// Saves what a removal would take: commits as a bundle, changes as patches, files as they are. Nothing is removed before it was read back.
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { folderNameOf, shellWord } from '#core/worktree-names.ts';
import { isoOf, wallMs } from '#platform/clock.ts';
import { stateFolder } from '#platform/config.ts';
import { copyEntry } from './copy-entry.ts';
import { digestOf } from './digest.ts';
import { gitOfTree, type TreeFacts } from './examine-tree.ts';
import { git, tryGit } from './git.ts';
import { type Repository, settingOf, type Tree } from './repository.ts';
import { scratchFolder } from './scratch-folder.ts';
import { explained } from './system-errors.ts';

/** What to save beside loose commits. */
export interface RescueRequest {
  readonly repository: Repository;
  readonly tree: Tree;
  readonly facts: TreeFacts;
  /** `loose`: only commits that nothing else holds. `all`: everything that is not on a remote. */
  readonly what: 'loose' | 'branch' | 'all';
  readonly withIgnored: boolean;
}

/** Where it lies, and how to get it back. */
export interface Rescued { readonly folder: string; readonly lines: readonly string[] }

/** Saves and verifies. Null when there is nothing to save. Throws when it cannot be verified: then nothing may be removed. */
export async function rescue(request: RescueRequest): Promise<Rescued | null> {
  const { repository, tree } = request;
  const folder = join(stateFolder(), 'rescued', basename(repository.primary).replace(/\.git$/, ''), `${folderNameOf(tree.branch ?? basename(tree.dir))}-${isoOf(wallMs()).replace(/[:.]/g, '-')}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return await saveAll(request, folder);
  } catch (error) {
    // Half a rescue looks like a whole one.
    rmSync(folder, { recursive: true, force: true });
    throw explained(error, folder, 'Nothing was removed.');
  }
}

async function saveAll(request: RescueRequest, folder: string): Promise<Rescued | null> {
  const { tree, facts, what } = request;
  const lines = [...(await saveCommits(request, folder)), ...(what === 'all' ? await saveChanges(request, folder) : [])];
  if (what === 'all') {
    if (request.withIgnored) lines.push(...saveFiles(request, { folder, name: 'ignored', paths: facts.ignored }));
    else if (facts.ignored.length > 0) {
      writeFileSync(join(folder, 'ignored.txt'), `${facts.ignored.join('\n')}\n`);
      lines.push(`${facts.ignored.length} ignored files and folders went with the tree; their names: ${join(folder, 'ignored.txt')}`);
    }
  }
  if (lines.length > 0) {
    writeFileSync(join(folder, 'README.txt'), `Of the working tree ${tree.dir} (${tree.branch ?? 'detached'}), commit ${tree.commit ?? 'none'}.\n${lines.join('\n')}\n`);
    return { folder, lines };
  }
  rmSync(folder, { recursive: true });
  return null;
}

/** Names in a bundle have to be refs: they are given in a repository made for that, which borrows the objects. */
async function saveCommits({ repository, tree, facts, what }: RescueRequest, folder: string): Promise<string[]> {
  const { commonDir } = repository;
  const refs = new Map(facts.loose.map((id, at) => [`refs/rescued/${at}`, id]));
  if (what !== 'loose' && tree.branch !== null) for (const [name, id] of await branchCommits(repository, tree.branch, tree.commit)) refs.set(name, id);
  if (refs.size === 0) return [];
  const remotes = (await git(['for-each-ref', '--format=%(objectname)', 'refs/remotes'], { cwd: commonDir })).split('\n').filter((id) => id !== '');
  const unsaved = await git(['rev-list', '--stdin', '-n', '1'], { cwd: commonDir, input: [...refs.values(), ...remotes.map((id) => `^${id}`), ''].join('\n') });
  if (unsaved.trim() === '') return [];
  const borrower = mkdtempSync(join(scratchFolder(), 'rescue-'));
  const bundle = join(folder, 'commits.bundle');
  try {
    await git(['init', '--quiet', '--bare', `--object-format=${settingOf(repository, 'extensions.objectformat') ?? 'sha1'}`, borrower], { cwd: commonDir });
    writeFileSync(join(borrower, 'objects', 'info', 'alternates'), `${join(commonDir, 'objects')}\n`);
    if (existsSync(join(commonDir, 'shallow'))) copyFileSync(join(commonDir, 'shallow'), join(borrower, 'shallow'));
    writeFileSync(join(borrower, 'packed-refs'), [...refs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, id]) => `${id} ${name}\n`).join(''));
    await git(['--git-dir', borrower, 'bundle', 'create', '--quiet', bundle, '--all', '--stdin'], { cwd: commonDir, input: [...remotes.map((id) => `^${id}`), ''].join('\n') });
  } finally {
    rmSync(borrower, { recursive: true, force: true });
  }
  await git(['bundle', 'verify', '--quiet', bundle], { cwd: commonDir });
  return [`commits: git fetch ${shellWord(bundle)} '+refs/*:refs/rescued/*'   (${refs.size} tips: git bundle list-heads ${shellWord(bundle)})`];
}

/** The branch, and what its reflog knows beside it. */
async function branchCommits({ commonDir }: Repository, branch: string, commit: string | null): Promise<[string, string][]> {
  const log = await tryGit(['rev-list', '--walk-reflogs', '--ignore-missing', `refs/heads/${branch}`, '--'], { cwd: commonDir });
  const ids = [...new Set(log.stdout.split('\n').filter((id) => id !== '' && id !== commit))];
  return [...(commit === null ? [] : [[`refs/heads/${branch}`, commit] as [string, string]]), ...ids.map((id, at): [string, string] => [`refs/rescued/branch/${at}`, id])];
}

async function saveChanges(request: RescueRequest, folder: string): Promise<string[]> {
  const { tree, facts } = request;
  const lines: string[] = [];
  if (facts.changed.length > 0) {
    const cwd = tree.dir;
    const env = gitOfTree(tree.admin);
    const base = tree.commit === null || /^0+$/.test(tree.commit) ? (await git(['hash-object', '-t', 'tree', '--stdin'], { cwd, input: '' })).trim() : 'HEAD';
    const args = ['diff', '--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color', '--no-renames', '--ignore-submodules=dirty', '--src-prefix=a/', '--dst-prefix=b/'];
    for (const [name, more, text] of [['changes.patch', [], 'changed files: git apply'], ['staged.patch', ['--cached'], 'what was staged: git apply --cached']] as const) {
      const patch = join(folder, name);
      await git([...args, ...more, `--output=${patch}`, base], { cwd, env });
      if (statSync(patch).size === 0) {
        rmSync(patch);
        continue;
      }
      await verifyPatch({ request, patch, base, isStaged: name === 'staged.patch' });
      lines.push(`${text} ${shellWord(patch)}`);
    }
  }
  lines.push(...saveSubmodules(request, folder));
  return [...lines, ...saveFiles(request, { folder, name: 'files', paths: [...new Set([...facts.untracked, ...facts.edited, ...facts.hidden])] })];
}

interface SavedPatch { readonly request: RescueRequest; readonly patch: string; readonly base: string; readonly isStaged: boolean }

/** The patch on the commit gives the same files as the tree or its index has: told by two indexes of its own. */
async function verifyPatch({ request: { tree, repository }, patch, base, isStaged }: SavedPatch): Promise<void> {
  const folder = mkdtempSync(join(scratchFolder(), 'rescue-'));
  const objects = { GIT_OBJECT_DIRECTORY: join(folder, 'objects'), GIT_ALTERNATE_OBJECT_DIRECTORIES: join(repository.commonDir, 'objects') };
  mkdirSync(objects.GIT_OBJECT_DIRECTORY);
  try {
    const [applied, found] = ['applied', 'found'].map((name) => ({ cwd: tree.dir, env: { ...gitOfTree(tree.admin), ...objects, GIT_INDEX_FILE: join(folder, name) } }));
    if (applied === undefined || found === undefined) return;
    // With its time: git trusts a file that is older than the index.
    copyEntry(join(tree.admin, 'index'), join(folder, 'found'));
    if (!isStaged) await git(['add', '--update', '--ignore-errors', ':/'], found);
    // In the middle of a conflict the index is no tree: its sides are in the commits, its files in the other patch.
    else if ((await git(['ls-files', '--unmerged', '-z'], found)) !== '') return;
    await git(['read-tree', base], applied);
    await git(['apply', '--cached', '--whitespace=nowarn', patch], applied);
    const [one, other] = [await git(['write-tree'], applied), await git(['write-tree'], found)];
    if (one !== other) throw new AppError('git_failed', `the patch ${patch} does not give what stands in ${tree.dir}: nothing was removed`, { hint: 'Commit the changes there, then try again.' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Submodules are saved whole, with their git directories: those hold stashes and reflogs, and are the only ones. */
function saveSubmodules({ tree, facts, withIgnored }: RescueRequest, folder: string): string[] {
  const touched = facts.submodules.filter((one) => one.hasFiles || one.hasCommits || one.hasStashes || (withIgnored && one.hasIgnored));
  if (touched.length === 0) return [];
  const [files, repositories] = [join(folder, 'submodules'), join(folder, 'submodule-repositories')];
  copyExactly(join(tree.admin, 'modules'), repositories);
  // Each names the folder of its files, which will be gone.
  for (const path of globSync('**/config', { cwd: repositories })) {
    const config = join(repositories, path);
    if (existsSync(join(dirname(config), 'HEAD'))) writeFileSync(config, readFileSync(config, 'utf8').replace(/^\s*worktree = .*\n/m, ''));
  }
  // Those inside others come with them.
  const paths = touched.flatMap(({ path }) => path ?? []).filter((path, _, all) => !all.some((other) => path.startsWith(`${other}/`)));
  for (const path of paths) copyExactly(join(tree.dir, path), join(files, path));
  return [`submodules: files in ${files}, repositories in ${repositories} (git --git-dir=… log --all --reflog)`];
}

function copyExactly(from: string, to: string): void {
  copyEntry(from, to);
  if (digestOf(from) !== digestOf(to)) throw new AppError('git_failed', `${from} could not be saved to ${to}: nothing was removed`, { hint: 'Something changed it meanwhile; run the command again.' });
}

function saveFiles({ tree }: RescueRequest, { folder, name, paths }: { readonly folder: string; readonly name: string; readonly paths: readonly string[] }): string[] {
  if (paths.length === 0) return [];
  for (const path of paths) copyExactly(join(tree.dir, path), join(folder, name, path));
  return [`${name === 'ignored' ? 'ignored' : 'untracked, copied and overlooked'} files: cp -a ${shellWord(`${join(folder, name)}/.`)} WHERE   (${paths.length})`];
}
