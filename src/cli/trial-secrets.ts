// Variables and connections of a trial: what was given, as far as leoflow.yaml lets the DAG use it, with what tasks change until the trial ends.
import type { ConnectionValue, ImportSecrets, VariableRequest } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import { admitSecret } from '#core/secret-access.ts';
import type { Given } from './trial-values.ts';

/** What the tasks of a trial see. All of them throw `forbidden` where a server would. */
export interface TrialSecrets {
  useVariable(request: VariableRequest): string | null;
  findConnection(connId: string): ConnectionValue | null;
  /** What the DAG's file reads while it is imported. */
  readForImport(): ImportSecrets;
}

/** Changes are kept in memory. */
export function createTrialSecrets(dag: Dag, given: Pick<Given, 'findVariable' | 'findConnection'>): TrialSecrets {
  /** Null: deleted. */
  const changed = new Map<string, string | null>();
  const findVariable = (key: string): string | null => {
    admitSecret(dag, 'variables', key);
    const value = changed.get(key);
    return value === undefined ? given.findVariable(key) : value;
  };
  const findConnection = (connId: string): ConnectionValue | null => {
    admitSecret(dag, 'connections', connId);
    return given.findConnection(connId);
  };
  return {
    findConnection,
    useVariable(request) {
      if (request.op === 'get') return findVariable(request.key);
      admitSecret(dag, 'variables', request.key);
      changed.set(request.key, request.op === 'set' ? request.value : null);
      return null;
    },
    readForImport() {
      const { variables = [], connections = [] } = dag.import_reads ?? {};
      return { variables: foundOf(variables, findVariable), connections: foundOf(connections, findConnection) };
    },
  };
}

function foundOf<T>(names: readonly string[], find: (name: string) => T | null): Record<string, T> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = find(name);
    return value === null ? [] : [[name, value] as const];
  }));
}
