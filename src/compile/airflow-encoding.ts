// Values as Airflow's serialization writes them, read: typed values, dates in epoch seconds, durations, time zones.

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** What our graph cannot express, in words; whoever maps a DAG says in which task. */
export class NotExpressible extends Error {}

/** Whether a value is an object of JSON. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or one without keys. */
export function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** The list, or an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A number unless it is the default. */
export function numberUnless(value: unknown, usual: number): number | undefined {
  return typeof value === 'number' && value !== usual ? value : undefined;
}

/** True, or nothing. */
export function flagOf(value: unknown): true | undefined {
  return value === true ? true : undefined;
}

/** Seconds: a number, `{__type: timedelta}`, or nothing. */
export function secondsOf(value: unknown): number | undefined {
  const plain = isTyped(value) ? value['__var'] : value;
  return typeof plain === 'number' ? plain : undefined;
}

/** A moment in epoch seconds, plain or typed, as ISO 8601 in UTC. */
export function instantOf(value: unknown): string | undefined {
  const seconds = secondsOf(value);
  return seconds === undefined ? undefined : new Date(Math.round(seconds * 1000)).toISOString().replace(/\.000Z$/, '+00:00').replace(/Z$/, '+00:00');
}

/** A time zone: its name, or an offset such as +02:00 from the seconds east of UTC. */
export function zoneOf(value: unknown): string {
  if (typeof value !== 'number') return textOf(value) ?? 'UTC';
  if (value === 0) return 'UTC';
  const minutes = Math.abs(Math.trunc(value / 60));
  return `${value < 0 ? '-' : '+'}${String(Math.trunc(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

/** Whether a value carries its type. */
export function isTyped(value: unknown): value is { readonly __type: string; readonly __var: unknown } {
  return isObject(value) && typeof value['__type'] === 'string' && '__var' in value;
}

/** A value as plain JSON: durations as seconds, dates as texts, tuples and sets as lists, whatever else by the name of its type. */
export function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (!isObject(value)) return value;
  if (!isTyped(value)) return mapValues(value);
  switch (value.__type) {
    case 'dict': return mapValues(objectOf(value.__var));
    case 'tuple':
    case 'set': return listOf(value.__var).map(plainOf);
    case 'datetime': return instantOf(value.__var);
    case 'timedelta':
    case 'timezone': return value.__var;
    default: return `<${value.__type}>`;
  }
}

/** Whether a value refers to an XCom anywhere. */
export function holdsXCom(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsXCom);
  if (!isObject(value)) return false;
  return value['__type'] === 'xcomref' || Object.values(value).some(holdsXCom);
}

/** The object without keys that have nothing to say. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function mapValues(value: Json): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainOf(member)]));
}
