// Arguments of a resumed task as Task SDKs before 1.2 read them: from the SDK's serde form to the older form with `__type` and `__var`.

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The same arguments in the older form. What stands in it already, as such clients send it, stays.
 * What the older form has no word for goes as a dictionary, as it would without its class.
 */
export function toOldKwargs(value: unknown): unknown {
  return isObject(value) && !('__type' in value) ? encode(value as Json) : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('rawJSON' in value);
}

function encode(value: Json): unknown {
  if (Array.isArray(value)) return value.map(encode);
  if (!isObject(value)) return value;
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
