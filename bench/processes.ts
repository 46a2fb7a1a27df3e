// What processes cost: CPU time and memory of one process, of a tree, of PostgreSQL, read from /proc.
import { readdirSync, readFileSync } from 'node:fs';

const MS_PER_TICK = 10;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It ended between two looks.
    return '';
  }
}

/** Fields of /proc/PID/stat after the name, from `state` on. */
function statOf(pid: number): string[] {
  return read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ');
}

/** CPU milliseconds of a process so far, all its threads. */
export function cpuOf(pid: number): number {
  try {
    // Nanoseconds, where the kernel counts them; ticks of 10 ms elsewhere.
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]));
    if (threads.every((ns) => ns > 0)) return threads.reduce((sum, ns) => sum + ns, 0) / 1e6;
  } catch {
    // Below.
  }
  const stat = statOf(pid);
  return (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) * MS_PER_TICK;
}

/** CPU milliseconds of the children that a process has waited for. */
export function cpuOfEndedChildren(pid: number): number {
  const stat = statOf(pid);
  return (Number(stat[13] ?? 0) + Number(stat[14] ?? 0)) * MS_PER_TICK;
}

/** Every process whose ancestor is this one. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statOf(Number(name))[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (let next = [pid]; next.length > 0; next = next.flatMap((one) => children.get(one) ?? [])) found.push(...next);
  return found.slice(1);
}

/** CPU milliseconds of a process and all below it, ended ones included as far as they were waited for. */
export function cpuOfTree(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + cpuOf(one) + cpuOfEndedChildren(one), 0);
}

/** Proportional set size in MB: shared pages are divided among those who share them. Resident size where the kernel does not say. */
export function pssOf(pid: number): number {
  const rollup = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
  return rollup === undefined ? rssOf(pid) : Number(rollup) / 1024;
}

/** The name that a process gave itself. */
export function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim();
}

/** Resident set size in MB. */
export function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** Processes of this machine by a part of their command line or environment. */
export function findProcesses(has: (command: string, environment: string) => boolean): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && has(read(`/proc/${name}/cmdline`), read(`/proc/${name}/environ`))).map(Number);
}

/** CPU milliseconds so far of what works for one home folder: its fork servers, and the children that they have waited for. */
export function cpuOfForkServers(home: string): { forkServers: number; children: number } {
  const servers = findProcesses((command, environment) => command.includes('leoflow.agent.fork_server') && (command.includes(home) || environment.includes(home)));
  // Children bear the same command line; only a fork server has a launcher as its parent, and only it has ended children.
  return { forkServers: servers.reduce((sum, pid) => sum + cpuOf(pid), 0), children: servers.reduce((sum, pid) => sum + cpuOfEndedChildren(pid), 0) };
}
