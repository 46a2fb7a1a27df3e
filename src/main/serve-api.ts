// The public API of this process, as main hands it to the commands.
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { ValueReader } from '#contract/value-store.ts';
import { buildApi } from '#api/server.ts';
import type { ExecutionApi } from '#api/execution/serve-execution.ts';
import { readSigningKey, signToken } from '#api/auth/tokens.ts';
import type { LogStore } from '#logs/log-store.ts';
import type { KeySource } from '#platform/key-file.ts';
import type { Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';

/** `url` has the port that was given, also when 0 was asked for. */
export interface ServedApi {
  readonly url: string;
  /** A token of the user admin. */
  makeToken(lifeSeconds: number): Promise<string>;
  close(): Promise<void>;
}

interface Parts {
  readonly where: { readonly host: string; readonly port: number };
  readonly database: Database;
  readonly config: Config;
  readonly logs: LogStore;
  readonly values: ValueReader | null;
  readonly keys: KeySource;
  readonly execution: ExecutionApi;
  readonly reporter: Reporter;
  readonly version: string;
  /** True when this server is being stopped: it is not ready for new requests. */
  readonly isStopping: () => boolean;
}

/** Starts listening. Throws `address_in_use`. */
export async function serveApi(parts: Parts): Promise<ServedApi> {
  const { where, database, config } = parts;
  const app = await buildApi(parts);
  try {
    const address = await app.listen({ host: where.host, port: where.port });
    return {
      url: address.replace('[::1]', 'localhost'),
      makeToken: async (lifeSeconds) => signToken(await readSigningKey(database, config), { name: 'admin', role: 'admin' }, lifeSeconds),
      close: () => app.close(),
    };
  } catch (error) {
    await app.close();
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw new AppError('address_in_use', `${where.host}:${where.port} is in use`, { cause: error });
    throw error;
  }
}
