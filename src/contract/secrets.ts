// Variables and connections as tasks and places that keep them see each other: the look-up, and a backend outside the database.
import type { ConnectionValue } from './attempt.ts';

/** Looks names up: a backend when there is one, then the server's environment, then the database. Changes go to the database. */
export interface Secrets {
  /** Null when nobody has it. Throws when one who may have it cannot be asked or read. */
  findVariable(key: string): Promise<string | null>;
  setVariable(variable: { readonly key: string; readonly value: string; readonly description: string | null }): Promise<void>;
  /** @returns false when the database had none */
  deleteVariable(key: string): Promise<boolean>;
  /** As `findVariable`. */
  findConnection(connId: string): Promise<ConnectionValue | null>;
}

/** A place outside the database that keeps variables and connections. It is only read. */
export interface SecretsBackend {
  /** For messages: `files in /run/secrets`, `Vault at https://…`. */
  readonly name: string;
  /** Null when it has none of this name. Throws `secrets_unavailable` when it cannot be asked, `secret_unreadable` when what it holds is no variable. */
  findVariable(key: string): Promise<string | null>;
  /** As `findVariable`. */
  findConnection(connId: string): Promise<ConnectionValue | null>;
}
