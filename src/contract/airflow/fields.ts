// The small shapes that Airflow's request and response schemas are made of.
import { type TObject, type TSchema, type TUnsafe, Type as T } from '@sinclair/typebox';

/** Request bodies refuse keys they do not know. */
export const strict = { additionalProperties: false } as const;

/** An instant as ISO 8601 text: in requests with an offset (bodies) or read as UTC (queries), in responses in UTC with `Z`. */
export const Instant = T.String({ format: 'date-time' });
/** An instant of a request body: without an offset it is refused (`timezone_aware`). */
export const AwareInstant = T.String({ format: 'date-time', aware: true });
export const Uuid = T.String({ format: 'uuid' });
export const Json = T.Unknown();

/** One of some words. */
export const words = <const V extends readonly string[]>(values: V): TUnsafe<V[number]> => T.Unsafe<V[number]>({ type: 'string', enum: [...values] });

/** Present, but may be null. */
export const nullable = <S extends TSchema>(schema: S) => T.Union([schema, T.Null()]);

/** May be left out of a request; null then. */
export const optional = <S extends TSchema>(schema: S) => T.Union([schema, T.Null()], { default: null });

/** May be left out of a request; this value then. */
export const defaulted = <S extends TSchema>(schema: S, value: unknown): S => ({ ...schema, default: value });

/** A repeatable query parameter; empty when it is not given. */
export const many = <S extends TSchema>(schema: S) => T.Array(schema, { default: [] });

/** `limit` (default 50) and `offset` of every list. More than the page limit is cut down silently. */
export const page = {
  limit: T.Integer({ minimum: 0, default: 50 }),
  offset: T.Integer({ minimum: 0, default: 0 }),
} as const;

/** `order_by`, repeatable, `-` for descending. */
export const orderBy = (fallback: string) => T.Array(T.String(), { default: [fallback] });

type Bounds<N extends string, S extends TSchema> = { readonly [K in `${N}_${'gte' | 'gt' | 'lte' | 'lt'}`]: ReturnType<typeof optional<S>> };

function bounds<const N extends string, S extends TSchema>(name: N, schema: S): Bounds<N, S> {
  const entries = ['gte', 'gt', 'lte', 'lt'].map((end) => [`${name}_${end}`, optional(schema)]);
  return Object.fromEntries(entries) as Bounds<N, S>;
}

/** The four bounds `x_gte, x_gt, x_lte, x_lt` of a time. */
export const timeRange = <const N extends string>(name: N) => bounds(name, Instant);
/** The four bounds of a time in a request body. */
export const awareRange = <const N extends string>(name: N) => bounds(name, AwareInstant);
/** The four bounds of a number. */
export const numberRange = <const N extends string>(name: N) => bounds(name, T.Number());

/** A named response schema: a component of the API's document. */
export const named = <P extends Parameters<typeof T.Object>[0]>(id: string, properties: P) => T.Object(properties, { $id: id });

/** A list response: the page under `key`, and how many there are before paging. */
export const collection = <const K extends string, S extends TSchema>(id: string, key: K, item: S) =>
  T.Object({ [key]: T.Array(item), total_entries: T.Integer() }, { $id: id });

/** The fields of a schema, to extend it. */
export const fieldsOf = <O extends TObject>(schema: O): O['properties'] => schema.properties;
