// Holds a verdict of `leoflow assess` against what a real Airflow made of the same file.
import type { AssessedFile } from '#cli/assess-folder.ts';

/** What Airflow's DagBag found in a file; `error` is the traceback when it cannot be imported, `beyond` the one with place-holders for missing packages. */
export interface AirflowAnswer { readonly dags: readonly string[]; readonly error: string | null; readonly beyond?: string | null }

/** What contradicts the verdict, in words; null when nothing does. */
export function findContradiction(row: Pick<AssessedFile, 'verdict' | 'why' | 'what' | 'dags'>, answer: AirflowAnswer): string | null {
  const error = answer.error === null ? null : lastLine(answer.error);
  switch (row.verdict) {
    case 'none': return answer.dags.length === 0 ? null : `Airflow finds ${answer.dags.join(', ')}`;
    case 'cannot': return error === null ? `Airflow imports it and finds ${answer.dags.join(', ') || 'no DAG'}` : null;
    case 'value': return error !== null && isMissingValue(error) ? null : `Airflow lacks no value: ${error ?? 'it imports the file'}`;
    case 'runs': return error === null ? differingIds(row.dags, answer.dags) : `Airflow cannot import it: ${error}`;
    default: return error === null ? null : findUnforeseen(row, error, answer.beyond ?? '');
  }
}

/** A verdict that something is missing has to name it, and what DAG refuses behind it. */
function findUnforeseen(row: Pick<AssessedFile, 'why' | 'what'>, error: string, beyond: string): string | null {
  const refused = /DAG\.__init__\(\) got an unexpected keyword argument '\w+'/.exec(beyond)?.[0];
  if (!isNamed(error, row)) return `Airflow stops at what the verdict does not name: ${error}`;
  return refused === undefined ? null : `the verdict does not name what comes then: ${refused}`;
}

/** How sure it is that what a verdict of `cannot` names is what Airflow refuses: `unseen` when a missing package hides it, also with a place-holder. */
export function evidenceOf({ what }: Pick<AssessedFile, 'what'>, { error, beyond }: AirflowAnswer): 'seen' | 'seen behind a missing package' | 'unseen' {
  const names = (text: string | null | undefined): boolean => typeof text === 'string' && what.some((one) => text.includes(`'${one}'`) || /No module named '(airflow\.[\w.]+)'|cannot import name/.exec(lastLine(text)) !== null && isOfAirflow(lastLine(text), one));
  return what.length === 0 || names(error) ? 'seen' : names(beyond) ? 'seen behind a missing package' : 'unseen';
}

function isOfAirflow(error: string, name: string): boolean {
  const module = /'(airflow\.[\w.]+)'/.exec(error)?.[1];
  return module !== undefined && (name === module || name.startsWith(`${module}.`));
}

function differingIds(ours: readonly string[], theirs: readonly string[]): string | null {
  const [one, other] = [ours, theirs].map((ids) => [...ids].sort().join(', '));
  return one === other ? null : `Airflow finds ${other}, we find ${one}`;
}

/** A traceback ends with its error, of which only the first line says what is wrong. */
function lastLine(error: string): string {
  const lines = error.trim().split('\n');
  return lines.findLast((line) => /^[\w.]+(Error|Exception|Exit|Interrupt)\b/.test(line)) ?? lines.at(-1) ?? '';
}

function isMissingValue(error: string): boolean {
  return /VARIABLE_NOT_FOUND|CONNECTION_NOT_FOUND|AirflowNotFoundException|KeyError: 'Variable /.test(error);
}

/** Whether the verdict named the module, or the provider that it is of, the variable or the decorator. */
function isNamed(error: string, { what, why }: Pick<AssessedFile, 'why' | 'what'>): boolean {
  const decorator = /task decorator '(\w+)' not found/.exec(error)?.[1];
  if (decorator !== undefined) return why.includes(`@task.${decorator} `);
  const variable = /Variable (\S+) (?:not found|does not exist)/.exec(error)?.[1];
  if (variable !== undefined) return what.includes(variable);
  const module = /No module named '([^']+)'/.exec(error)?.[1];
  if (module === undefined) return false;
  const [top = '', , ...parts] = module.split('.');
  const names = top === 'airflow' ? [1, 2].map((length) => ['apache-airflow-providers', ...parts.slice(0, length)].join('-').replaceAll('_', '-')) : [top];
  return what.some((one) => names.some((name) => one === name || one.startsWith(`${name}-`)) || one === module || one.startsWith(`${module}.`));
}
