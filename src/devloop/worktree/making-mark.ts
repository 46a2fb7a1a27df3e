// The mark of a tree that is being made: whoever comes next learns from it whether somebody still works on it, and what it began from.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { isAlive } from '#platform/exec.ts';
import { startOf } from './processes.ts';
import type { Start } from './resolve-start.ts';

/** A process that may be gone, and its number another's. */
export interface KnownProcess { readonly pid: number; readonly started?: string | null }

/** An attempt. `created`: where the branch stood that it made, null when the branch was there; `git`: the one call that takes long. */
export interface Making extends KnownProcess {
  readonly branch: string;
  readonly dir: string;
  readonly created: string | null;
  readonly start?: Start;
  readonly git?: KnownProcess;
}

function markPath(commonDir: string, dir: string): string {
  return join(commonDir, 'leoflow', 'making', createHash('sha256').update(dir).digest('hex').slice(0, 16));
}

/** The attempt for a folder, by whoever; null when there is none, or when it was cut off before anything had begun. */
export function findMaking(commonDir: string, dir: string): Making | null {
  try {
    return JSON.parse(readFileSync(markPath(commonDir, dir), 'utf8')) as Making;
  } catch {
    return null;
  }
}

/** Puts the mark there. Throws `worktree_refused` when another one stands there. */
export function claim(commonDir: string, making: Omit<Making, 'pid' | 'started'>): Making {
  const path = markPath(commonDir, making.dir);
  const whole = { ...making, ...me(process.pid) };
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(path, JSON.stringify(whole), { flag: 'wx' });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) {
      rmSync(path, { force: true });
      throw cause;
    }
    throw new AppError('worktree_refused', `${making.dir} is being made by another process`, { cause, hint: 'Wait for it, then run the command again.' });
  }
  return whole;
}

/** Notes the process of git, which outlives this one when that is killed. */
export function noteGit(commonDir: string, making: Making, pid: number): void {
  try {
    writeFileAtomic(markPath(commonDir, making.dir), JSON.stringify({ ...making, git: me(pid) }));
  } catch {
    // On a full disk git itself says so.
  }
}

/** Takes the mark away. */
export function unmark(commonDir: string, dir: string): void {
  rmSync(markPath(commonDir, dir), { force: true });
}

/** Refuses while somebody works on it. */
export function refuseRunning({ dir, git, ...own }: Making): void {
  if (own.pid !== process.pid && isRunning(own)) throw new AppError('worktree_refused', `${dir} is being made by process ${own.pid}`, { hint: 'Wait for it, then run the command again.' });
  if (git !== undefined && isRunning(git)) throw new AppError('worktree_refused', `git (process ${git.pid}) still fills ${dir}: it outlived the leoflow that began it`, { hint: `Wait for it, or end it: kill ${git.pid}. Then run the command again.` });
}

function me(pid: number): KnownProcess {
  return { pid, started: startOf(pid) };
}

function isRunning({ pid, started }: KnownProcess): boolean {
  return isAlive(pid) && (started === undefined || started === null || started === startOf(pid));
}
