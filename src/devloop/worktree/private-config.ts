// What git is told about one tree only: hooks, ignored links, who commits, what a push means. It stands in files of the tree's own folder, and two settings of the environment lead to them.
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { WorktreeState } from '#contract/worktree.ts';
import { ignoreLineOf, literalPattern } from '#core/worktree-names.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { configFolder } from '#platform/config.ts';
import { DISPATCHER, GUARD_PUSH, GUARD_REFS, HOOK_NAMES, STASH_GUARD } from './hook-scripts.ts';
import { isInside, type Repository } from './repository.ts';
import { privateFolder } from './tree-state.ts';

/** Writes all of it; what is there already is brought up to date, so that a change of the user's own settings is followed. */
export function writePrivateConfig(repository: Repository, admin: string, state: WorktreeState): void {
  const folder = privateFolder(admin);
  writeHooks(folder);
  keep(join(folder, 'own-hooks'), `${ownHooks(repository, state.dir)}\n`);
  keep(join(folder, 'push-rules'), `${[state.branch, state.remote ?? '', state.push.force ? 'yes' : 'no', ...state.push.allow].join('\n')}\n`);
  keep(join(folder, 'excludes'), excludesOf(repository, admin, state));
  keep(join(folder, 'gitconfig'), treeConfig(folder, state));
  for (const name of ['upstream-later', ...(isOnRemote(repository, state) ? ['upstream'] : [])]) keep(join(folder, name), upstreamConfig(state));
  keep(join(folder, 'identity'), identityConfig(state.identity));
}

/** Leaves a file alone that says so already: most of the time nothing has changed. */
function keep(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileAtomic(path, text);
}

function writeHooks(folder: string): void {
  mkdirSync(join(folder, 'hooks'), { recursive: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const [path, text] of [['dispatch', DISPATCHER], ['guard-refs', GUARD_REFS], ['guard-push', GUARD_PUSH], ['bin/git', STASH_GUARD]] as const) {
    const file = join(folder, path);
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
    chmodSync(file, 0o755);
  }
  for (const name of HOOK_NAMES) if (!existsSync(join(folder, 'hooks', name))) symlinkSync('../dispatch', join(folder, 'hooks', name));
}

/** Folder of the repository's own hooks. A relative one begins at the tree. */
export function ownHooks(repository: Repository, dir: string): string {
  const own = (repository.config.get('core.hookspath') ?? []).filter((path) => !isInside(path, join(repository.commonDir, 'worktrees'))).at(-1);
  if (own === undefined || own === '') return join(repository.commonDir, 'hooks');
  return expandHome(own).startsWith('/') ? expandHome(own) : join(dir, own);
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** The user's own lines, then one for each thing that we put there. */
function excludesOf(repository: Repository, admin: string, state: WorktreeState): string {
  const own = (repository.config.get('core.excludesfile') ?? []).filter((path) => !isInside(path, admin)).at(-1);
  const path = own === undefined || own === '' ? join(configFolder(), 'git', 'ignore') : expandHome(own);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd() : '';
  const ours = state.files.filter((file) => file.how !== 'memory').map((file) => ignoreLineOf(file.path));
  return `# Written by \`leoflow worktree\`. First the lines of ${path}, then what was put into this tree.\n${lines === '' ? '' : `${lines}\n`}${[...new Set(ours)].join('\n')}\n`;
}

/** The environment leads to these files by a condition on the git directory: in another repository they do not hold. Submodules of the tree get the identity only. */
export function privatePairs(admin: string): readonly (readonly [string, string])[] {
  const folder = privateFolder(admin);
  const pattern = literalPattern(admin);
  return [[`includeIf.gitdir:${pattern}.path`, join(folder, 'gitconfig')], [`includeIf.gitdir:${pattern}.path`, join(folder, 'identity')], [`includeIf.gitdir:${pattern}/modules/.path`, join(folder, 'identity')]];
}

function treeConfig(folder: string, { branch, remote }: WorktreeState): string {
  const lines = ['# Written by `leoflow worktree`.', '[core]', `\thooksPath = ${quoted(join(folder, 'hooks'))}`, `\texcludesFile = ${quoted(join(folder, 'excludes'))}`, '[push]', '\tdefault = current', '\tfollowTags = false',
    // What git puts aside by itself would go into the shared stash, which is refused.
    '[merge]', '\tautoStash = false', '[rebase]', '\tautoStash = false'];
  if (remote === null) return `${lines.join('\n')}\n`;
  return `${[...lines, '[remote]', `\tpushDefault = ${quoted(remote)}`, `[remote ${quoted(remote)}]`, '\tmirror = false',
    `[branch ${quoted(branch)}]`, `\tremote = ${quoted(remote)}`, `\tpushRemote = ${quoted(remote)}`, '[include]', `\tpath = ${quoted(join(folder, 'upstream'))}`].join('\n')}\n`;
}

/** A file of its own, since git complains of an upstream that is not there yet; one that is missing is nothing to it. */
function upstreamConfig({ branch }: WorktreeState): string {
  return `[branch ${quoted(branch)}]\n\tmerge = ${quoted(`refs/heads/${branch}`)}\n`;
}

function isOnRemote({ commonDir }: Repository, { branch, remote }: WorktreeState): boolean {
  const ref = `refs/remotes/${remote}/${branch}`;
  const packed = join(commonDir, 'packed-refs');
  return existsSync(join(commonDir, ref)) || (existsSync(packed) && readFileSync(packed, 'utf8').includes(` ${ref}\n`));
}

function identityConfig({ name, email, sign }: WorktreeState['identity']): string {
  const user = [...(name === null ? [] : [`\tname = ${quoted(name)}`]), ...(email === null ? [] : [`\temail = ${quoted(email)}`])];
  const lines = [...(user.length === 0 ? [] : ['[user]', ...user]), ...(sign === null ? [] : ['[commit]', `\tgpgSign = ${sign}`, '[tag]', `\tgpgSign = ${sign}`])];
  return `# Written by \`leoflow worktree\`.\n${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}
