// Which variables and connections a DAG may use, as `variables:` and `connections:` in its leoflow.yaml say.
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';

/** What leoflow.yaml may restrict. */
export type SecretKind = 'variables' | 'connections';

/** Throws `forbidden` when the DAG's leoflow.yaml lists what it may use and this name is not among them. */
export function admitSecret(dag: Dag, kind: SecretKind, name: string): void {
  const allowed = dag.access?.[kind];
  if (allowed === undefined || isNamed(allowed, name)) return;
  const one = kind === 'variables' ? 'variable' : 'connection';
  throw new AppError('forbidden', `the DAG ${dag.dag_id} may not use the ${one} ${name}: ${kind} in its leoflow.yaml do not name it`, { hint: `Add ${name} to ${kind} in leoflow.yaml and register the DAG again.` });
}

/** True when a name or pattern (`*` stands for any characters) of the list fits. */
export function isNamed(list: readonly string[], name: string): boolean {
  return list.some((pattern) => fits(pattern, name));
}

/** Each part is looked for once, from where the one before it ended: no pattern makes this look back. */
function fits(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === first;
  const end = name.length - last.length;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= end;
}
