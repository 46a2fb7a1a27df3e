// `leoflow worktree doctor`: what could go wrong with the trees of a repository, each with the next step.
import { accessSync, constants, existsSync, lstatSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { WorktreeFinding, WorktreeState } from '#contract/worktree.ts';
import { ignoreLineOf } from '#core/worktree-names.ts';
import { callerEnvironment } from '#platform/config.ts';
import { tryGit } from './git.ts';
import { HOOK_NAMES } from './hook-scripts.ts';
import { listListeners } from './list-trees.ts';
import { listReserved } from './ports.ts';
import { ownHooks } from './private-config.ts';
import { findRemoval } from './removal.ts';
import { isInside, type Repository, settingOf, type Tree } from './repository.ts';
import { listStates, privateFolder } from './tree-state.ts';

const ok = (check: string, text: string): WorktreeFinding => ({ check, state: 'ok', text, next: null });
const warn = (check: string, text: string, next: string): WorktreeFinding => ({ check, state: 'warn', text, next });
const bad = (check: string, text: string, next: string): WorktreeFinding => ({ check, state: 'error', text, next });

/** One line per check; of trees only what is wrong, and a line that says how many are right. */
export async function examineTrees(repository: Repository, cwd: string): Promise<readonly WorktreeFinding[]> {
  const ours = listStates(repository.trees.filter((tree) => !tree.isMissing));
  const here = ours.find(({ tree }) => isInside(cwd, tree.dir));
  const [version, entered, ports] = await Promise.all([checkVersion(), here === undefined ? [] : checkEntered(here, cwd), checkPorts(repository)]);
  return [version, ...entered, ...eachTree(repository, ours), ports, ...checkAdmin(repository), checkExtensions(repository), checkNesting(repository), checkDisk(repository)];
}

async function checkVersion(): Promise<WorktreeFinding> {
  const { stdout } = await tryGit(['--version'], { cwd: '/' });
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  const text = stdout.trim().replace('git version ', '');
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 36) ? ok('git', text) : bad('git', `${text} is too old`, 'Install git 2.36 or newer.');
}

/** Whether the shell that asks is inside the tree's environment. */
async function checkEntered({ tree, state }: { readonly tree: Tree; readonly state: WorktreeState }, cwd: string): Promise<WorktreeFinding[]> {
  const asked = await tryGit(['config', '--get', 'core.hooksPath'], { cwd });
  const isIn = asked.stdout.trim() === join(privateFolder(tree.admin), 'hooks');
  const next = `leoflow worktree shell ${state.branch}, or eval "$(leoflow worktree env)"`;
  const found = [isIn ? ok('environment', `you are in ${state.branch}`) : warn('environment', `this shell stands in ${state.branch} without its environment: stash and push are not guarded`, next)];
  const own = ['GIT_AUTHOR_NAME', 'GIT_AUTHOR_EMAIL', 'GIT_COMMITTER_NAME', 'GIT_COMMITTER_EMAIL'].filter((name) => callerEnvironment()[name] !== undefined);
  if (state.identity.name !== null && own.length > 0) found.push(warn('identity', `${own.join(', ')} win over the tree's identity`, `unset ${own.join(' ')}`));
  return found;
}

function eachTree(repository: Repository, ours: ReturnType<typeof listStates>): WorktreeFinding[] {
  const found = ours.flatMap(({ tree, state }) => [...checkHooks(repository, tree, state), ...checkLinks(tree, state), ...checkExcludes(tree, state), ...checkSetup(state)]);
  const wrong = new Set(found.map((one) => one.text.split(':')[0]));
  return [...found, ok('trees', `${ours.length} made by leoflow, ${ours.length - wrong.size} with nothing to say`)];
}

function checkHooks(repository: Repository, tree: Tree, state: WorktreeState): WorktreeFinding[] {
  const folder = join(privateFolder(tree.admin), 'hooks');
  const dead = HOOK_NAMES.filter((name) => !isExecutable(join(folder, name)));
  if (dead.length > 0) return [bad('hooks', `${state.branch}: ${dead.join(', ')} cannot be run`, `leoflow worktree env ${state.branch} writes them again`)];
  const own = ownHooks(repository, state.dir);
  const isSet = settingOf(repository, 'core.hookspath') !== null;
  return isSet && !existsSync(own) ? [warn('hooks', `${state.branch}: the repository's own hooks are to be in ${own}, which is not there`, 'Run what makes them (npm install, pre-commit install), or declare the folder in copy.')] : [];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkLinks(tree: Tree, state: WorktreeState): WorktreeFinding[] {
  return state.files.filter((file) => file.how === 'link' || file.how === 'memory').flatMap(({ how, path, target }) => {
    const full = how === 'memory' ? path : join(tree.dir, path);
    if (lstatSync(full, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return [warn('links', `${state.branch}: ${path} is no link any more`, `leoflow worktree new ${state.branch} puts it there again`)];
    return existsSync(full) ? [] : [warn('links', `${state.branch}: ${path} leads to ${target}, which is gone`, 'Make it again in the primary checkout.')];
  });
}

function checkExcludes(tree: Tree, state: WorktreeState): WorktreeFinding[] {
  const path = join(privateFolder(tree.admin), 'excludes');
  const lines = new Set(existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);
  const missing = state.files.filter((file) => file.how !== 'memory' && !lines.has(ignoreLineOf(file.path)));
  return missing.length === 0 ? [] : [bad('excludes', `${state.branch}: ${missing.map((file) => file.path).join(', ')} would be added by git add -A`, `leoflow worktree env ${state.branch} writes the list again`)];
}

function checkSetup(state: WorktreeState): WorktreeFinding[] {
  return state.setup === 'failed' || state.setup === 'not approved' ? [warn('setup', `${state.branch}: setup ${state.setup === 'failed' ? 'failed' : 'was not approved'}`, `leoflow worktree new ${state.branch}${state.setup === 'failed' ? '' : ' --approve'}`)] : [];
}

async function checkPorts(repository: Repository): Promise<WorktreeFinding> {
  const taken = (await listListeners(repository, 'ours')).filter((one) => one.reserved_for !== null && one.owner !== one.reserved_for);
  const stale = [...listReserved(repository.commonDir)].filter(([, name]) => !existsSync(join(repository.commonDir, 'worktrees', name)));
  if (taken.length > 0) return warn('ports', taken.map((one) => `${one.port} is reserved for ${one.reserved_for ?? ''}, but ${one.command ?? 'another user'} (${one.pid ?? '?'}) listens there`).join('; '), 'Stop it, or see leoflow worktree ps.');
  return stale.length > 0 ? warn('ports', `${stale.length} reserved by trees that are gone`, 'leoflow worktree gc gives them back') : ok('ports', `${listReserved(repository.commonDir).size} trees hold ports, nobody else listens there`);
}

function checkAdmin(repository: Repository): WorktreeFinding[] {
  const missing = repository.trees.filter((tree) => tree.isMissing);
  return missing.length === 0 ? [ok('entries', 'every tree that git knows is there')] : missing.map((tree) => findRemoval(tree.admin) === null ? warn('entries', `${tree.dir} (${tree.branch ?? 'detached'}) is gone`, 'Moved: git worktree repair NEW_PATH. Deleted: git worktree prune.')
    : warn('entries', `the removal of ${tree.dir} was cut short`, `leoflow worktree rm ${tree.branch ?? tree.dir} ends it`));
}

function checkExtensions(repository: Repository): WorktreeFinding {
  const isOn = settingOf(repository, 'extensions.worktreeconfig') === 'true';
  const shared = join(repository.commonDir, 'config');
  if (isOn && settingOf(repository, 'core.bare') === 'true' && !repository.isBare) return bad('settings', `core.bare stands in ${shared}: every tree thinks it is bare`, `git config --file ${shared} --unset core.bare`);
  return ok('settings', isOn ? 'settings per tree are on (extensions.worktreeConfig)' : 'the shared settings are untouched');
}

function checkNesting(repository: Repository): WorktreeFinding {
  const real = repository.trees.filter((tree) => !tree.isBare);
  const nested = real.flatMap((inner) => real.filter((outer) => outer !== inner && isInside(inner.dir, outer.dir)).map((outer) => `${inner.dir} lies inside ${outer.dir}`));
  return nested.length === 0 ? ok('nesting', 'no tree lies inside another') : warn('nesting', nested.join('; '), 'git worktree move it out: copies, searches and git clean of the outer one reach it.');
}

const LOW_BYTES = 2 * 1024 ** 3;

function checkDisk(repository: Repository): WorktreeFinding {
  const { bavail, bsize } = statfsSync(repository.commonDir);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return free < LOW_BYTES ? warn('disk', text, 'leoflow worktree gc removes caches and merged trees.') : ok('disk', text);
}
