// A variable as Airflow's clients read it, and the text that a body's value is stored as.
import type { VariableResponse } from '#contract/airflow/variable.ts';
import { maskVariable, pythonJson } from '#core/sensitive.ts';
import type { Variable } from '#store/variables.ts';

/** Values of sensitive names, and what stands under sensitive names in JSON, are masked. */
export function renderVariable({ key, value, description }: Variable): VariableResponse {
  return { key, value: value === null ? '' : maskVariable(key, value), description, is_encrypted: true, team_name: null };
}

/** A text as it is, objects and lists as JSON, the rest as Python's `str`. */
export function textOfValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return pythonJson(value);
}
