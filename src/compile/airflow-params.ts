// Params of a serialized DAG or task.
import type { Param } from '#contract/dag.ts';
import { isTyped, listOf, objectOf, plainOf } from './airflow-encoding.ts';

/** Params by name; undefined when there are none. @param owner a task repeats those of its DAG: `task` takes only its own */
export function paramsOf(pairs: readonly unknown[], owner: 'dag' | 'task'): Record<string, Param> | undefined {
  const entries = pairs.map((pair): [string, Param] | null => {
    const [name, value] = listOf(pair);
    const encoded = objectOf(value);
    if (owner === 'task' && encoded['source'] === 'dag') return null;
    return [String(name), paramOf(encoded)];
  }).filter((entry) => entry !== null);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Without a default the SDK writes a marker of a type of its own. */
function paramOf({ default: value, description, schema }: ReturnType<typeof objectOf>): Param {
  const isUnset = value === undefined || (isTyped(value) && value.__type === 'arg_not_set');
  const rules = objectOf(plainOf(schema));
  return {
    ...(isUnset ? {} : { default: plainOf(value) }),
    ...(typeof description === 'string' ? { description } : {}),
    ...(Object.keys(rules).length === 0 ? {} : { schema: rules }),
  };
}
