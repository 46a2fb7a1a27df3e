// The packages of `runtime: airflow`: what a project says about Airflow, completed by the versions that are tested together.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dag } from '#contract/dag.ts';

type PythonNeeds = NonNullable<NonNullable<Dag['environment']>['python']>;

/** The release of Airflow that environments get unless the project names another of the same line. */
export const AIRFLOW_VERSION = '3.2.1';
/** Lines of releases that are tested. */
export const TESTED_LINE = '3.2';

const CONSTRAINTS = join(import.meta.dirname, '..', '..', 'python', 'constraints', `airflow-${AIRFLOW_VERSION}.txt`);
/** What a worker of Airflow needs to parse and run files. */
const NEEDED = ['apache-airflow-core', 'apache-airflow-task-sdk', 'apache-airflow-providers-standard'];
/** Packages of one release; a project that pins one of them means all. */
const RELEASE: ReadonlySet<string> = new Set(['apache-airflow', 'apache-airflow-core', 'apache-airflow-task-sdk']);

const EXACT = /===?\s*\d+\.\d+\.\d/;

/** The name of the package that a line wants, as PyPI writes it; null when it names none. */
export function packageOf(line: string): string | null {
  return /^([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(line.trim())?.[1]?.toLowerCase().replaceAll(/[._]+/g, '-') ?? null;
}

/** Whether a project's requirements say that its files run by the real Task SDK. */
export function namesAirflow(needs: PythonNeeds | null): boolean {
  return needs?.requirements.some((line) => packageOf(line)?.startsWith('apache-airflow') === true) === true;
}

/** The pin that fits no tested release, such as `apache-airflow==2.11.0`; null when there is none. */
export function untestedPin(needs: PythonNeeds | null): string | null {
  const pins = [...(needs?.requirements ?? []), ...(needs?.constraints ?? [])].filter((line) => ['apache-airflow', 'apache-airflow-core'].includes(packageOf(line) ?? ''));
  return pins.find((line) => {
    const version = /==\s*(\d+\.\d+)/.exec(line)?.[1];
    return version !== undefined && version !== TESTED_LINE;
  }) ?? null;
}

/** The needs of a project with Airflow's own. Versions that the project itself limits are left to it. */
export function withAirflow(needs: PythonNeeds | null): PythonNeeds {
  const requirements = needs?.requirements ?? [];
  const constraints = needs?.constraints ?? [];
  const named = new Set(requirements.map(packageOf));
  const limits = [...requirements.filter((line) => /[=<>~!@]/.test(line)), ...constraints];
  const limited = new Set(limits.map(packageOf));
  // Within a range of releases ours is taken; one release of theirs is theirs with all of its packages.
  const hasRelease = limits.some((line) => RELEASE.has(packageOf(line) ?? '') && EXACT.test(line));
  const shipped = shippedConstraints().filter((line) => {
    const name = packageOf(line) ?? '';
    return RELEASE.has(name) ? !hasRelease : !limited.has(name);
  });
  return { ...needs, requirements: [...requirements, ...NEEDED.filter((name) => !named.has(name))], constraints: [...constraints, ...shipped] };
}

let read: readonly string[] | null = null;

function shippedConstraints(): readonly string[] {
  read ??= readFileSync(CONSTRAINTS, 'utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return read;
}
