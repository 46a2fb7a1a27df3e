// Reads and changes variables and connections for a DAG's tasks, as far as its leoflow.yaml lets them.
import type { ConnectionValue, VariableRequest } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import type { Secrets } from '#contract/secrets.ts';
import { admitSecret } from '#core/secret-access.ts';

/** Carries out what a task of this DAG asks. Throws `forbidden`, and what the look-up throws. */
export async function useVariable(secrets: Secrets, dag: Dag, request: VariableRequest): Promise<string | null> {
  admitSecret(dag, 'variables', request.key);
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
  admitSecret(dag, 'connections', connId);
  return secrets.findConnection(connId);
}
