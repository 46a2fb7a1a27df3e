// Which Python parses DAG files and runs tasks: the configured one, the checkout's, the home folder's, else one from PATH.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { run } from '#platform/exec.ts';

const CHECKOUT_VENV = join(import.meta.dirname, '..', '..', '.venv', 'bin', 'python');
const REQUIREMENTS = join(import.meta.dirname, '..', '..', 'python', 'requirements.txt');
const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

/** Path of an interpreter ≥ 3.10. Makes the home folder's environment (Jinja2, pendulum) on first use when there is none. */
export async function findPython(config: Config, home: string, say: (text: string) => void): Promise<string> {
  if (config.LEOFLOW_PYTHON !== null) return requireVersion(config.LEOFLOW_PYTHON);
  for (const path of [CHECKOUT_VENV, join(home, 'python', 'bin', 'python')]) if (existsSync(path)) return path;
  const base = await findBase();
  const folder = join(home, 'python');
  say(`making a Python environment in ${folder} (once) …\n`);
  const made = await run(base, ['-m', 'venv', folder], { cwd: '/', timeoutMs: 120_000 });
  if (made.status !== 0) throw new AppError('python_missing', `${base} -m venv failed: ${made.stderr.trim().split('\n').at(-1) ?? ''}`, { hint: 'Debian: apt-get install python3-venv. Or set LEOFLOW_PYTHON to an interpreter that has jinja2 and pendulum.' });
  const python = join(folder, 'bin', 'python');
  const installed = await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS], { cwd: '/', timeoutMs: 300_000 });
  if (installed.status !== 0) say('warning: Jinja2 and pendulum could not be installed; DAG files that need them will fail.\n');
  return python;
}

async function findBase(): Promise<string> {
  for (const candidate of CANDIDATES) {
    try {
      return await requireVersion(candidate);
    } catch {
      // The next one may do.
    }
  }
  throw new AppError('python_missing', `no Python 3.10 or newer on PATH (looked for ${CANDIDATES.join(', ')})`);
}

async function requireVersion(python: string): Promise<string> {
  let done;
  try {
    done = await run(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], { cwd: '/', timeoutMs: 10_000 });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${python}`, { cause });
  }
  const [major = 0, minor = 0] = done.stdout.trim().split('.').map(Number);
  if (done.status !== 0 || major !== 3 || minor < 10) throw new AppError('python_missing', `${python} is Python ${done.stdout.trim() || '?'}, older than 3.10`);
  return python;
}
