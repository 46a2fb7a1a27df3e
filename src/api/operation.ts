// An operation of the API: its schemas, its checked request, its answer.
import type { IncomingHttpHeaders } from 'node:http';
import { type Static, type TObject, type TSchema, Type as T } from '@sinclair/typebox';
import type { Config } from '#contract/config.ts';
import type { Role } from '#contract/roles.ts';
import type { ValueReader } from '#contract/value-store.ts';
import { MASK, maskValue } from '#core/sensitive.ts';
import type { LogStore } from '#logs/log-store.ts';
import type { KeySource } from '#platform/key-file.ts';
import type { Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { invalid, type ValidationProblem } from './problems.ts';
import { readValue } from './validate.ts';

/** What every operation may use. */
export interface Services {
  readonly database: Database;
  readonly config: Config;
  readonly logs: LogStore;
  /** XComs whose bytes lie outside PostgreSQL; null when there is no such place. */
  readonly values: ValueReader | null;
  /** The keys of variables and connections. */
  readonly keys: KeySource;
  readonly reporter: Reporter;
  readonly version: string;
  /** Signs tokens and continuations. */
  readonly signingKey: Buffer;
  /** Aborts when the server stops: streams end. */
  readonly stopping: AbortSignal;
}

/** Who asks. */
export interface Person {
  readonly name: string;
  readonly role: Role;
}

/** A request before its values are checked. */
export interface RawCall {
  readonly services: Services;
  readonly person: Person;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the caller is gone. */
  readonly gone: AbortSignal;
}

/** A checked request. */
export interface Call<P, Q, B> extends Omit<RawCall, 'params' | 'query' | 'body'> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Keys that the body really held. */
  readonly bodyKeys: ReadonlySet<string>;
}

/** What an operation answers. `json` is rendered here; `text` is sent as it is. */
export type Answer =
  | { readonly kind: 'json'; readonly status?: number; readonly value: unknown }
  | { readonly kind: 'text'; readonly status?: number; readonly type: string; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'stream'; readonly type: string; readonly chunks: AsyncIterable<string>; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'empty' };

/** An operation whose types are forgotten: what the table of routes holds. */
export interface Operation {
  readonly params: TObject;
  readonly query: TObject;
  readonly body: TSchema | null;
  readonly bodyRequired: boolean;
  /** Null: the answer has no body, or one without a schema. */
  readonly response: TSchema | null;
  readonly status: number;
  handle(call: RawCall): Promise<Answer>;
}

const EMPTY = T.Object({});

interface Spec<P extends TObject, Q extends TObject, B extends TSchema> {
  readonly params: P;
  readonly query?: Q;
  readonly body?: B;
  readonly response: TSchema | null;
  /** Default 200; 204 when there is no response schema. */
  readonly status?: number;
  run(call: Call<Static<P>, Static<Q>, Static<B>>): Promise<Answer>;
}

/** Makes an operation: checks path, query and body, and answers 422 with all problems at once. */
export function operation<P extends TObject, Q extends TObject = typeof EMPTY, B extends TSchema = TSchema>(spec: Spec<P, Q, B>): Operation {
  const query: TObject = spec.query ?? EMPTY;
  const body = spec.body ?? null;
  return {
    params: spec.params, query, body, bodyRequired: body !== null, response: spec.response, status: spec.status ?? (spec.response === null ? 204 : 200),
    async handle(raw) {
      const problems: ValidationProblem[] = [];
      const read = (schema: TSchema, value: unknown, place: string): unknown => {
        const done = readValue(schema, value, [place]);
        problems.push(...done.problems);
        return done.value;
      };
      const params = read(spec.params, raw.params, 'path');
      const queried = read(query, raw.query, 'query');
      const given = body === null ? undefined : readBody(body, raw.body, problems);
      if (problems.length > 0) throw invalid(problems.map(withoutSecrets));
      const bodyKeys = new Set(typeof raw.body === 'object' && raw.body !== null ? Object.keys(raw.body) : []);
      return spec.run({ ...raw, params: params as Static<P>, query: queried as Static<Q>, body: given as Static<B>, bodyKeys });
    },
  };
}

/** A refusal shows what it refuses, but no secret that came with it. */
export function withoutSecrets(problem: ValidationProblem): ValidationProblem {
  const field = String(problem.loc.at(-1));
  return { ...problem, input: field === 'extra' && problem.input !== null ? MASK : maskValue(problem.input, field) };
}

function readBody(schema: TSchema, value: unknown, problems: ValidationProblem[]): unknown {
  if (value === undefined) {
    problems.push({ type: 'missing', loc: ['body'], msg: 'Field required', input: null });
    return undefined;
  }
  const done = readValue(schema, value, ['body']);
  problems.push(...done.problems);
  return done.value;
}

/** 200 (or the operation's status) with a JSON body. */
export const json = (value: unknown, status?: number): Answer => (status === undefined ? { kind: 'json', value } : { kind: 'json', value, status });
/** 204. */
export const empty: Answer = { kind: 'empty' };

/** Path parameters that many operations share. */
export const NO_PARAMS = EMPTY;
/** Path parameters of a DAG. */
export const DAG_PARAMS = T.Object({ dag_id: T.String() });
/** Path parameters of a run. */
export const RUN_PARAMS = T.Object({ dag_id: T.String(), dag_run_id: T.String() });
/** Path parameters of a task instance. */
export const INSTANCE_PARAMS = T.Object({ dag_id: T.String(), dag_run_id: T.String(), task_id: T.String() });
/** Path parameters of a task instance with its map index. */
export const MAPPED_PARAMS = T.Object({ dag_id: T.String(), dag_run_id: T.String(), task_id: T.String(), map_index: T.Integer() });
/** `map_index` as a query parameter, −1 when it is not given. */
export const MAP_INDEX_QUERY = T.Object({ map_index: T.Integer({ default: -1 }) });
