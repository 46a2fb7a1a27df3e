// JSON read so that it can be written again as it stood: numbers that a double would change keep their text.

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const json = JSON as unknown as { parse(text: string, reviver: Reviver): unknown; rawJSON(text: string): unknown };

/**
 * As `JSON.parse`, but `1.0` and `12345678901234567890` come back from `JSON.stringify` as they were: Python tells them from `1` and from the nearest double.
 * Such numbers are objects here; use it for what is passed on, not for what is computed with. Throws `SyntaxError`.
 */
export function parseExact(text: string): unknown {
  return json.parse(text, (_key, value, { source }) => (typeof value === 'number' && source !== undefined && source !== String(value) ? json.rawJSON(source) : value));
}
