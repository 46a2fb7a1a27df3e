// Airflow's envelopes (`__classname__`, `__version__`, `__data__`, and the older `__type`, `__var`) as JSON data. Nothing is imported.
import { ExactNumber, PythonFloat } from './python-json.ts';
import { objectOf, showFloat } from './show-pickle.ts';
import { isoOfEpoch, MAX_DEPTH, type Notes, NotShown, offsetText, pathTo } from './shown-value.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Parsed JSON with its envelopes opened, at any depth. Throws `NotShown` when it is nested deeper than 500. */
export function showEnvelopes(value: unknown, notes: Notes): unknown {
  return show(value, { notes, path: '$', depth: 0 });
}

interface Within { readonly notes: Notes; readonly path: string; readonly depth: number }

/** The place of a part; without a name that of the same value, one layer further in. */
const inside = (within: Within, part?: string | number): Within => ({ notes: within.notes, path: part === undefined ? within.path : pathTo(within.path, part), depth: within.depth + 1 });

function show(value: unknown, within: Within): unknown {
  if (value instanceof PythonFloat) return showFloat(value.name, within.path, within.notes);
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return value;
  if (within.depth >= MAX_DEPTH) throw new NotShown(`nested deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) return value.map((item, index) => show(item, inside(within, index)));
  const fields = value as Fields;
  if (isEnvelope(fields)) return showClass(fields, within);
  if (Object.keys(fields).length === 2 && typeof fields['__type'] === 'string' && '__var' in fields) return showLegacy(fields['__type'], fields['__var'], within);
  return objectOf(Object.entries(fields).map(([key, part]) => [key, show(part, inside(within, key))]));
}

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
    return show(data, inside(within));
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
  return { $class: name, $version: fields['__version__'], data: show(data, inside(within, 'data')) };
}

/** Length of the bytes that a serializer wrote as hexadecimal digits or base64. */
function payloadBytes(text: string): number {
  if (/^([0-9a-f]{2})*$/i.test(text)) return text.length / 2;
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text ? decoded.length : Buffer.byteLength(text);
}

interface Known { readonly value: unknown; readonly note: string }

const DATETIMES = ['datetime.datetime', 'pendulum.datetime.DateTime'];
/** Classes whose data is the text or the number that is shown, with the note. */
const PLAIN: ReadonlyMap<string, { readonly kind: 'string' | 'number'; readonly note: string }> = new Map([
  ['datetime.date', { kind: 'string', note: 'date' }], ['pendulum.date.Date', { kind: 'string', note: 'date' }],
  ['datetime.timedelta', { kind: 'number', note: 'timedelta in seconds' }], ['uuid.UUID', { kind: 'string', note: 'UUID' }],
]);
const ZONES = /^pendulum\.tz\.timezone\.|^zoneinfo\.ZoneInfo$|^datetime\.timezone$|^pytz\./;

function showKnown(name: string, data: unknown): Known | null {
  if (DATETIMES.includes(name)) return showDatetime(data);
  const plain = PLAIN.get(name);
  if (plain !== undefined) return typeof data === plain.kind ? { value: data, note: plain.note } : null;
  if (name === 'decimal.Decimal') return isScalar(data) ? { value: textOf(data), note: 'Decimal' } : null;
  if (ZONES.test(name)) return { value: zoneName(data) ?? data, note: 'timezone' };
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
  if (type === 'dict') return show(data, inside(within));
  if ((type === 'tuple' || type === 'set') && Array.isArray(data)) {
    notes.add(path, type);
    return show(data, inside(within));
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
  return { $class: type, data: show(data, inside(within, 'data')) };
}
