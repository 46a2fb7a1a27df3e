// What `leoflow worktree` prints for people.
import { PORTS_PER_TREE, type CollectedGarbage, type ListedWorktree, type Listener, type MadeWorktree, type PlacedFile, type WorktreeFinding } from '#contract/worktree.ts';
import { portVariableOf, shellWord } from '#core/worktree-names.ts';
import type { Removed } from '#devloop/worktree/remove-tree.ts';
import { renderTable } from './output.ts';

const KINDS: Readonly<Record<MadeWorktree['kind'], (made: MadeWorktree) => string>> = {
  created: ({ branch, base }) => `made on the new branch ${branch}, from ${shortRef(base.ref)} ${base.commit.slice(0, 9)}`,
  attached: ({ branch }) => `made on your branch ${branch}`,
  tracked: ({ branch, base }) => `made on ${branch}, from ${shortRef(base.ref)} ${base.commit.slice(0, 9)}`,
  reused: ({ branch }) => `was there already, on ${branch}: brought up to date`,
};

function shortRef(ref: string): string {
  return ref.replace(/^refs\/(heads|remotes)\//, '');
}

/** A new tree: where, what is in it, how to enter it. */
export function renderMade(made: MadeWorktree): string {
  const { branch } = made;
  const named = made.port_names.map((name, at) => `${portVariableOf(name)}=${(made.port ?? 0) + at}`);
  const facts: (readonly [string, string] | null)[] = [
    pathsOf(made.files, 'linked', (file) => file.how === 'link'), pathsOf(made.files, 'copied', (file) => !['link', 'memory'].includes(file.how)), pathsOf(made.files, 'memory', (file) => file.how === 'memory'),
    made.port === null ? null : ['ports', `${made.port}–${made.port + PORTS_PER_TREE - 1}${named.length > 0 ? ` (${named.join(', ')})` : ''}`],
    ['names', `${made.compose_project} (Compose), ${made.database} (database)`],
    made.identity.name === null && made.identity.email === null ? null : ['identity', [made.identity.name, made.identity.email === null ? null : `<${made.identity.email}>`].filter((one) => one !== null).join(' ')],
    ['push', made.remote === null ? 'no remote' : `only ${branch} to ${made.remote}${made.push.force ? '' : ', never forced'}`],
  ];
  const lines = facts.filter((fact) => fact !== null).map(([name, text]) => `  ${name.padEnd(9)}${text}\n`);
  return `${made.dir}\n  ${KINDS[made.kind](made)}\n${lines.join('')}${made.notes.map((note) => `  note     ${note}\n`).join('')}
Enter it, so that its hooks, names and ignored links hold:
  leoflow worktree shell ${shellWord(branch)}                 a shell in it
  leoflow worktree exec ${shellWord(branch)} -- COMMAND       one command: an editor, a coding agent, a script
  eval "$(leoflow worktree env ${shellWord(branch)})"         in a shell of your own, then cd there
Remove it without losing work: leoflow worktree rm ${shellWord(branch)}
`;
}

function pathsOf(files: readonly PlacedFile[], name: string, which: (file: PlacedFile) => boolean): readonly [string, string] | null {
  const paths = files.filter(which).map((file) => file.path);
  return paths.length === 0 ? null : [name, `${paths.slice(0, 12).join(', ')}${paths.length > 12 ? ` and ${paths.length - 12} more` : ''}`];
}

/** `worktree list`. */
export function renderTrees(trees: readonly ListedWorktree[]): string {
  const rows = trees.map((tree) => [tree.branch ?? `detached ${tree.commit?.slice(0, 9) ?? ''}`, stateOf(tree), tree.port, tree.dir]);
  return renderTable(['branch', 'state', 'ports', 'folder'], rows);
}

function stateOf(tree: ListedWorktree): string {
  if (tree.is_primary) return 'primary';
  if (tree.missing) return 'folder is gone';
  const parts = [tree.changed ? `${tree.changed} changed` : '', tree.untracked ? `${tree.untracked} untracked` : '', tree.unpushed ? `${tree.unpushed} unpushed` : '', tree.locked === null ? '' : 'locked', tree.is_ours ? '' : 'made by git alone'].filter((part) => part !== '');
  return parts.length === 0 ? 'clean' : parts.join(', ');
}

/** `worktree ps`. */
export function renderListeners(listeners: readonly Listener[]): string {
  if (listeners.length === 0) return 'nothing listens in the working trees of this repository\n';
  return renderTable(['port', 'address', 'pid', 'tree', 'reserved for', 'folder', 'command'], listeners.map((one) => [one.port, one.address, one.pid, one.owner, one.reserved_for, one.cwd, one.command]));
}

/** `worktree doctor`. */
export function renderFindings(findings: readonly WorktreeFinding[]): string {
  return findings.map(({ check, state, text, next }) => `${{ ok: '✓', warn: '·', error: '✗' }[state]} ${check.padEnd(12)} ${text}${next === null ? '' : `\n               → ${next}`}\n`).join('');
}

/** `worktree gc`. */
export function renderGarbage(collected: readonly CollectedGarbage[], mode: 'done' | 'dry run'): string {
  const verb = { cache: mode === 'done' ? 'removed' : 'would remove', tree: mode === 'done' ? 'removed tree' : 'would remove tree', kept: 'kept' };
  const total = collected.reduce((sum, one) => sum + (one.kind === 'kept' ? 0 : (one.bytes ?? 0)), 0);
  const rows = collected.map((one) => [verb[one.kind], one.bytes === null ? null : renderBytes(one.bytes), one.dir, one.why]);
  return `${rows.length === 0 ? '' : renderTable(['what', 'size', 'folder', 'why'], rows)}${mode === 'done' ? 'freed' : 'would free'} ${renderBytes(total)}\n`;
}

function renderBytes(bytes: number): string {
  const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, 'GB'] : bytes >= 1e6 ? [bytes / 1e6, 'MB'] : [bytes / 1e3, 'kB'];
  return `${value.toFixed(1)} ${unit}`;
}

/** `worktree rm`. */
export function renderRemoved({ dir, branch, branchDeleted, rescued, notes }: Removed): string {
  const fate = branch === null ? '' : branchDeleted === null ? `; the branch ${branch} stays` : `; the branch ${branch} was deleted (it was at ${branchDeleted.slice(0, 9)})`;
  const saved = rescued === null ? '' : `saved in ${rescued.folder}\n${rescued.lines.map((line) => `  ${line}\n`).join('')}`;
  return `removed ${dir}${fate}\n${notes.map((note) => `  ${note}\n`).join('')}${saved}`;
}
