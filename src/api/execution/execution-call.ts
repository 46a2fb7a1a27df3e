// A request to /execution and its answer, without a server; and how one operation of it is written down.
import { type Static, type TObject, type TSchema, Type as T } from '@sinclair/typebox';
import type { Config } from '#contract/config.ts';
import type { ExecutionService, TaskCaller } from '#contract/execution-api.ts';
import type { Secrets } from '#contract/secrets.ts';
import type { ValueReader } from '#contract/value-store.ts';
import type { Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import type { ApiVersion } from './versions.ts';

/** A request as any server gets it. `path` is what stands below `/execution`, percent-encoded; `query` has no `?`. */
export interface ExecutionRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** What is sent back. Without a body there is no content type either. */
export interface ExecutionAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** Everything that operations use. */
export interface ExecutionServices {
  readonly service: ExecutionService;
  readonly database: Database;
  /** XComs whose bytes lie outside PostgreSQL; null when there is no such place. */
  readonly values: ValueReader | null;
  readonly secrets: Secrets;
  readonly config: Config;
  readonly reporter: Reporter;
}

/** A request whose caller is known and whose values are checked. */
export interface ExecutionCall<P, Q, B> {
  readonly services: ExecutionServices;
  readonly caller: TaskCaller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The body as it came. */
  readonly bodyText: string;
  readonly version: ApiVersion;
  readonly headers: ExecutionRequest['headers'];
}

/** What an operation answers: a value to be written as JSON, JSON text as it stands, or nothing. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: unknown; /** Instead of the operation's own. */ readonly status?: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'nothing'; readonly headers?: Readonly<Record<string, string>> };

/** A checked request whose types are forgotten. */
export type AnyCall = ExecutionCall<unknown, unknown, unknown>;

/**
 * Who may call. `none`: everybody. `token`: any caller. `self`: the path's task instance is the caller's own. `execution`: the same, and
 * no trigger acts for it. */
export type ExecutionAccess = 'none' | 'token' | 'self' | 'execution';

/** One operation of the API. */
export interface ExecutionRoute {
  /** Airflow's operationId. */
  readonly id: string;
  readonly tag: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /execution; `{name}` is one segment, `{name:path}` any number of them. */
  readonly path: string;
  readonly access: ExecutionAccess;
  readonly summary: string;
  /** The first version that has it, or the last one. */
  readonly since?: ApiVersion;
  readonly until?: ApiVersion;
  readonly operation: ExecutionOperation;
}

/** How an operation reads its request and what it answers; types are forgotten. */
export interface ExecutionOperation {
  readonly params: TObject;
  readonly query: TObject;
  readonly body: TSchema | null;
  /** `text`: the body is not read by a schema but handed over as it stands. */
  readonly bodyAs: 'json' | 'text' | 'none';
  /** Null: the answer has no body. */
  readonly response: TSchema | null;
  readonly status: number;
  /** It changes something other than what its own execution left behind: refused when that has ended. */
  readonly needsOpen: boolean;
  /** What is sent to it is secret: refusals do not show it. */
  readonly isSecret: boolean;
  /** The answer as an older version had it. */
  readonly downgrade?: (value: unknown) => unknown;
  run(call: AnyCall): Promise<Outcome>;
}

const EMPTY = T.Object({});

interface Spec<P extends TObject, Q extends TObject, B extends TSchema> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly bodyAs?: 'text';
  readonly response: TSchema | null;
  /** Default 200; 204 without a response schema. */
  readonly status?: number;
  readonly needsOpen?: boolean;
  readonly isSecret?: boolean;
  readonly downgrade?: (value: unknown) => unknown;
  run(call: ExecutionCall<Static<P>, Static<Q>, Static<B>>): Promise<Outcome>;
}

/** Makes an operation. */
export function executionOperation<P extends TObject = typeof EMPTY, Q extends TObject = typeof EMPTY, B extends TSchema = TSchema>(spec: Spec<P, Q, B>): ExecutionOperation {
  return {
    params: spec.params ?? EMPTY, query: spec.query ?? EMPTY, body: spec.body ?? null, bodyAs: spec.bodyAs ?? (spec.body === undefined ? 'none' : 'json'),
    response: spec.response, status: spec.status ?? (spec.response === null ? 204 : 200), needsOpen: spec.needsOpen ?? false, isSecret: spec.isSecret ?? false,
    ...(spec.downgrade === undefined ? {} : { downgrade: spec.downgrade }),
    run: (call) => spec.run(call as ExecutionCall<Static<P>, Static<Q>, Static<B>>),
  };
}

/** A JSON value. */
export const value = (given: unknown, status?: number): Outcome => ({ kind: 'value', value: given, ...(status === undefined ? {} : { status }) });
/** JSON text as it stands. */
export const text = (given: string): Outcome => ({ kind: 'text', text: given });
/** 204. */
export const NOTHING: Outcome = { kind: 'nothing' };
