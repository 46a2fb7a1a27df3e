// One text and one hash per JSON value, whatever the order in which its keys were written: the identity of DAG versions.
import { createHash } from 'node:crypto';

/**
 * JSON with keys sorted by UTF-16 code unit and no spaces. Keys whose value is undefined are left out.
 * Throws TypeError on what JSON cannot hold without loss: non-finite numbers, undefined in an array, functions, bigints, symbols, and
 * objects that are not plain (a Date, a Map).
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be written as JSON`);
      return JSON.stringify(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? `[${value.map(canonicalJson).join(',')}]` : renderObject(value);
    default:
      throw new TypeError(`a value of type ${typeof value} cannot be written as JSON`);
  }
}

/** SHA-256 of the canonical JSON in UTF-8, 64 hex digits. Throws as `canonicalJson` does. */
export function contentHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function renderObject(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('an object that is not plain cannot be written as JSON');
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}
