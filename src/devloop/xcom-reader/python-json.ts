// JSON as Python writes it: NaN and Infinity are numbers, integers have no limit. And back to text, exactly.

/** A float that JSON cannot hold. */
export class PythonFloat {
  readonly name: 'NaN' | 'Infinity' | '-Infinity';

  constructor(name: PythonFloat['name']) {
    this.name = name;
  }
}

/** An integer beyond what a double holds: its digits as they were written. */
export class ExactNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

const FLOAT_KEY = '\u0000float';
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs;
const LONG_NUMBER = /\d{16}|[eE]\+?\d{3}/;

interface SourceContext { readonly source?: string }

function revive(_key: string, value: unknown, context?: SourceContext): unknown {
  if (typeof value === 'number' && context?.source !== undefined) return reviveNumber(value, context.source);
  if (typeof value === 'object' && value !== null && FLOAT_KEY in value) return new PythonFloat(value[FLOAT_KEY] as PythonFloat['name']);
  return value;
}

function reviveNumber(value: number, source: string): unknown {
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : new ExactNumber(source);
  return Number.isFinite(value) ? value : new PythonFloat(value > 0 ? 'Infinity' : '-Infinity');
}

const parse = (text: string, isPlain: boolean): unknown => (isPlain ? JSON.parse(text) : (JSON.parse as (text: string, reviver: typeof revive) => unknown)(text, revive));

/** Data of a JSON text. Integers that a double would change are `ExactNumber`, Python's other floats `PythonFloat`. Throws SyntaxError. */
export function parsePythonJson(text: string): unknown {
  try {
    return parse(text, !LONG_NUMBER.test(text));
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `{"\\u0000float":"${token}"}`)), false);
  }
}

const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (this: void, text: string) => unknown };

/** JSON text of decoded data: large integers as their digits. */
export function renderExactJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, (_key, part: unknown) => (part instanceof ExactNumber ? rawJson(part.digits) : typeof part === 'bigint' ? rawJson(String(part)) : part), indent);
}
