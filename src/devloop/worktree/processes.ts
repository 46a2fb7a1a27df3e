// Which processes work in which folder, and which listen on which port: by /proc on Linux, else by lsof where it is installed.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { run } from '#platform/exec.ts';

/** A process with the folder it stands in. */
export interface WorkingProcess { readonly pid: number; readonly command: string; readonly cwd: string }
/** A listening socket; the process is null when it belongs to another user. */
export interface ListeningSocket { readonly port: number; readonly address: string; readonly process: WorkingProcess | null }

const HAS_PROC = existsSync('/proc/self/cwd');
const LSOF_MS = 20_000;

/** Every process that this user may look into, but this one. */
export async function listProcesses(): Promise<readonly WorkingProcess[]> {
  if (!HAS_PROC) return parseLsof(await lsof(['-d', 'cwd', '-Fpcn'])).flatMap(({ pid, command, name }) => (pid === process.pid ? [] : [{ pid, command, cwd: name }]));
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((name) => findProcess(Number(name)) ?? []);
}

function findProcess(pid: number): WorkingProcess | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter((word) => word !== '');
    return { pid, command: words.join(' ').slice(0, 120) || readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), cwd: readlinkSync(`/proc/${pid}/cwd`) };
  } catch {
    // It ended, or is another user's.
    return null;
  }
}

/** When a process began, in ticks of the kernel: another process with the same number began at another time. Null where that is not known. */
export function startOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Every listening TCP socket of this machine. */
export async function listListening(): Promise<readonly ListeningSocket[]> {
  if (!HAS_PROC) return listByLsof();
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => (existsSync(path) ? parseSockets(readFileSync(path, 'utf8')) : []));
  const owners = findOwners(new Set(sockets.map((socket) => socket.inode)));
  return sockets.map(({ port, address, inode }) => ({ port, address, process: findProcess(owners.get(inode) ?? -1) }));
}

const LISTENING = '0A';

/** The listening lines of /proc/net/tcp and tcp6. */
export function parseSockets(text: string): { port: number; address: string; inode: string }[] {
  return text.split('\n').slice(1).map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === LISTENING).map((fields) => {
    const [host = '', port = '0'] = (fields[1] ?? '').split(':');
    return { port: Number.parseInt(port, 16), address: addressOf(host), inode: fields[9] ?? '' };
  });
}

/** The kernel writes words of four bytes in its own order: little-endian here. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => Number.parseInt(`${bytes[2 * at] ?? '0'}${bytes[2 * at + 1] ?? '0'}`, 16).toString(16));
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::');
}

function findOwners(inodes: ReadonlySet<string>): Map<string, number> {
  const owners = new Map<string, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      for (const fd of readdirSync(`/proc/${name}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${name}/fd/${fd}`))?.[1];
        if (inode !== undefined && inodes.has(inode) && !owners.has(inode)) owners.set(inode, Number(name));
      }
    } catch {
      // It ended, or is another user's.
    }
  }
  return owners;
}

async function listByLsof(): Promise<readonly ListeningSocket[]> {
  const listening = parseLsof(await lsof(['-nP', '-iTCP', '-sTCP:LISTEN', '-Fpcn']));
  const folders = new Map((await listProcesses()).map((one) => [one.pid, one]));
  return listening.map(({ pid, command, name }) => {
    const at = name.lastIndexOf(':');
    return { port: Number(name.slice(at + 1)), address: name.slice(0, at), process: folders.get(pid) ?? { pid, command, cwd: '' } };
  });
}

async function lsof(args: readonly string[]): Promise<string> {
  try {
    return (await run('lsof', args, { timeoutMs: LSOF_MS })).stdout;
  } catch {
    return '';
  }
}

/** The field output of lsof: a line per field, `p` begins a process, `n` ends a file. */
export function parseLsof(text: string): { pid: number; command: string; name: string }[] {
  let pid = 0;
  let command = '';
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line.startsWith('c')) command = line.slice(1);
    return line.startsWith('n') ? [{ pid, command, name: line.slice(1) }] : [];
  });
}
