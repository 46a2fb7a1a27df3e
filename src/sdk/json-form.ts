// What a value is after it went through JSON: the type in which a downstream task gets an upstream's result.

declare const notJson: unique symbol;

/** Stands where a value has no JSON form; its name says why in the compiler's message. */
export interface NotJson<Why extends string> { readonly [notJson]: Why }

type IsAny<T> = 0 extends 1 & T ? true : false;
type Dropped = undefined | ((...given: never) => unknown) | symbol;
type KeptKeys<T> = { [K in keyof T]: K extends symbol ? never : [T[K]] extends [Dropped] ? ([T[K]] extends [undefined] ? never : K) : K }[keyof T];

/** Dates are texts, undefined is dropped (null in a list, and as a result), functions, symbols, bigints, maps and sets are refused. */
export type Jsonified<T> = IsAny<T> extends true ? T
  : unknown extends T ? unknown
  : T extends string | number | boolean | null ? T
  : T extends undefined | void ? null
  : T extends bigint ? NotJson<'a bigint has no JSON form: convert it to a string or a number'>
  : T extends symbol ? NotJson<'a symbol has no JSON form'>
  : T extends (...given: never) => unknown ? NotJson<'a function has no JSON form'>
  : T extends { toJSON(key?: never): infer J } ? Jsonified<J>
  : T extends ReadonlyMap<unknown, unknown> ? NotJson<'a Map has no JSON form: use Object.fromEntries'>
  : T extends ReadonlySet<unknown> ? NotJson<'a Set has no JSON form: spread it into an array'>
  : T extends Promise<infer V> ? Jsonified<V>
  : T extends readonly unknown[] ? { -readonly [K in keyof T]: Jsonified<T[K]> }
  : T extends object ? { -readonly [K in keyof Pick<T, KeptKeys<T>>]: undefined extends T[K] ? Jsonified<Exclude<T[K], undefined>> : Jsonified<T[K]> }
  : never;
