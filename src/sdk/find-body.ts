// Finds the function that a reference names in a module: a task that it draws, or something that it exports.
import { bodyOf } from './make-task.ts';
import { registry, type TaskFunction } from './registry.ts';

/** Which function of a module. */
export interface WantedBody {
  readonly dagId: string;
  /** After the # of a reference. */
  readonly name: string;
  readonly module: string;
}

/**
 * The task of this DAG that the module draws under the name, else what it exports by it, else any task it draws by it.
 * Throws what the module has instead.
 */
export function findBody(exported: Readonly<Record<string, unknown>>, wanted: WantedBody): TaskFunction {
  const { dags } = registry();
  const own = dags.find((dag) => dag.dag_id === wanted.dagId)?.functions.get(wanted.name);
  if (own !== undefined) return own;
  const value = exported[wanted.name];
  const body = bodyOf(value) ?? (typeof value === 'function' ? (value as TaskFunction) : null);
  const found = body ?? dags.map((dag) => dag.functions.get(wanted.name)).find((one) => one !== undefined);
  if (found !== undefined && found !== null) return found;
  const names = [...Object.entries(exported).filter(([, one]) => typeof one === 'function').map(([name]) => name), ...dags.flatMap((dag) => [...dag.functions.keys()])];
  throw new Error(`${wanted.module} neither exports nor draws ${wanted.name}; it has ${[...new Set(names)].join(', ') || 'no functions'}`);
}
