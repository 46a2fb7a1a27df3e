// The commands that prepare a tree: a repository proposes them, a person approves them once, and again when they change.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { stateFolder } from '#platform/config.ts';
import { runAttached } from '#platform/exec.ts';

/** What runs them: the environment of the tree, and the person's word. */
export interface SetupRun {
  readonly commonDir: string;
  readonly dir: string;
  readonly commands: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Asks on the terminal, or says no. */
  readonly approve: (commands: readonly string[]) => Promise<boolean>;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Runs them in order, their output on standard error. The first that fails ends it. */
export async function runSetup(run: SetupRun): Promise<{ readonly kind: 'none' | 'done' | 'not approved' } | { readonly kind: 'failed'; readonly command: string; readonly why: string }> {
  if (run.commands.length === 0) return { kind: 'none' };
  if (!(await isApproved(run))) return { kind: 'not approved' };
  for (const command of run.commands) {
    run.say(`setup: ${command}\n`);
    const ended = await runAttached('sh', ['-c', command], { cwd: run.dir, env: run.environment, output: 'stderr', ...(run.signal === undefined ? {} : { signal: run.signal }) });
    if (ended.status !== 0) return { kind: 'failed', command, why: ended.signal === null ? `ended with ${ended.status ?? 'no code'}` : `was ended by ${ended.signal}` };
  }
  return { kind: 'done' };
}

async function isApproved({ commonDir, commands, approve }: SetupRun): Promise<boolean> {
  const content = `${JSON.stringify([commonDir, ...commands], null, 2)}\n`;
  const path = join(stateFolder(), 'approved-setup', createHash('sha256').update(content).digest('hex'));
  if (existsSync(path)) return true;
  if (!(await approve(commands))) return false;
  writeFileAtomic(path, content);
  return true;
}
