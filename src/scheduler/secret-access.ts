// What a DAG's tasks may read and change of variables and connections, as leoflow.yaml says.
import type { ConnectionValue, VariableRequest } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import type { Secrets } from '#contract/secrets.ts';

type Kind = 'variables' | 'connections';

/** True when a name or pattern (`*` stands for any characters) of the list fits. */
export function isNamed(list: readonly string[], name: string): boolean {
  return list.some((pattern) => new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's').test(name));
}

function admit(dag: Dag, kind: Kind, name: string): void {
  const allowed = dag.access?.[kind];
  if (allowed === undefined || isNamed(allowed, name)) return;
  const one = kind === 'variables' ? 'variable' : 'connection';
  throw new AppError('forbidden', `the DAG ${dag.dag_id} may not use the ${one} ${name}: ${kind} in its leoflow.yaml do not name it`, { hint: `Add ${name} to ${kind} in leoflow.yaml and register the DAG again.` });
}

/** Carries out what a task of this DAG asks. Throws `forbidden`, and what the look-up throws. */
export async function useVariable(secrets: Secrets, dag: Dag, request: VariableRequest): Promise<string | null> {
  admit(dag, 'variables', request.key);
  switch (request.op) {
    case 'get': return secrets.findVariable(request.key);
    case 'set':
      await secrets.setVariable(request);
      return null;
    case 'delete':
      await secrets.deleteVariable(request.key);
      return null;
  }
}

/** As `useVariable`. */
export async function findConnection(secrets: Secrets, dag: Dag, connId: string): Promise<ConnectionValue | null> {
  admit(dag, 'connections', connId);
  return secrets.findConnection(connId);
}
