// Variables and connections of one execution in Node: the task's own environment, then the server. The same order as python/leoflow/dagmodel/secrets.py.
import type { ConnectionValue, VariableRequest } from '#contract/attempt.ts';
import { parseConnection } from '#core/connection-text.ts';
import type { Masking } from './masking.ts';

/** Asks the server: the answer's body. */
export type Ask = (path: string, body: object) => Promise<unknown>;

const PREFIXES = ['AIRFLOW', 'LEOFLOW'] as const;

/** What a body asks for. Its secrets are masked from then on. */
export class LookUp {
  readonly #ask: Ask;
  readonly #masking: Masking;

  constructor(ask: Ask, masking: Masking) {
    this.#ask = ask;
    this.#masking = masking;
  }

  /** A change goes to the server, whatever the environment holds. @returns the value; null when there is none */
  async variable(request: VariableRequest): Promise<string | null> {
    const own = request.op === 'get' ? inEnvironment('VAR', request.key) : null;
    const value = own?.text ?? ((await this.#ask('/agent/v1/variable', request)) as { readonly value: string | null }).value;
    this.#masking.addNamed(value ?? (request.op === 'set' ? request.value : null), request.key);
    return value;
  }

  /** Null when there is none. Throws when the environment holds a text that is no connection. */
  async connection(connId: string): Promise<ConnectionValue | null> {
    const own = inEnvironment('CONN', connId);
    const found = own === null ? ((await this.#ask('/agent/v1/connection', { conn_id: connId })) as { readonly connection: ConnectionValue | null }).connection : readOwn(connId, own);
    this.#masking.add(found?.password);
    this.#masking.addNamed(found?.extra);
    return found;
  }
}

interface Own { readonly name: string; readonly text: string }

function inEnvironment(kind: 'VAR' | 'CONN', key: string): Own | null {
  const name = PREFIXES.map((prefix) => `${prefix}_${kind}_${key.toUpperCase()}`).find((one) => process.env[one] !== undefined);
  return name === undefined ? null : { name, text: process.env[name] ?? '' };
}

function readOwn(connId: string, { name, text }: Own): ConnectionValue {
  const read = parseConnection(connId, text);
  if (read.kind === 'refused') throw new Error(`the environment variable ${name} holds no connection: ${read.reason}`);
  return read.connection;
}
