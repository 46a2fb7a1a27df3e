// Both servers of an engine under test, with the Task Execution API that real clients speak to.
import { join } from 'node:path';
import { startAgentServer } from '#api/agent/agent-server.ts';
import { createExecutionApi } from '#api/execution/serve-execution.ts';
import { buildApi } from '#api/server.ts';
import { createFileLogStore } from '#logs/file-log-store.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import { createSecrets } from '#secrets/look-up.ts';
import { setConnection } from '#store/connections.ts';
import type { EngineUnderTest } from './engine.ts';
import { testKeys } from './keys.ts';

/** `url` ends with /execution/ and is of the public server; `socket` is the agents'. */
export interface ExecutionServers {
  readonly url: string;
  readonly socket: string;
  close(): Promise<void>;
}

/** Starts them; there is a connection `my_conn`. */
export async function serveExecutions(engine: EngineUnderTest, home: string): Promise<ExecutionServers> {
  const { database } = engine;
  const [config, keys, reporter] = [readConfig({}, {}), testKeys(), createReporter('error', () => undefined)];
  const secrets = createSecrets({ database, keys }, null);
  await setConnection({ database, keys }, { conn_id: 'my_conn', conn_type: 'http', description: null, host: 'h', login: 'l', password: 'pass word', schema: 'sch', port: 8080, extra: '{"a": 1}' });
  const execution = createExecutionApi({ service: engine.scheduler, database, values: null, secrets, config, reporter });
  const app = await buildApi({ database, config, logs: createFileLogStore(home), keys, reporter, version: '0.0.0-test', execution });
  const socket = join(home, 'agent.sock');
  const agents = await startAgentServer(socket, engine.scheduler, { reporter, execution, hosts: engine.scheduler });
  const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/execution/`;
  return { url, socket, close: async () => { await app.close(); await agents.close(); } };
}
