// Which Python runtime a DAG file is for: our own when it covers the file, else the Task SDK that the project's environment holds.
import { AppError } from '#contract/errors.ts';
import { userEnvironment } from '#platform/config.ts';
import { run } from '#platform/exec.ts';
import { AIRFLOW_VERSION, TESTED_LINE } from './airflow-requirements.ts';
import type { CompileProblem, CompileRequest, InstalledAirflow } from './compiled.ts';
import { PYTHON_FOLDER } from './parser.ts';

const PROBE = 'import importlib.metadata as m; print(m.version("apache-airflow-core"), m.version("apache-airflow-task-sdk"))';
const PROBE_MS = 20_000;

/** What an interpreter's environment holds of Airflow; null when it cannot parse DAG files. Throws `python_missing` when the interpreter cannot be started. */
export async function findAirflow(python: string): Promise<InstalledAirflow | null> {
  let asked;
  try {
    asked = await run(python, ['-c', PROBE], { cwd: '/', timeoutMs: PROBE_MS, env: userEnvironment() });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${python}`, { cause });
  }
  const [core, sdk] = asked.stdout.trim().split(' ');
  return asked.status !== 0 || core === undefined || sdk === undefined ? null : { core, sdk };
}

/** Why a release cannot be used, or what to know about it; null for one that is tested. */
export function releaseProblem({ core }: InstalledAirflow, request: Pick<CompileRequest, 'file'>): { readonly isFatal: boolean; readonly problem: CompileProblem } | null {
  if (core === TESTED_LINE || core.startsWith(`${TESTED_LINE}.`)) return null;
  const [major = 0, minor = 0] = core.split('.').map(Number);
  const [testedMajor = 0, testedMinor = 0] = TESTED_LINE.split('.').map(Number);
  const isFatal = major !== testedMajor || minor < testedMinor;
  const message = isFatal ? `the environment holds Airflow ${core}, and runtime airflow needs ${TESTED_LINE} or newer` : `the environment holds Airflow ${core}; runtime airflow is tested with ${TESTED_LINE}`;
  return { isFatal, problem: { file: request.file, line: null, column: null, message, hint: `Pin apache-airflow==${AIRFLOW_VERSION} in dependencies.python of leoflow.yaml.` } };
}

/** Kinds of problems that the real SDK may not have. */
const NOT_COVERED: ReadonlySet<string> = new Set(['unsupported_import', 'unsupported_feature']);

/** Whether our own runtime refused a file for want of something that Airflow has. */
export function isNotCovered(problems: readonly CompileProblem[]): boolean {
  return problems.some(({ kind, message }) => (kind !== undefined && NOT_COVERED.has(kind)) || /\bmodule 'airflow\b[^']*' has no attribute|No module named 'airflow\b/.test(message));
}

/** Whether tasks of a file import something of Airflow's, when they run, that our own runtime does not have. */
export async function importsMoreLater({ root, file, python, importPaths }: CompileRequest): Promise<boolean> {
  const asked = await run(python, ['-m', 'leoflow.assess', root, ...importPaths], { cwd: PYTHON_FOLDER, input: `${file}\n`, timeoutMs: PROBE_MS, env: { ...userEnvironment(), PYTHONPATH: PYTHON_FOLDER } });
  if (asked.status !== 0) throw new AppError('bug', `reading the imports of ${file} failed: ${asked.stderr.trim().split('\n').at(-1) ?? ''}`);
  const [one] = JSON.parse(asked.stdout) as { readonly needs?: readonly { readonly needs: string }[] }[];
  return one?.needs?.some(({ needs }) => needs === 'sdk' || needs === 'context') === true;
}

/** What to say when a file is for the Task SDK and there is none. */
export function missingAirflow({ file, python }: Pick<CompileRequest, 'file' | 'python'>): CompileProblem {
  return { file, line: null, column: null, message: `runtime airflow: ${python} holds no apache-airflow-core and apache-airflow-task-sdk`, hint: `Write apache-airflow==${AIRFLOW_VERSION} into dependencies.python of leoflow.yaml, or set LEOFLOW_PYTHON to an interpreter that has them.` };
}
