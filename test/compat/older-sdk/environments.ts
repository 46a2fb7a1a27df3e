// Environments with older Airflows, made once below .cache as their releases were resolved on a day soon after them.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '#platform/exec.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const WORK = join(ROOT, '.cache', 'older-sdk');
const LIMIT_MS = 420_000;

/** A release of Airflow with its Task SDK; `day` is the last whose packages are taken. */
export interface OlderRelease { readonly airflow: string; readonly sdk: string; readonly api: string; readonly day: string }

/** The environment's interpreter. Throws with the end of what the installer said. */
export async function makeEnvironment({ airflow, sdk, day }: OlderRelease, say: (line: string) => void): Promise<string> {
  const folder = join(WORK, `task-sdk-${sdk}`);
  const python = join(folder, 'bin', 'python');
  const mark = join(folder, 'complete');
  if (existsSync(mark)) return python;
  say(`installing Airflow ${airflow} with Task SDK ${sdk}, once …`);
  rmSync(folder, { recursive: true, force: true });
  const uv = await findUv();
  await succeed(uv, ['venv', '--quiet', '--python', join(ROOT, '.venv-airflow', 'bin', 'python'), folder]);
  await succeed(uv, ['pip', 'install', '--quiet', '--python', python, '--exclude-newer', day, `apache-airflow-core==${airflow}`, `apache-airflow-task-sdk==${sdk}`, 'apache-airflow-providers-standard']);
  writeFileSync(mark, '');
  return python;
}

/** The installer that resolves as of a day. */
async function findUv(): Promise<string> {
  const folder = join(WORK, 'uv');
  const uv = join(folder, 'bin', 'uv');
  if (existsSync(uv)) return uv;
  mkdirSync(WORK, { recursive: true });
  await succeed(join(ROOT, '.venv', 'bin', 'python'), ['-m', 'venv', folder]);
  await succeed(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'uv']);
  return uv;
}

async function succeed(command: string, args: readonly string[]): Promise<void> {
  const done = await run(command, args, { timeoutMs: LIMIT_MS });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${done.status}: ${done.stderr.slice(-2000)}`);
}
