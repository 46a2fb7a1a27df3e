// `leoflow worktree`: a second working tree of a repository, made, entered, watched and removed without losing work.
import { Command } from 'commander';
import { shellWord } from '#core/worktree-names.ts';
import { AppError } from '#contract/errors.ts';
import type { WorktreeFile } from '#contract/worktree.ts';
import { findProgram, loginShell } from '#platform/config.ts';
import { dieBy, runInForeground } from '#platform/exec.ts';
import { changedVariables, type EnteredTree, enterTree } from '#devloop/worktree/enter-tree.ts';
import { findTree, openRepository } from '#devloop/worktree/repository.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson } from './output.ts';
import { renderFindings, renderGarbage, renderListeners, renderMade, renderRemoved, renderTrees } from './worktree-views.ts';

/** The command. What makes, removes and examines is loaded by the subcommand that needs it. */
export function worktreeCommand(context: LocalContext): Command {
  const group = new Command('worktree').description('A second working tree of this repository, for another person or a coding agent.').enablePositionalOptions();
  const commands = [newCommand, envCommand, execCommand, shellCommand, listCommand, psCommand, removeCommand, collectCommand, doctorCommand];
  for (const make of commands) group.addCommand(make(context));
  return group;
}

function treeCommand(name: string, description: string, example: string): Command {
  return new Command(name).description(description).addHelpText('after', `\nExample:\n  ${example}\n`);
}

interface NewOptions { readonly from?: string; readonly fetch: boolean; readonly approve?: boolean; readonly persist?: boolean; readonly identity?: string; readonly json?: boolean }

function newCommand(context: LocalContext): Command {
  return treeCommand('new', 'Make a tree for a branch: a new one from the fresh default branch, or one that exists. Run again, it brings the tree up to date.', 'leoflow worktree new feature/login')
    .argument('<branch>', 'branch of the tree').argument('[dir]', 'its folder (default: beside the repository, in REPOSITORY.worktrees)').argument('[base]', 'what a new branch begins from (default: the remote’s default branch)')
    .option('--from <ref>', 'the same as BASE; pr:123 is a pull or merge request').option('--no-fetch', 'go on with what was fetched last').option('--approve', 'run the setup commands of .leoflow/worktree.yaml')
    .option('--persist', 'settings of the tree hold without its environment; changes the shared settings').option('--identity <name-and-email>', 'who commits there: "Ada <ada@example.org>"').option('--json', 'print JSON')
    .action(async (branch: string, ...[dir, base, options]: [string | undefined, string | undefined, NewOptions]) => {
      if (base !== undefined && options.from !== undefined) throw new AppError('usage', 'BASE and --from say the same thing: give one of them');
      const { makeTree } = await import('#devloop/worktree/make-tree.ts');
      const made = await makeTree({
        cwd: process.cwd(), branch, dir, base: base ?? options.from, fetches: options.fetch, persists: options.persist === true, identity: options.identity === undefined ? {} : parseIdentity(options.identity),
        approve: (commands) => approve(context, options.approve === true, commands), say: context.err, signal: context.stop,
      });
      context.out(options.json === true ? renderJson(made) : renderMade(made));
      if (made.setup === 'failed') throw new AppError('run_failed', 'the tree is there, but its setup did not end well: see the note above');
    });
}

function parseIdentity(text: string): Partial<WorktreeFile['identity']> {
  const [, name, email] = /^([^<>]+?)\s*<([^<>\s]+)>$/.exec(text) ?? [];
  if (name === undefined || email === undefined) throw new AppError('usage', `--identity ${text}: expected a name and an address`, { hint: 'Like this: --identity "Ada Lovelace <ada@example.org>"' });
  return { name, email };
}

/** A person's word: given by a flag, or asked for where somebody can answer. */
async function approve(context: LocalContext, isGiven: boolean, commands: readonly string[]): Promise<boolean> {
  if (isGiven) return true;
  if (!context.errIsTerminal || process.stdin.isTTY !== true) return false;
  context.err(`.leoflow/worktree.yaml wants to run in the new tree:\n${commands.map((command) => `  ${command}\n`).join('')}`);
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question('Run them, now and until they change? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}

function envCommand(context: LocalContext): Command {
  return treeCommand('env', 'Print a tree’s environment for a shell.', 'eval "$(leoflow worktree env)"').argument('[tree]', 'branch or folder (default: the tree around this folder)').option('--json', 'print JSON')
    .action(async (named: string | undefined, options: { json?: boolean }) => {
      const entered = changedVariables((await enterTree(process.cwd(), named)).environment);
      context.out(options.json === true ? renderJson(Object.fromEntries(entered)) : entered.map(([name, value]) => `export ${name}=${shellWord(value)}\n`).join(''));
    });
}

function execCommand(context: LocalContext): Command {
  return treeCommand('exec', 'Run a command in a tree, with its environment. Exit code and signals are the command’s.', 'leoflow worktree exec feature/login -- npm test').argument('<tree>', 'branch or folder').argument('<command...>', 'the command and its arguments')
    .action(async (named: string, [command = '', ...args]: string[]) => runIn(context, await enterTree(process.cwd(), named), [command, ...args]));
}

function shellCommand(context: LocalContext): Command {
  return treeCommand('shell', 'Open your shell in a tree, with its environment. Leave it with exit.', 'leoflow worktree shell feature/login').argument('[tree]', 'branch or folder (default: the tree around this folder)')
    .action(async (named: string | undefined) => {
      const entered = await enterTree(process.cwd(), named);
      context.err(`in ${entered.tree.dir} (${entered.state.branch}); leave with exit\n`);
      await runIn(context, entered, [loginShell()]);
    });
}

/** In the folder of the tree, unless the caller stands inside it already. */
async function runIn(context: LocalContext, { tree, environment }: EnteredTree, [command = '', ...args]: readonly string[]): Promise<void> {
  const path = findProgram(command, environment);
  if (path === null) throw new AppError('usage', `${command} is not on PATH`);
  const ended = await runInForeground(path, args, { cwd: tree.dir, env: { ...environment, PWD: tree.dir } });
  if (ended.signal !== null) dieBy(ended.signal);
  context.exitWith(ended.status ?? 1);
}

function listCommand(context: LocalContext): Command {
  return treeCommand('list', 'List the trees of this repository, with what is not committed or pushed.', 'leoflow worktree list').option('--json', 'print JSON').action(async (options: { json?: boolean }) => {
    const { listTrees } = await import('#devloop/worktree/list-trees.ts');
    const trees = await listTrees(await openRepository(process.cwd()));
    context.out(options.json === true ? renderJson(trees) : renderTrees(trees));
  });
}

function psCommand(context: LocalContext): Command {
  return treeCommand('ps', 'List who listens on which port, and in which tree.', 'leoflow worktree ps').option('--all', 'also what has nothing to do with this repository').option('--json', 'print JSON')
    .action(async (options: { all?: boolean; json?: boolean }) => {
      const { listListeners } = await import('#devloop/worktree/list-trees.ts');
      const listeners = await listListeners(await openRepository(process.cwd()), options.all === true ? 'all' : 'ours');
      context.out(options.json === true ? renderJson(listeners) : renderListeners(listeners));
    });
}

interface RemoveOptions { readonly force?: boolean; readonly withIgnored?: boolean; readonly deleteBranch?: boolean; readonly json?: boolean }

function removeCommand(context: LocalContext): Command {
  return treeCommand('rm', 'Remove a tree. Refused while something would be lost, with every reason.', 'leoflow worktree rm feature/login').argument('[tree]', 'branch or folder (default: the tree around this folder)')
    .option('--force', 'save everything that would be lost, then remove').option('--with-ignored', 'with --force: save ignored files too').option('--delete-branch', 'delete the branch too; its commits that are on no remote are saved').option('--json', 'print JSON')
    .action(async (named: string | undefined, options: RemoveOptions) => {
      if (options.withIgnored === true && options.force !== true) throw new AppError('usage', '--with-ignored goes with --force');
      const { removeTree } = await import('#devloop/worktree/remove-tree.ts');
      const repository = await openRepository(process.cwd());
      const removed = await removeTree(repository, findTree(repository, named, process.cwd()), { force: options.force === true, withIgnored: options.withIgnored === true, deleteBranch: options.deleteBranch === true, say: context.err });
      context.out(options.json === true ? renderJson(removed) : renderRemoved(removed));
    });
}

function collectCommand(context: LocalContext): Command {
  return treeCommand('gc', 'Free disk: caches that can be made again, then trees whose branch is merged and that hold nothing else.', 'leoflow worktree gc --dry-run').option('--dry-run', 'only say what would go, and its size').option('--no-fetch', 'judge by what was fetched last').option('--json', 'print JSON')
    .action(async (options: { dryRun?: boolean; fetch: boolean; json?: boolean }) => {
      const { collectGarbage } = await import('#devloop/worktree/collect-garbage.ts');
      const collected = await collectGarbage(await openRepository(process.cwd()), { dryRun: options.dryRun === true, fetches: options.fetch, say: context.err });
      context.out(options.json === true ? renderJson(collected) : renderGarbage(collected, options.dryRun === true ? 'dry run' : 'done'));
    });
}

function doctorCommand(context: LocalContext): Command {
  return treeCommand('doctor', 'Look at everything the trees rely on, and say what to do.', 'leoflow worktree doctor').option('--json', 'print JSON').action(async (options: { json?: boolean }) => {
    const { examineTrees } = await import('#devloop/worktree/examine-trees.ts');
    const findings = await examineTrees(await openRepository(process.cwd()), process.cwd());
    context.out(options.json === true ? renderJson(findings) : renderFindings(findings));
    const bad = findings.filter((finding) => finding.state === 'error');
    if (bad.length > 0) throw new AppError('worktree_refused', `${bad.length} of ${findings.length} checks failed: ${bad.map((finding) => finding.check).join(', ')}`, { hint: 'The lines marked ✗ say what to do.' });
  });
}
