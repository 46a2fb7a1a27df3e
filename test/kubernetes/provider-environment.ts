// A Python environment with Airflow 3.2.1 and its Kubernetes provider for the proof, made once below .cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '#platform/exec.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.cache', 'kubernetes-provider');
const CONSTRAINTS = join(ROOT, 'python', 'constraints', 'airflow-3.2.1.txt');
/** The constraints hold none of the last three. 130 MB of clients: too much for the environment that every test needs. */
const PACKAGES = ['apache-airflow-core==3.2.1', 'apache-airflow-task-sdk==1.2.1', 'apache-airflow-providers-standard', 'apache-airflow-providers-cncf-kubernetes==10.25.0', 'kubernetes==36.0.3', 'kubernetes-asyncio==36.1.0'];
const LIMIT_MS = 420_000;

/** The environment's interpreter. Throws with the end of pip's words. */
export async function makeProviderEnvironment(say: (line: string) => void): Promise<string> {
  const python = join(FOLDER, 'bin', 'python');
  const mark = join(FOLDER, 'made-from');
  const wanted = createHash('sha256').update(readFileSync(CONSTRAINTS)).update(PACKAGES.join(' ')).digest('hex');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return python;
  say('installing Airflow with its Kubernetes provider, once …');
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const steps = [[join(ROOT, '.venv-airflow', 'bin', 'python'), '-m', 'venv', FOLDER], [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-c', CONSTRAINTS, ...PACKAGES]] as const;
  for (const [command, ...args] of steps) {
    const done = await run(command, args, { timeoutMs: LIMIT_MS });
    if (done.status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … ended with ${done.status}: ${done.stderr.slice(-2000)}`);
  }
  writeFileSync(mark, wanted);
  return python;
}
