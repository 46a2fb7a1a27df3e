// What a coding agent remembers of the primary checkout, shared with a tree: only where it is asked for.
import { lstatSync, mkdirSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { MemoryAgent, PlacedFile } from '#contract/worktree.ts';
import { agentFolderOf } from '#core/worktree-names.ts';

/** Where each agent keeps what it remembers of a folder. */
const MEMORY: Readonly<Record<MemoryAgent, (dir: string) => string>> = {
  claude: (dir) => join(homedir(), '.claude', 'projects', agentFolderOf(dir), 'memory'),
};

/** Links the tree's memory to the primary's. @returns the links, and what a person should know */
export function linkMemory(agents: readonly MemoryAgent[], primary: string, dir: string): { readonly files: readonly PlacedFile[]; readonly notes: readonly string[] } {
  const files: PlacedFile[] = [];
  const notes: string[] = [];
  for (const agent of agents) {
    const target = MEMORY[agent](primary);
    const path = MEMORY[agent](dir);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      notes.push(`memory ${agent}: ${path} is there already, left as it is`);
      continue;
    }
    mkdirSync(target, { recursive: true, mode: 0o700 });
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    symlinkSync(target, path);
    files.push({ how: 'memory', path, target, sha256: null });
  }
  return { files, notes };
}
