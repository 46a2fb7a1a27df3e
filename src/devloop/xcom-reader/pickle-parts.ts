// Reading the parts of a described pickle: names as Python 3 has them, texts, numbers, bytes.
import type { PyCall, PyValue } from './pickle-machine.ts';

/** A text; null when it is something else. */
export function textOf(value: PyValue | undefined): string | null {
  return value?.kind === 'plain' && typeof value.value === 'string' ? value.value : null;
}

/** A number that a double holds; null when it is something else. */
export function numberOf(value: PyValue | undefined): number | null {
  return value?.kind === 'plain' && typeof value.value === 'number' ? value.value : null;
}

/** Python 2's names of modules, which protocols before 3 write, as Python 3 has them. */
export function modernName(name: string): string {
  return name.replace(/^__builtin__\./, 'builtins.').replace(/^copy_reg\./, 'copyreg.');
}

/** The name of what would be called; null when it is no name. */
export function nameOf(callee: PyValue): string | null {
  return callee.kind === 'global' ? modernName(callee.name) : getattrName(callee);
}

/** `getattr(ZoneInfo, '_unpickle')`, as protocols before 4 write a method of a class. */
function getattrName(callee: PyValue): string | null {
  if (callee.kind !== 'call' || nameOf(callee.callee) !== 'builtins.getattr') return null;
  const [owner, name] = callee.args;
  return owner?.kind === 'global' && textOf(name) !== null ? `${owner.name}.${textOf(name)}` : null;
}

/** `copyreg._reconstructor(Class, object, None)` and `copyreg.__newobj__(Class, …)` are other ways to write `Class(…)`. */
export function constructed(value: PyCall): Pick<PyCall, 'callee' | 'args'> {
  const name = nameOf(value.callee);
  const [first, ...rest] = value.args;
  if (first?.kind !== 'global') return value;
  if (name === 'copyreg.__newobj__') return { callee: first, args: rest };
  if (name === 'copyreg._reconstructor' && isPlainObject(rest)) return { callee: first, args: [] };
  return value;
}

/** `object, None`: made without anything; other bases carry the content. */
function isPlainObject([base, state, ...others]: readonly PyValue[]): boolean {
  return base?.kind === 'global' && modernName(base.name) === 'builtins.object' && state?.kind === 'plain' && state.value === null && others.length === 0;
}

/** Bytes of a constructor's argument: as they are, or as `_codecs.encode(text, 'latin1')`, which is how protocols before 3 write bytes. */
export function rawBytes(value: PyValue | undefined): Buffer | null {
  if (value?.kind === 'bytes') return value.data;
  if (value?.kind !== 'call' || nameOf(value.callee) !== '_codecs.encode') return null;
  const [text, coding] = value.args.map(textOf);
  return typeof text === 'string' && /^latin-?1$/.test(coding ?? '') ? Buffer.from(text, 'latin1') : null;
}
