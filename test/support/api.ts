// A public API on a database of its own for tests: requests go in without a socket, each with the token of a role.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { readSigningKey, signToken } from '#api/auth/tokens.ts';
import { buildApi } from '#api/server.ts';
import type { Event } from '#contract/events.ts';
import type { Role } from '#contract/roles.ts';
import { createFileLogStore } from '#logs/file-log-store.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import type { KeySource } from '#platform/key-file.ts';
import { testDatabase } from './database.ts';
import { testKeys } from './keys.ts';

export interface Asked {
  readonly status: number;
  readonly json: unknown;
  readonly text: string;
  readonly headers: LightMyRequestResponse['headers'];
}

export interface TestApi {
  readonly app: FastifyInstance;
  readonly database: Database;
  readonly keys: KeySource;
  readonly home: string;
  readonly events: readonly Event[];
  /** Asks as an admin unless a role (or null for nobody) is given. Paths start below /api/v2 unless they start with `!`. */
  ask(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, more?: { body?: unknown; role?: Role | null; headers?: Record<string, string> }): Promise<Asked>;
}

const opened: { app: FastifyInstance; home: string }[] = [];
// At the top: a hook that a `before` registers would run when that `before` is over.
after(async () => {
  for (const { app, home } of opened) {
    await app.close();
    rmSync(home, { recursive: true, force: true });
  }
});

/** Builds the API; closed at the end of the process's tests. */
export async function testApi(overrides: Parameters<typeof readConfig>[0] = {}): Promise<TestApi> {
  const database = await testDatabase();
  const home = mkdtempSync(join(tmpdir(), 'leoflow-api-'));
  const config = readConfig(overrides, {});
  const keys = testKeys();
  const events: Event[] = [];
  const reporter = createReporter('error', () => undefined);
  reporter.listen((event) => events.push(event));
  const app = await buildApi({ database, config, logs: createFileLogStore(home), keys, reporter, version: '0.0.0-test' });
  const key = await readSigningKey(database, config);
  opened.push({ app, home });
  return {
    app, database, keys, home, events,
    async ask(method, path, more = {}) {
      const role = more.role === undefined ? 'admin' : more.role;
      const authorization = role === null ? {} : { authorization: `Bearer ${await signToken(key, { name: `the ${role}`, role }, 60)}` };
      const response = await app.inject({
        method, url: path.startsWith('!') ? path.slice(1) : `/api/v2${path}`, headers: { ...authorization, ...more.headers },
        ...(more.body === undefined ? {} : { payload: more.body as object }),
      });
      return { status: response.statusCode, json: jsonOf(response), text: response.body, headers: response.headers };
    },
  };
}

function jsonOf(response: LightMyRequestResponse): unknown {
  try {
    return JSON.parse(response.body);
  } catch {
    return undefined;
  }
}
