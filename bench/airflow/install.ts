// A virtual environment with Airflow 3.2.1, made once below .cache: what pip needs, and the pins without which its API server does not start today.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '#platform/exec.ts';
import type { Workbench } from '../workbench.ts';

/** The version that everything here is compared with. */
export const AIRFLOW_VERSION = '3.2.1';
const FOLDER = join(import.meta.dirname, '..', '..', '.cache', `airflow-${AIRFLOW_VERSION}`);
/** Unpinned, pip takes a pydantic, FastAPI, Cadwyn and SQLAlchemy that `airflow api-server` stops at. */
const PACKAGES = [
  `apache-airflow==${AIRFLOW_VERSION}`, 'pydantic==2.12.5', 'fastapi<0.130', 'cadwyn<6.2', 'sqlalchemy<2.1', 'psycopg2-binary', 'asyncpg', 'apache-airflow-providers-postgres',
];

/** The environment's `bin` folder, or what stands in the way and how to do it by hand. */
export type Installed = { readonly kind: 'installed'; readonly bin: string } | { readonly kind: 'missing'; readonly why: string };

/** Finds the environment or makes it; the first time takes about a minute and a network. */
export async function installAirflow(bench: Pick<Workbench, 'python' | 'say'>): Promise<Installed> {
  const bin = join(FOLDER, 'bin');
  const mark = join(FOLDER, 'complete');
  if (existsSync(mark)) return { kind: 'installed', bin };
  bench.say(`installing Airflow ${AIRFLOW_VERSION} in ${FOLDER} (once) …`);
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const byHand = `${bench.python} -m venv ${FOLDER} && ${join(bin, 'pip')} install ${PACKAGES.map((name) => `'${name}'`).join(' ')} && touch ${mark}`;
  const steps = [[bench.python, '-m', 'venv', FOLDER], [join(bin, 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]] as const;
  for (const [command, ...args] of steps) {
    const done = await run(command, args, { timeoutMs: 420_000 }).catch((error: unknown) => ({ status: 1, stderr: String(error) }));
    if (done.status !== 0) return { kind: 'missing', why: `${command} ${args.slice(0, 3).join(' ')} … failed (${done.stderr.trim().split('\n').at(-1) ?? ''}); with a network this does it: ${byHand}` };
  }
  writeFileSync(mark, '');
  return { kind: 'installed', bin };
}
