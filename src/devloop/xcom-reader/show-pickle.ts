// A described pickle as JSON data: Python's own types in their usual text, everything else as the name of its class and what was given to it.
import { PythonFloat } from './python-json.ts';
import type { PyCall, PyValue } from './pickle-machine.ts';
import { constructed, modernName, nameOf, numberOf, rawBytes, textOf } from './pickle-parts.ts';
import { datetimeText, dateText, timedeltaSeconds, timeText, zoneText } from './pickle-times.ts';
import { MAX_DEPTH, Notes, NotShown, pathTo } from './shown-value.ts';

/** Parts that one value may have once shared references are written out. */
const MAX_PARTS = 1_000_000;
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

interface Showing {
  readonly notes: Notes;
  /** Containers that are being written, with their paths: meeting one again is a cycle. */
  readonly open: Map<PyValue, string>;
  parts: number;
  textBytes: number;
}

/** Shows a value. Throws `NotShown` when it is deeper than 500 or larger than a million parts or 64 MB. */
export function showPickle(value: PyValue, notes: Notes): unknown {
  return show(value, '$', { notes, open: new Map(), parts: 0, textBytes: 0 });
}

function spend(showing: Showing, textBytes: number): void {
  showing.parts += 1;
  showing.textBytes += textBytes;
  if (showing.parts > MAX_PARTS || showing.textBytes > MAX_TEXT_BYTES) throw new NotShown('larger than 64 MB when written out');
}

function show(value: PyValue, path: string, showing: Showing): unknown {
  switch (value.kind) {
    case 'plain': return showPlain(value.value, path, showing);
    case 'bytes':
      spend(showing, value.data.length * 1.4);
      showing.notes.add(path, 'bytes');
      return { $bytes: value.data.toString('base64') };
    case 'global':
      spend(showing, value.name.length);
      showing.notes.add(path, `${modernName(value.name)} (not loaded)`);
      return { $class: modernName(value.name) };
    default: return showContainer(value, path, showing);
  }
}

function showPlain(value: null | boolean | number | bigint | string, path: string, showing: Showing): unknown {
  spend(showing, typeof value === 'string' ? value.length : 8);
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  return showFloat(Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity', path, showing.notes);
}

/** A float that JSON cannot hold, with its note. */
export function showFloat(name: PythonFloat['name'], path: string, notes: Notes): unknown {
  notes.add(path, name);
  return { $float: name };
}

function showContainer(value: Exclude<PyValue, { kind: 'plain' | 'bytes' | 'global' }>, path: string, showing: Showing): unknown {
  spend(showing, 2);
  const open = showing.open.get(value);
  if (open !== undefined) return { $cycle: open };
  if (showing.open.size >= MAX_DEPTH) throw new NotShown(`nested deeper than ${MAX_DEPTH}`);
  showing.open.set(value, path);
  try {
    if (value.kind === 'call') return showCall(value, path, showing);
    if (value.kind === 'dict') return showDict(value.entries, path, showing);
    if (value.kind !== 'list') showing.notes.add(path, value.kind);
    return showItems(value.items, path, showing);
  } finally {
    showing.open.delete(value);
  }
}

function showItems(items: readonly PyValue[], path: string, showing: Showing): unknown[] {
  return items.map((item, index) => show(item, pathTo(path, index), showing));
}

function showDict(entries: readonly (readonly [PyValue, PyValue])[], path: string, showing: Showing): unknown {
  if (entries.every(([key]) => textOf(key) !== null)) return objectOf(entries.map(([key, value]) => [textOf(key) ?? '', show(value, pathTo(path, textOf(key) ?? ''), showing)]));
  showing.notes.add(path, 'dict with keys that are not strings');
  return { $dict: entries.map(([key, value], index) => [show(key, `${pathTo(path, '$dict')}[${index}][0]`, showing), show(value, `${pathTo(path, '$dict')}[${index}][1]`, showing)]) };
}

/** An object with these entries, `__proto__` among them as any other. */
export function objectOf(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, value] of entries) Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  return made;
}

function showCall(value: PyCall, path: string, showing: Showing): unknown {
  const made = { ...value, ...constructed(value) };
  const shown = CONSTRUCTORS.get(nameOf(made.callee) ?? '')?.(made, path, showing);
  if (shown !== undefined) {
    showing.notes.add(path, shown.note);
    return shown.value();
  }
  const isNamed = made.callee.kind === 'global';
  const name = made.callee.kind === 'global' ? modernName(made.callee.name) : 'pickle.call';
  showing.notes.add(path, `${name} (not loaded)`);
  return {
    $class: name,
    args: (isNamed ? made.args : [made.callee, ...made.args]).map((arg, index) => show(arg, `${path}.args[${index}]`, showing)),
    ...(made.keywords === null ? {} : { kwargs: show(made.keywords, `${path}.kwargs`, showing) }),
    ...(made.state === null ? {} : { state: show(made.state, `${path}.state`, showing) }),
    ...(made.items.length === 0 ? {} : { items: showItems(made.items, `${path}.items`, showing) }),
    ...(made.entries.length === 0 ? {} : { items: showDict(made.entries, `${path}.items`, showing) }),
  };
}

/** The note comes before those of its parts. */
interface Shown { readonly note: string; readonly value: () => unknown }
type Construct = (value: PyCall, path: string, showing: Showing) => Shown | undefined;

/** A constructor whose arguments give a text or a number. */
const scalar = (note: string, read: (value: PyCall) => unknown): Construct => (value) => {
  const found = read(value);
  return found === null ? undefined : { note, value: () => found };
};

const showDatetime: Construct = (value) => {
  const moment = datetimeText(value.args);
  return moment === null ? undefined : { note: moment.zone === null ? 'datetime (no zone)' : `datetime (zone ${moment.zone})`, value: () => moment.text };
};

const showSet = (note: 'set' | 'frozenset'): Construct => (value, path, showing) => {
  const [only] = value.args;
  if (only === undefined) return { note, value: () => showItems(value.items, path, showing) };
  return only.kind === 'list' || only.kind === 'tuple' ? { note, value: () => showItems(only.items, path, showing) } : undefined;
};

function uuidText(value: PyCall): string | null {
  const number = value.state?.kind === 'dict' ? value.state.entries.find(([key]) => textOf(key) === 'int')?.[1] : undefined;
  if (number?.kind !== 'plain' || (typeof number.value !== 'bigint' && typeof number.value !== 'number')) return null;
  const hex = BigInt(number.value).toString(16).padStart(32, '0');
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : null;
}

const showOrderedDict: Construct = (value, path, showing) => {
  const [pairs] = value.args;
  const given = pairs?.kind === 'list' ? pairs.items.map((pair) => ('items' in pair && pair.items.length === 2 ? (pair.items as [PyValue, PyValue]) : null)) : [];
  if (given.includes(null)) return undefined;
  return { note: 'OrderedDict', value: () => showDict([...(given as [PyValue, PyValue][]), ...value.entries], path, showing) };
};

const showBytes = (read: (value: PyCall) => Buffer | null): Construct => (value) => {
  const raw = value.args.length === 0 ? Buffer.alloc(0) : read(value);
  return raw === null ? undefined : { note: 'bytes', value: () => ({ $bytes: raw.toString('base64') }) };
};

const showComplex: Construct = (value, path, showing) => {
  const [real, imaginary] = value.args;
  if (real === undefined || imaginary === undefined || numberOf(real) === null || numberOf(imaginary) === null) return undefined;
  return { note: 'complex', value: () => ({ $complex: showItems([real, imaginary], path, showing) }) };
};

/** How the wrapper of Airflow 2's task context pickles itself: a call that gives what it wraps. */
const showLazy: Construct = ({ args }, path, showing) => {
  const [only] = args;
  return only === undefined || args.length > 1 ? undefined : { note: 'lazy object', value: () => show(only, path, showing) };
};

const zone = scalar('timezone', zoneText);
const seconds = scalar('timedelta in seconds', timedeltaSeconds);
const date = scalar('date', ({ args }) => dateText(args));

/** What is shown in its own text; every other name stays a name. */
const CONSTRUCTORS: ReadonlyMap<string, Construct> = new Map(Object.entries<Construct>({
  'datetime.datetime': showDatetime,
  'pendulum.datetime.DateTime': showDatetime,
  'datetime.date': date,
  'pendulum.date.Date': date,
  'datetime.time': scalar('time', ({ args }) => timeText(args)),
  'datetime.timedelta': seconds,
  'pendulum.duration.Duration': seconds,
  'datetime.timezone': zone,
  'zoneinfo.ZoneInfo': zone,
  'zoneinfo.ZoneInfo._unpickle': zone,
  'pendulum.tz.timezone.Timezone': zone,
  'pendulum.tz.timezone.Timezone._unpickle': zone,
  'pendulum.tz.timezone.FixedTimezone': zone,
  'decimal.Decimal': scalar('Decimal', ({ args }) => textOf(args[0])),
  'uuid.UUID': scalar('UUID', uuidText),
  'collections.OrderedDict': showOrderedDict,
  'builtins.set': showSet('set'),
  'builtins.frozenset': showSet('frozenset'),
  'builtins.complex': showComplex,
  'builtins.bytes': showBytes(({ args }) => rawBytes(args[0])),
  'builtins.bytearray': showBytes(({ args }) => rawBytes(args[0])),
  '_codecs.encode': showBytes(rawBytes),
  'lazy_object_proxy.cext.identity': showLazy,
  'lazy_object_proxy.utils.identity': showLazy,
  'lazy_object_proxy.simple.identity': showLazy,
  'lazy_object_proxy.slots.identity': showLazy,
}));
