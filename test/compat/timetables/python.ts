// Programs of this folder under Python with the very release of tz data that Node has, whatever the machine's own says.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '#platform/exec.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** Python 3 of `make setup`. */
export const PYTHON = join(ROOT, '.venv', 'bin', 'python');
const LIMIT_MS = 180_000;

/** A folder with Python's `tzdata`, or how to make it where there is no network. */
export type TzData = { readonly kind: 'installed'; readonly folder: string } | { readonly kind: 'missing'; readonly why: string };

/** Installs the release that equals Node's below .cache, once: `2026c` of ICU is `tzdata==2026.3` of the package index. */
export async function installTzData(): Promise<TzData> {
  const [, year = '', letter = 'a'] = /^(\d{4})([a-z])$/.exec(process.versions['tz'] ?? '') ?? [];
  const version = `${year}.${letter.charCodeAt(0) - 96}`;
  const folder = join(ROOT, '.cache', `tzdata-${version}`);
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--target', folder, `tzdata==${version}`];
  if (!existsSync(join(folder, 'tzdata', 'zones'))) {
    const done = await run(PYTHON, args, { timeoutMs: LIMIT_MS });
    if (done.status !== 0) return { kind: 'missing', why: `needs the network once: ${PYTHON} ${args.join(' ')}` };
  }
  const says = readFileSync(join(folder, 'tzdata', '__init__.py'), 'utf8');
  if (!says.includes(`"${process.versions['tz']}"`)) throw new Error(`tzdata ${version} is not ${process.versions['tz']}: ${says}`);
  return { kind: 'installed', folder };
}

/** Runs a program to its end and parses the lines that it prints. */
export async function ask(tzData: string, program: readonly string[], how: { python?: string; input?: string; folder?: string } = {}): Promise<unknown[]> {
  const [file = '', ...args] = program;
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', PYTHONPATH: tzData, PYTHONTZPATH: '', PYTHONDONTWRITEBYTECODE: '1' };
  const done = await run(how.python ?? PYTHON, [join(how.folder ?? import.meta.dirname, file), ...args], { timeoutMs: LIMIT_MS, env, maxOutputBytes: 64 * 1024 * 1024, ...(how.input === undefined ? {} : { input: how.input }) });
  if (done.status !== 0) throw new Error(`${file} ended with ${done.status}: ${done.stderr.slice(-2000)}`);
  return done.stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}
