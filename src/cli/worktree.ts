// `leoflow worktree`: a second working tree of a repository, made, entered, watched and removed without losing work.
import { Command } from 'commander';
import { createInterface } from 'node:readline/promises';
import { AppError } from '#contract/errors.ts';
import type { MadeWorktree, WorktreeFile } from '#contract/worktree.ts';
import { PORTS_PER_TREE } from '#contract/worktree.ts';
import { portVariableOf } from '#core/worktree-names.ts';
import { isoOf, wallMs } from '#platform/clock.ts';
import { loginShell } from '#platform/config.ts';
import { dieBy, runInForeground } from '#platform/exec.ts';
import { errorText } from '#platform/error-text.ts';
import { changedVariables, enterTree } from '#devloop/worktree/enter-tree.ts';
import { makeTree } from '#devloop/worktree/make-tree.ts';
import type { LocalContext } from './local-context.ts';
import { renderJson } from './output.ts';
import { groupCommand } from './remote-command.ts';

/** The command. */
export function worktreeCommand(context: LocalContext): Command {
  return groupCommand('worktree', 'A second working tree of this repository, for another person or a coding agent.', [newCommand(context)]);
}
