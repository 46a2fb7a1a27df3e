// Airflow's envelopes (`__classname__`, `__version__`, `__data__`, and the older `__type`, `__var`) as JSON data. Nothing is imported.
import { ExactNumber, PythonFloat } from './python-json.ts';
import { objectOf, showFloat } from './show-pickle.ts';
import { isoOfEpoch, MAX_DEPTH, type Notes, NotShown, offsetText, pathTo } from './shown-value.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Parsed JSON with its envelopes opened, at any depth. Throws `NotShown` when it is nested deeper than 500. */
export function showEnvelopes(value: unknown, notes: Notes, path = '$', depth = 0): unknown {
  if (value instanceof PythonFloat) return showFloat(value.name, path, notes);
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return value;
  if (depth >= MAX_DEPTH) throw new NotShown(`nested deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) return value.map((item, index) => showEnvelopes(item, notes, pathTo(path, index), depth + 1));
  const fields = value as Fields;
  const within: Within = { notes, path, depth };
  if (isEnvelope(fields)) return showClass(fields, within);
  if (Object.keys(fields).length === 2 && typeof fields['__type'] === 'string' && '__var' in fields) return showLegacy(fields['__type'], fields['__var'], within);
  return objectOf(Object.entries(fields).map(([key, part]) => [key, showEnvelopes(part, notes, pathTo(path, key), depth + 1)]));
}

interface Within { readonly notes: Notes; readonly path: string; readonly depth: number }

const inner = (data: unknown, { notes, path, depth }: Within, part?: string): unknown => showEnvelopes(data, notes, part === undefined ? path : pathTo(path, part), depth + 1);

function isEnvelope(fields: Fields): boolean {
  const keys = Object.keys(fields);
  return typeof fields['__classname__'] === 'string' && Number.isInteger(fields['__version__']) && '__data__' in fields && keys.every((key) => ['__classname__', '__version__', '__data__', '__id__'].includes(key));
}

const COLLECTIONS: ReadonlyMap<string, string> = new Map([['builtins.tuple', 'tuple'], ['builtins.set', 'set'], ['builtins.frozenset', 'frozenset']]);
const FRAMES = /^(pandas\.|polars\.|pyarrow\.|deltalake\.|pyiceberg\.)/;

function showClass(fields: Fields, within: Within): unknown {
  const { notes, path } = within;
  const name = String(fields['__classname__']);
  const data = fields['__data__'];
  const collection = COLLECTIONS.get(name);
  if (collection !== undefined && Array.isArray(data)) {
    notes.add(path, collection);
    return inner(data, within);
  }
  const known = showKnown(name, data);
  if (known !== null) {
    notes.add(path, known.note);
    return known.value instanceof PythonFloat ? showFloat(known.value.name, path, notes) : known.value;
  }
  if (FRAMES.test(name) && typeof data === 'string') {
    notes.add(path, 'typed placeholder');
    return { $class: name, $version: fields['__version__'], $bytes: payloadBytes(data) };
  }
  notes.add(path, name);
  return { $class: name, $version: fields['__version__'], data: inner(data, within, 'data') };
}

/** Length of the bytes that a serializer wrote as hexadecimal digits or base64. */
function payloadBytes(text: string): number {
  if (/^([0-9a-f]{2})*$/i.test(text)) return text.length / 2;
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text ? decoded.length : Buffer.byteLength(text);
}

interface Known { readonly value: unknown; readonly note: string }

function showKnown(name: string, data: unknown): Known | null {
  if (name === 'datetime.datetime' || name === 'pendulum.datetime.DateTime') return showDatetime(data);
  if ((name === 'datetime.date' || name === 'pendulum.date.Date') && typeof data === 'string') return { value: data, note: 'date' };
  if (name === 'datetime.timedelta' && typeof data === 'number') return { value: data, note: 'timedelta in seconds' };
  if (name === 'decimal.Decimal') return isScalar(data) ? { value: textOf(data), note: 'Decimal' } : null;
  if (name === 'uuid.UUID' && typeof data === 'string') return { value: data, note: 'UUID' };
  if (/^pendulum\.tz\.timezone\.|^zoneinfo\.ZoneInfo$|^datetime\.timezone$|^pytz\./.test(name)) return { value: zoneName(data) ?? data, note: 'timezone' };
  if (/^numpy\.(?!ndarray)[a-z_0-9]+$/.test(name) && isScalar(data)) return { value: data, note: name };
  return null;
}

function isScalar(data: unknown): boolean {
  return typeof data === 'string' || typeof data === 'number' || typeof data === 'boolean' || data instanceof ExactNumber || data instanceof PythonFloat;
}

function textOf(data: unknown): string {
  return data instanceof ExactNumber ? data.digits : String(data);
}

/** Seconds since the epoch: seconds with a fraction are a float in the JSON. */
function showDatetime(data: unknown): Known | null {
  if (typeof data !== 'object' || data === null || !('timestamp' in data) || typeof data.timestamp !== 'number') return null;
  const text = isoOfEpoch(data.timestamp);
  if (text === null) return null;
  const zone = zoneName('tz' in data ? data.tz : null);
  return { value: text, note: zone === null ? 'datetime (no zone)' : `datetime (zone ${zone})` };
}

/** A zone's name or offset: text, seconds, the serializer's tuple `[value, class, version, …]`, or an envelope of it. */
function zoneName(zone: unknown): string | null {
  if (typeof zone === 'string') return zone === '' ? null : zone;
  if (typeof zone === 'number') return zone === 0 ? 'UTC' : offsetText(zone);
  if (Array.isArray(zone)) return zoneName(zone[0]);
  if (typeof zone === 'object' && zone !== null && '__data__' in zone) return zoneName(zone.__data__);
  return null;
}

function showLegacy(type: string, data: unknown, within: Within): unknown {
  const { notes, path } = within;
  if (type === 'dict') return inner(data, within);
  if ((type === 'tuple' || type === 'set') && Array.isArray(data)) {
    notes.add(path, type);
    return inner(data, within);
  }
  const text = type === 'datetime' && typeof data === 'number' ? isoOfEpoch(data) : null;
  if (text !== null) {
    notes.add(path, 'datetime (zone UTC)');
    return text;
  }
  if (type === 'timedelta' && typeof data === 'number') {
    notes.add(path, 'timedelta in seconds');
    return data;
  }
  notes.add(path, type);
  return { $class: type, data: inner(data, within, 'data') };
}
