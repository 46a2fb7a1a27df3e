// Ports of a tree: a block of its own among those of the repository. The file of a block is made by exactly one process, so that no two trees hold the same.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { PORTS_PER_TREE } from '#contract/worktree.ts';

/** Below the range that systems give to outgoing connections. */
const FIRST_PORT = 20_000;
const BLOCKS = 1_000;

function folderOf(commonDir: string): string {
  return join(commonDir, 'leoflow', 'ports');
}

/** The first port of a tree's block: the one that it holds, else a free one. Null when all are taken. */
export async function reservePorts(commonDir: string, admin: string): Promise<number | null> {
  const name = basename(admin);
  for (const [port, owner] of listReserved(commonDir)) if (owner === name) return port;
  const folder = folderOf(commonDir);
  mkdirSync(folder, { recursive: true });
  // Repositories begin at different places, since they know nothing of each other.
  const start = createHash('sha256').update(commonDir).digest().readUInt16BE(0) % BLOCKS;
  for (let step = 0; step < BLOCKS; step += 1) {
    const port = FIRST_PORT + ((start + step) % BLOCKS) * PORTS_PER_TREE;
    if (claim(join(folder, String(port)), name)) {
      if (await areFree(port)) return port;
      rmSync(join(folder, String(port)));
    }
  }
  return null;
}

function claim(path: string, name: string): boolean {
  try {
    writeFileSync(path, `${name}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** First ports with the name of the tree that holds each. */
export function listReserved(commonDir: string): ReadonlyMap<number, string> {
  const folder = folderOf(commonDir);
  if (!existsSync(folder)) return new Map();
  return new Map(readdirSync(folder).filter((name) => /^\d+$/.test(name)).map((name) => [Number(name), readFileSync(join(folder, name), 'utf8').trim()]));
}

/** Gives back what a tree holds. */
export function releasePorts(commonDir: string, admin: string): void {
  for (const [port, owner] of listReserved(commonDir)) if (owner === basename(admin)) rmSync(join(folderOf(commonDir), String(port)), { force: true });
}

/** Gives back what belongs to trees that are gone. */
export function releaseStalePorts(commonDir: string): void {
  for (const [port, owner] of listReserved(commonDir)) if (!existsSync(join(commonDir, 'worktrees', owner))) rmSync(join(folderOf(commonDir), String(port)), { force: true });
}

async function areFree(first: number): Promise<boolean> {
  const free = await Promise.all(Array.from({ length: PORTS_PER_TREE }, (_, at) => isFree(first + at)));
  return free.every(Boolean);
}

/** Whether nothing listens there. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
