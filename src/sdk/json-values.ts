// Values as JSON text and back: what JSON cannot hold is refused with its place, what Python wrapped is opened.

/** A value has no JSON form; the message says what it is and where in the value. */
export class ValueRefused extends Error {
  override readonly name = 'ValueRefused';
}

const MAX_DEPTH = 64;
const PYTHON_CLASS = '__classname__';

/** JSON text of a value. Throws ValueRefused. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(packed(value, { path: '', open: [] }));
}

interface At { readonly path: string; readonly open: readonly object[] }

/** The value made of what JSON has words for. */
function packed(value: unknown, at: At): unknown {
  const where = at.path === '' ? '' : ` (at ${at.path})`;
  switch (typeof value) {
    case 'string': case 'boolean': return value;
    case 'undefined': return null;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw new ValueRefused(`${value} has no JSON form${where}`);
    case 'bigint': throw new ValueRefused(`a bigint has no JSON form${where}: convert it to a string or a number`);
    case 'symbol': case 'function': throw new ValueRefused(`a ${typeof value} has no JSON form${where}`);
    default: return value === null ? null : packedObject(value as object, at, where);
  }
}

function packedObject(value: object, at: At, where: string): unknown {
  if (at.open.includes(value)) throw new ValueRefused(`the value holds itself${where}: a circular value has no JSON form`);
  if (at.open.length >= MAX_DEPTH) throw new ValueRefused(`the value is nested deeper than ${MAX_DEPTH} levels${where}`);
  const open = [...at.open, value];
  if ('toJSON' in value && typeof value.toJSON === 'function') return packed((value.toJSON as () => unknown)(), { path: at.path, open });
  if (Array.isArray(value)) return value.map((item, index) => packed(item, { path: `${at.path}[${index}]`, open }));
  if (value instanceof Map) throw new ValueRefused(`a Map has no JSON form${where}: use Object.fromEntries`);
  if (value instanceof Set) throw new ValueRefused(`a Set has no JSON form${where}: spread it into an array`);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) throw new ValueRefused(`binary data has no JSON form${where}: store it and return its address`);
  if (value instanceof Error) throw new ValueRefused(`an Error has no JSON form${where}: throw it, or return its message`);
  if (value instanceof Promise) throw new ValueRefused(`a Promise has no JSON form${where}: await it`);
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, packed(item, { path: `${at.path}.${key}`, open })]));
}

/** The value of a JSON text; dates, tuples, sets and the like of Python are their JSON form. */
export function decodeValue(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes(`"${PYTHON_CLASS}"`) ? opened(value) : value;
}

function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Readonly<Record<string, unknown>>;
  if (!(PYTHON_CLASS in fields) || !('__version__' in fields)) return Object.fromEntries(Object.entries(fields).map(([key, item]) => [key, opened(item)]));
  const data = opened(fields['__data__']);
  const name = String(fields[PYTHON_CLASS]);
  const isMoment = name === 'datetime.datetime' || name === 'pendulum.datetime.DateTime';
  return isMoment && typeof data === 'object' && data !== null && 'timestamp' in data ? new Date(Number(data.timestamp) * 1000).toISOString() : data;
}
