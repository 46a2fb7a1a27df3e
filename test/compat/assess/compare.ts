// Holds a verdict of `leoflow assess` against what a real Airflow made of the same file.
import type { AssessedFile } from '#cli/assess-folder.ts';

/** What Airflow's DagBag found in a file; `error` is the traceback when it cannot be imported. */
export interface AirflowAnswer { readonly dags: readonly string[]; readonly error: string | null }

/** What contradicts the verdict, in words; null when nothing does. */
export function findContradiction(row: Pick<AssessedFile, 'verdict' | 'what' | 'dags'>, answer: AirflowAnswer): string | null {
  const error = answer.error === null ? null : lastLine(answer.error);
  switch (row.verdict) {
    case 'none': return answer.dags.length === 0 ? null : `Airflow finds ${answer.dags.join(', ')}`;
    case 'cannot': return error === null ? `Airflow imports it and finds ${answer.dags.join(', ') || 'no DAG'}` : null;
    case 'value': return error !== null && isMissingValue(error) ? null : `Airflow lacks no value: ${error ?? 'it imports the file'}`;
    case 'runs': return error === null ? differingIds(row.dags, answer.dags) : `Airflow cannot import it: ${error}`;
    default: return error === null || isNamed(error, row.what) ? null : `Airflow stops at what the verdict does not name: ${error}`;
  }
}

/** Whether Airflow stopped at a package that is not installed there, before it could come to what a verdict of `cannot` names. */
export function stoppedBefore(row: Pick<AssessedFile, 'verdict' | 'what'>, answer: AirflowAnswer): boolean {
  const error = answer.error === null ? '' : lastLine(answer.error);
  return row.verdict === 'cannot' && row.what.length > 0 && /No module named/.test(error) && !isNamed(error, row.what);
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

/** Whether the verdict named the module, or the provider that it is of, or the variable. */
function isNamed(error: string, what: readonly string[]): boolean {
  const variable = /Variable (\S+) (?:not found|does not exist)/.exec(error)?.[1];
  if (variable !== undefined) return what.includes(variable);
  const module = /No module named '([^']+)'/.exec(error)?.[1];
  if (module === undefined) return false;
  const [top = '', , ...parts] = module.split('.');
  const names = top === 'airflow' ? [1, 2].map((length) => ['apache-airflow-providers', ...parts.slice(0, length)].join('-').replaceAll('_', '-')) : [top];
  return what.some((one) => names.includes(one) || one === module || one.startsWith(`${module}.`));
}
