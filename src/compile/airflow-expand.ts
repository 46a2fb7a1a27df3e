// What a serialized task or group is mapped over, as our graph says it.
import type { Expand, MapSource } from '#contract/dag.ts';
import { holdsXCom, isObject, isTyped, type Json, listOf, NotExpressible, objectOf, plainOf } from './airflow-encoding.ts';

/** `expand` or `expand_kwargs`. @param encoded `{type, value}` as Airflow writes it */
export function expandOf(encoded: unknown): Expand {
  const { type, value } = objectOf(encoded);
  if (type === 'list-of-dicts') return { kind: 'rows', rows: sourceOf(value) };
  if (type !== 'dict-of-lists') throw new NotExpressible(`it is mapped over ${JSON.stringify(type)}`);
  const given = isTyped(value) ? objectOf(value.__var) : objectOf(value);
  return { kind: 'product', arguments: Object.fromEntries(Object.entries(given).map(([name, one]) => [name, sourceOf(one)])) };
}

function sourceOf(value: unknown): MapSource {
  if (isTyped(value) && value.__type === 'xcomref') return referenceOf(objectOf(value.__var));
  const held = isTyped(value) ? value.__var : value;
  const isList = Array.isArray(held);
  if (!isList && !(isTyped(value) && value.__type === 'dict')) throw new NotExpressible(`an argument is mapped over ${isTyped(value) ? `a ${value.__type}` : JSON.stringify(value)}`);
  const length = isList ? held.length : Object.keys(objectOf(held)).length;
  return { kind: 'literal', length, ...(holdsXCom(held) ? {} : { values: plainOf(value) }) };
}

/** Inside a reference the parts carry no type of their own. */
function referenceOf(reference: Json): MapSource {
  switch (reference['type'] ?? 'plain') {
    case 'plain': return { kind: 'xcom', task_id: String(reference['task_id']), key: String(reference['key']) };
    case 'map': return { kind: 'map', of: partOf(reference['arg']) };
    case 'zip': return { kind: 'zip', of: listOf(reference['args']).map(partOf), ...('fillvalue' in reference ? { longest: true } : {}) };
    case 'concat': return { kind: 'concat', of: listOf(reference['args']).map(partOf) };
    default: throw new NotExpressible(`it is mapped over a reference of the type ${JSON.stringify(reference['type'])}`);
  }
}

function partOf(value: unknown): MapSource {
  return isObject(value) && !isTyped(value) ? referenceOf(value) : sourceOf(value);
}
