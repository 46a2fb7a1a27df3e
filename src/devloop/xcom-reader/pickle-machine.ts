// Reads a pickle without running it: the opcodes build a description of the value; names are kept as names and nothing is looked up.

/** A described Python value. `call` is whatever some constructor would have been called with. */
export type PyValue =
  | { readonly kind: 'plain'; readonly value: null | boolean | number | bigint | string }
  | { readonly kind: 'bytes'; readonly data: Buffer }
  | { readonly kind: 'list' | 'tuple' | 'set' | 'frozenset'; readonly items: PyValue[] }
  | { readonly kind: 'dict'; readonly entries: [PyValue, PyValue][] }
  | { readonly kind: 'global'; readonly name: string }
  | PyCall;

/** An object: what makes it, and what is then given to it (`__setstate__`, `append`, `__setitem__`). */
export interface PyCall {
  readonly kind: 'call';
  readonly callee: PyValue;
  readonly args: readonly PyValue[];
  /** Arguments by name; null when there are none. */
  readonly keywords: PyValue | null;
  state: PyValue | null;
  readonly items: PyValue[];
  readonly entries: [PyValue, PyValue][];
}

/** The bytes are no pickle, or end too early; `at` is the opcode that could not be done. */
export class DamagedPickle extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const MAX_OPCODES = 1_000_000;
const MARK = Symbol('mark');
type Slot = PyValue | typeof MARK;

const plain = (value: null | boolean | number | bigint | string): PyValue => ({ kind: 'plain', value });
const call = (callee: PyValue, args: readonly PyValue[], keywords: PyValue | null = null): PyCall => ({ kind: 'call', callee, args, keywords, state: null, items: [], entries: [] });
/** What stands for something that only the program which unpickles has. */
const outside = (what: string, args: readonly PyValue[]): PyCall => call({ kind: 'global', name: `pickle.${what}` }, args);

class Machine {
  readonly bytes: Buffer;
  at = 0;
  readonly stack: Slot[] = [];
  readonly memo = new Map<number, PyValue>();

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  take(length: number): Buffer {
    if (!Number.isSafeInteger(length) || length < 0 || this.at + length > this.bytes.length) throw new Error('it ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw new Error('it ends too early');
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end + 1;
    return text;
  }

  length(width: 1 | 4 | 8): number {
    const raw = this.take(width);
    return width === 8 ? Number(raw.readBigUInt64LE()) : raw.readUIntLE(0, width);
  }

  push(value: PyValue): void {
    this.stack.push(value);
  }

  pop(): PyValue {
    const top = this.stack.pop();
    if (top === undefined || top === MARK) throw new Error('the stack is empty');
    return top;
  }

  top(): PyValue {
    const top = this.stack.at(-1);
    if (top === undefined || top === MARK) throw new Error('the stack is empty');
    return top;
  }

  popMark(): PyValue[] {
    const from = this.stack.lastIndexOf(MARK);
    if (from < 0) throw new Error('a mark is missing');
    const items = this.stack.splice(from) as PyValue[];
    return items.slice(1);
  }

  remembered(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw new Error('it refers to nothing');
    this.push(value);
  }
}

/** Two's complement, little endian: Python's long. */
function longOf(raw: Buffer): number | bigint {
  if (raw.length === 0) return 0;
  const hex = Buffer.from(raw).reverse().toString('hex');
  return narrow(BigInt.asIntN(raw.length * 8, BigInt(`0x${hex}`)));
}

function narrow(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function decimalOf(text: string): number | bigint {
  const digits = text.trim().replace(/[lL]$/, '');
  if (!/^[+-]?\d+$/.test(digits)) throw new Error('no integer');
  return narrow(BigInt(digits.replace(/^\+/, '')));
}

function floatOf(text: string): number {
  const digits = text.trim().toLowerCase();
  if (/^-?nan$/.test(digits)) return NaN;
  if (/^-?inf$/.test(digits)) return digits.startsWith('-') ? -Infinity : Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(digits)) throw new Error('no number');
  return Number(digits);
}

const SURROGATE = /[\xed][\xa0-\xbf][\x80-\xbf]/;

/** UTF-8, in which Python also writes surrogates without their pair. */
function utf8(raw: Buffer): PyValue {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return plain(decoder.decode(raw));
  } catch (error) {
    const parts = raw.toString('latin1').split(/(\xed[\xa0-\xbf][\x80-\xbf])/);
    if (parts.length === 1) throw error;
    return plain(parts.map((part) => (SURROGATE.test(part) && part.length === 3 ? surrogateOf(Buffer.from(part, 'latin1')) : decoder.decode(Buffer.from(part, 'latin1')))).join(''));
  }
}

function surrogateOf([first = 0, second = 0, third = 0]: Buffer): string {
  return String.fromCharCode(((first & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f));
}

/** Python 2's str is bytes: text where it is valid UTF-8. */
function oldString(raw: Buffer): PyValue {
  const text = raw.toString('utf8');
  return Buffer.from(text, 'utf8').equals(raw) ? plain(text) : { kind: 'bytes', data: raw };
}

function quotedString(text: string): PyValue {
  const [, , inner] = /^(['"])(.*)\1$/s.exec(text.trim()) ?? [];
  if (inner === undefined) throw new Error('no string');
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"', a: '\x07', b: '\b', f: '\f', v: '\v', '0': '\0' };
  return oldString(Buffer.from(inner.replace(/\\(x[0-9a-fA-F]{2}|.)/gs, (whole, code: string) => (code.length === 3 ? String.fromCharCode(parseInt(code.slice(1), 16)) : (escapes[code] ?? whole))), 'latin1'));
}

/** Protocol 0: raw-unicode-escape. */
function rawUnicode(text: string): PyValue {
  return plain(text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_whole, short: string | undefined, long: string | undefined) => String.fromCodePoint(parseInt(short ?? long ?? '0', 16))));
}

function setItems(target: PyValue, flat: readonly PyValue[]): void {
  if (target.kind !== 'dict' && target.kind !== 'call') throw new Error('items are set in no dict');
  for (let i = 0; i < flat.length; i += 2) {
    const [key, value] = [flat[i], flat[i + 1]];
    if (key === undefined || value === undefined) throw new Error('a key without value');
    target.entries.push([key, value]);
  }
}

function addItems(target: PyValue, items: readonly PyValue[]): void {
  if (!('items' in target)) throw new Error('items are added to no list');
  for (const item of items) target.items.push(item);
}

function tupleOf(value: PyValue): readonly PyValue[] {
  if (value.kind !== 'tuple') throw new Error('arguments that are no tuple');
  return value.items;
}

function dictOf(flat: readonly PyValue[]): PyValue {
  const dict: PyValue = { kind: 'dict', entries: [] };
  setItems(dict, flat);
  return dict;
}

function globalOf(moduleName: PyValue, name: PyValue): PyValue {
  if (moduleName.kind !== 'plain' || name.kind !== 'plain' || typeof moduleName.value !== 'string' || typeof name.value !== 'string') throw new Error('a name that is no text');
  return { kind: 'global', name: `${moduleName.value}.${name.value}` };
}

function setState(target: PyValue, state: PyValue): void {
  if (target.kind === 'call') target.state = state;
  else throw new Error('a state for no object');
}

function objectOf(items: readonly PyValue[]): PyValue {
  const [callee, ...args] = items;
  if (callee === undefined) throw new Error('an object without class');
  return call(callee, args);
}

/** Takes two values, the upper first, and hands them over in the order they were pushed. */
function popTwo(machine: Machine): [PyValue, PyValue] {
  const upper = machine.pop();
  return [machine.pop(), upper];
}

/** What each opcode does, by its byte as text: the opcodes of protocols 0 to 5 (Lib/pickletools.py). */
const OPCODES: Readonly<Record<string, (machine: Machine) => void>> = {
  '(': (m) => void m.stack.push(MARK),
  '0': (m) => void m.stack.pop(),
  '1': (m) => void m.popMark(),
  '2': (m) => m.push(m.top()),
  N: (m) => m.push(plain(null)),
  '\x88': (m) => m.push(plain(true)),
  '\x89': (m) => m.push(plain(false)),
  I: (m) => {
    const text = m.line();
    m.push(plain(text === '00' ? false : text === '01' ? true : decimalOf(text)));
  },
  L: (m) => m.push(plain(decimalOf(m.line()))),
  J: (m) => m.push(plain(m.take(4).readInt32LE())),
  K: (m) => m.push(plain(m.length(1))),
  M: (m) => m.push(plain(m.take(2).readUInt16LE())),
  '\x8a': (m) => m.push(plain(longOf(m.take(m.length(1))))),
  '\x8b': (m) => m.push(plain(longOf(m.take(m.take(4).readInt32LE())))),
  F: (m) => m.push(plain(floatOf(m.line()))),
  G: (m) => m.push(plain(m.take(8).readDoubleBE())),
  S: (m) => m.push(quotedString(m.line())),
  T: (m) => m.push(oldString(m.take(m.take(4).readInt32LE()))),
  U: (m) => m.push(oldString(m.take(m.length(1)))),
  V: (m) => m.push(rawUnicode(m.line())),
  X: (m) => m.push(utf8(m.take(m.length(4)))),
  '\x8c': (m) => m.push(utf8(m.take(m.length(1)))),
  '\x8d': (m) => m.push(utf8(m.take(m.length(8)))),
  B: (m) => m.push({ kind: 'bytes', data: m.take(m.length(4)) }),
  C: (m) => m.push({ kind: 'bytes', data: m.take(m.length(1)) }),
  '\x8e': (m) => m.push({ kind: 'bytes', data: m.take(m.length(8)) }),
  '\x96': (m) => m.push({ kind: 'bytes', data: m.take(m.length(8)) }),
  ']': (m) => m.push({ kind: 'list', items: [] }),
  l: (m) => m.push({ kind: 'list', items: m.popMark() }),
  ')': (m) => m.push({ kind: 'tuple', items: [] }),
  t: (m) => m.push({ kind: 'tuple', items: m.popMark() }),
  '\x85': (m) => m.push({ kind: 'tuple', items: [m.pop()] }),
  '\x86': (m) => m.push({ kind: 'tuple', items: popTwo(m) }),
  '\x87': (m) => {
    const last = m.pop();
    m.push({ kind: 'tuple', items: [...popTwo(m), last] });
  },
  '}': (m) => m.push({ kind: 'dict', entries: [] }),
  d: (m) => m.push(dictOf(m.popMark())),
  '\x8f': (m) => m.push({ kind: 'set', items: [] }),
  '\x91': (m) => m.push({ kind: 'frozenset', items: m.popMark() }),
  a: (m) => {
    const item = m.pop();
    addItems(m.top(), [item]);
  },
  e: (m) => {
    const items = m.popMark();
    addItems(m.top(), items);
  },
  '\x90': (m) => {
    const items = m.popMark();
    addItems(m.top(), items);
  },
  s: (m) => {
    const pair = popTwo(m);
    setItems(m.top(), pair);
  },
  u: (m) => {
    const flat = m.popMark();
    setItems(m.top(), flat);
  },
  g: (m) => m.remembered(Number(decimalOf(m.line()))),
  h: (m) => m.remembered(m.length(1)),
  j: (m) => m.remembered(m.length(4)),
  p: (m) => void m.memo.set(Number(decimalOf(m.line())), m.top()),
  q: (m) => void m.memo.set(m.length(1), m.top()),
  r: (m) => void m.memo.set(m.length(4), m.top()),
  '\x94': (m) => void m.memo.set(m.memo.size, m.top()),
  c: (m) => m.push({ kind: 'global', name: `${m.line()}.${m.line()}` }),
  '\x93': (m) => m.push(globalOf(...popTwo(m))),
  R: (m) => {
    const [callee, args] = popTwo(m);
    m.push(call(callee, tupleOf(args)));
  },
  '\x81': (m) => {
    const [callee, args] = popTwo(m);
    m.push(call(callee, tupleOf(args)));
  },
  '\x92': (m) => {
    const keywords = m.pop();
    const [callee, args] = popTwo(m);
    m.push(call(callee, tupleOf(args), keywords.kind === 'dict' && keywords.entries.length === 0 ? null : keywords));
  },
  b: (m) => {
    const state = m.pop();
    setState(m.top(), state);
  },
  i: (m) => {
    const callee: PyValue = { kind: 'global', name: `${m.line()}.${m.line()}` };
    m.push(call(callee, m.popMark()));
  },
  o: (m) => m.push(objectOf(m.popMark())),
  P: (m) => m.push(outside('persistent_id', [plain(m.line())])),
  Q: (m) => m.push(outside('persistent_id', [m.pop()])),
  '\x82': (m) => m.push(outside('extension', [plain(m.length(1))])),
  '\x83': (m) => m.push(outside('extension', [plain(m.take(2).readUInt16LE())])),
  '\x84': (m) => m.push(outside('extension', [plain(m.take(4).readInt32LE())])),
  '\x80': (m) => {
    if (m.length(1) > 5) throw new Error('a protocol that is not known');
  },
  '\x95': (m) => void m.length(8),
  '\x97': (m) => m.push(outside('buffer', [])),
  '\x98': () => undefined,
};

/**
 * The value that a pickle describes, and how many bytes follow it.
 * @throws DamagedPickle when the bytes do not begin with a whole pickle of protocols 0–5, or it has more than a million opcodes
 */
export function readPickle(bytes: Buffer): { readonly value: PyValue; readonly rest: number } {
  const machine = new Machine(bytes);
  for (let count = 0; ; count += 1) {
    const at = machine.at;
    try {
      if (count >= MAX_OPCODES) throw new Error('more than a million opcodes');
      const code = String.fromCharCode(machine.length(1));
      if (code === '.') {
        const value = machine.pop();
        if (machine.stack.length > 0) throw new Error('more than one value');
        return { value, rest: bytes.length - machine.at };
      }
      const run = OPCODES[code];
      if (run === undefined) throw new Error('no opcode');
      run(machine);
    } catch (error) {
      throw new DamagedPickle(at, error instanceof Error ? error.message : String(error));
    }
  }
}
