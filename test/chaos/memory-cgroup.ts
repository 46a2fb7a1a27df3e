// A memory cgroup for processes of a scene, so that the kernel itself kills the one that takes too much.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where groups may be made, and the name of the file that limits memory there (cgroup v1, else v2). */
interface Hierarchy { readonly folder: string; readonly limitFile: string }

function findHierarchy(): Hierarchy | null {
  const own = new Map(readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n').map((line) => {
    const [, controllers = '', ...path] = line.split(':');
    return [controllers, path.join(':')];
  }));
  const memory = own.get('memory');
  if (memory !== undefined) return { folder: join('/sys/fs/cgroup/memory', memory), limitFile: 'memory.limit_in_bytes' };
  // A group of cgroup v2 with processes in it cannot have groups with limits below it: the root of the hierarchy can.
  const controllers = '/sys/fs/cgroup/cgroup.subtree_control';
  if (!existsSync(controllers) || !readFileSync(controllers, 'utf8').includes('memory')) return null;
  return { folder: '/sys/fs/cgroup', limitFile: 'memory.max' };
}

/** Why no memory cgroup can be made here, null when it can. */
export function whyNoMemoryCgroup(): string | null {
  const hierarchy = findHierarchy();
  if (hierarchy === null) return 'there is no memory cgroup on this machine';
  try {
    accessSync(hierarchy.folder, constants.W_OK);
    return null;
  } catch {
    return 'making a memory cgroup needs root and a writable /sys/fs/cgroup';
  }
}

/** One group. Processes that its members start are members as well. */
export class MemoryCgroup {
  readonly #folder: string;

  /** @param name of its folder, unique on this machine */
  constructor(name: string, limitBytes: number) {
    const hierarchy = findHierarchy();
    if (hierarchy === null) throw new Error('there is no memory cgroup on this machine');
    this.#folder = join(hierarchy.folder, name);
    mkdirSync(this.#folder);
    writeFileSync(join(this.#folder, hierarchy.limitFile), String(limitBytes));
  }

  add(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
  }

  /** Waits up to 10 s until its last process is gone. */
  async remove(): Promise<void> {
    for (let left = 200; left > 0; left -= 1) {
      try {
        rmdirSync(this.#folder);
        return;
      } catch (error) {
        if (left === 1) throw error;
        await sleep(50);
      }
    }
  }
}
