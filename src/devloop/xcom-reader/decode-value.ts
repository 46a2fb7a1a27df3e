// A stored value as far as it can be told without running anything: JSON, JSON inside a JSON string, pickle, or bytes as they are.
import type { DecodedValue } from '#contract/xcom-reader.ts';
import { ExactNumber, parsePythonJson, PythonFloat } from './python-json.ts';
import { showEnvelopes } from './show-envelopes.ts';
import { DamagedPickle, readPickle } from './pickle-machine.ts';
import { showPickle } from './show-pickle.ts';
import { Notes, NotShown } from './shown-value.ts';

/** How many layers of JSON are taken off. `auto` takes the inner one only where it is an object or a list. */
export type Layers = 'auto' | 0 | 1 | 2;

/** What is stored, or its beginning. */
export interface StoredValue {
  /** The kind of column that it lies in. */
  readonly column: 'json' | 'bytes';
  readonly data: Buffer;
  /** Only its first part was read. */
  readonly cut: boolean;
}

/** Decodes a stored value; never throws, never runs anything of it. */
export function decodeValue(stored: StoredValue, layers: Layers = 'auto'): DecodedValue {
  const notes = new Notes();
  try {
    if (stored.cut) return opaque(stored.data, 'cut');
    return stored.column === 'bytes' && stored.data[0] === 0x80 ? decodePickle(stored.data, notes, 'begins') : decodeText(stored, layers, notes);
  } catch (error) {
    if (error instanceof NotShown || error instanceof RangeError) return opaque(stored.data, error.message);
    throw error;
  }
}

function opaque(data: Buffer, note: string): DecodedValue {
  return { encoding: 'opaque', value: { $bytes: data.toString('base64') }, notes: [`$: ${note}`] };
}

function decodePickle(data: Buffer, notes: Notes, extent: 'begins' | 'fills'): DecodedValue {
  try {
    const { value, rest } = readPickle(data);
    if (rest > 0 && extent === 'fills') throw new DamagedPickle(data.length - rest, 'something follows its end');
    if (rest > 0) notes.add('$', `${rest} bytes after the pickle`);
    return { encoding: 'pickle', value: showPickle(value, notes), notes: notes.texts };
  } catch (error) {
    if (error instanceof DamagedPickle) return opaque(data, `damaged pickle at byte ${error.at}`);
    throw error;
  }
}

function utf8Of(data: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return null;
  }
}

function tryJson(text: string | null): { readonly value: unknown } | null {
  if (text === null) return null;
  try {
    return { value: parsePythonJson(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function decodeText(stored: StoredValue, layers: Layers, notes: Notes): DecodedValue {
  const text = utf8Of(stored.data);
  const outer = tryJson(text);
  if (text === null || outer === null) return decodeOther(stored, notes);
  if (layers === 0) return { encoding: 'text', value: text, notes: [] };
  if (typeof outer.value === 'string') return decodeString(outer.value, { layers, column: stored.column, notes });
  return { encoding: 'json', value: showEnvelopes(outer.value, notes), notes: notes.texts };
}

/** Neither JSON nor a pickle of protocol 2 or later: protocols 0 and 1 begin with any opcode. */
function decodeOther({ column, data }: StoredValue, notes: Notes): DecodedValue {
  if (data.length === 0) return opaque(data, 'empty');
  if (column === 'bytes' && data.at(-1) === 0x2e) {
    // Without the first byte of a protocol only a pickle that fills the value is told from text.
    const old = decodePickle(data, notes, 'fills');
    if (old.encoding === 'pickle') return old;
  }
  return opaque(data, `neither pickle nor JSON; begins ${data.subarray(0, 16).toString('hex')}`);
}

/** A JSON string: in Airflow 3 it may hold the JSON text of the value, and for scalars nobody can tell. */
function decodeString(text: string, how: { layers: Layers; column: StoredValue['column']; notes: Notes }): DecodedValue {
  const isOnce = how.layers === 1 || (how.layers === 'auto' && how.column === 'bytes');
  const within = isOnce ? null : tryJson(text);
  if (within === null) return { encoding: how.column === 'json' ? 'text' : 'json', value: text, notes: [] };
  if (how.layers === 'auto' && isScalar(within.value)) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return { encoding: 'text', value: text, notes: [`$: ambiguous: the text ${JSON.stringify(shown)} or the JSON value ${shown}`] };
  }
  how.notes.add('$', 'JSON inside a JSON string');
  return { encoding: 'json', value: showEnvelopes(within.value, how.notes), notes: how.notes.texts };
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null || value instanceof ExactNumber || value instanceof PythonFloat;
}
