// Processes that were started with a folder in their environment.
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of running processes whose first environment names the folder. */
export function processesOfFolder(folder: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}
