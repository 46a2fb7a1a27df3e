// Arguments of a resumed task as Task SDKs before 1.2 write and read them: between the SDK's serde form and the older form with `__type` and `__var`.

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The same arguments in the older form. What stands in it already, as such clients send it, stays.
 * What the older form has no word for goes as a dictionary, as it would without its class.
 */
export function toOldKwargs(value: unknown): unknown {
  return isObject(value) ? encode(value as Json) : value;
}

/**
 * What a task that defers under such a Task SDK has sent, in serde form: the event comes beside it, and a newer SDK may go on with it.
 * What stands in serde form already stays, and so does what has no word in it.
 */
export function fromOldKwargs(value: unknown): unknown {
  return isObject(value) && isOld(value) ? decode(value as Json) : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('rawJSON' in value);
}

const isOld = (value: Record<string, unknown>): boolean => '__type' in value && '__var' in value;

function decode(value: Json): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (!isObject(value)) return value;
  if (!isOld(value)) return decodeItems(value);
  const content = value['__var'] as Json;
  switch (value['__type']) {
    case 'dict': return decodeItems(content as Record<string, Json>);
    case 'tuple': return instance('builtins.tuple', 1, (content as Json[]).map(decode));
    case 'set': return instance('builtins.set', 1, (content as Json[]).map(decode));
    case 'datetime': return instance('pendulum.datetime.DateTime', 2, { timestamp: content, tz: instance('builtins.tuple', 1, ['UTC', 'pendulum.tz.timezone.Timezone', 1, true]) });
    case 'timedelta': return instance('datetime.timedelta', 2, content);
    case 'timezone': return instance(`pendulum.tz.timezone.${typeof content === 'string' ? 'Timezone' : 'FixedTimezone'}`, 1, content);
    default: return value;
  }
}

const instance = (classname: string, version: number, data: unknown): unknown => ({ __classname__: classname, __version__: version, __data__: data });

function decodeItems(items: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(items).map(([key, item]) => [key, decode(item as Json)]));
}

function encode(value: Json): unknown {
  if (Array.isArray(value)) return value.map(encode);
  if (!isObject(value) || isOld(value)) return value;
  const classname = value['__classname__'];
  if (typeof classname === 'string') return encodeInstance(classname, value['__data__'] as Json);
  return tagged('dict', Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item as Json)])));
}

const tagged = (type: string, content: unknown): unknown => ({ __type: type, __var: content });

function encodeInstance(classname: string, data: Json): unknown {
  switch (classname) {
    case 'builtins.tuple': return tagged('tuple', (data as Json[]).map(encode));
    case 'builtins.set': case 'builtins.frozenset': return tagged('set', (data as Json[]).map(encode));
    case 'datetime.datetime': case 'pendulum.datetime.DateTime': return tagged('datetime', isObject(data) ? data['timestamp'] : data);
    case 'datetime.timedelta': return tagged('timedelta', data);
    case 'pendulum.tz.timezone.Timezone': case 'pendulum.tz.timezone.FixedTimezone': return tagged('timezone', Array.isArray(data) ? data[0] : data);
    default: return encode(data);
  }
}
