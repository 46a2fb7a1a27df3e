// The engine put together: database, scheduler, executor and agent API of one process.
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { DrainEnd } from '#contract/events.ts';
import type { RunUuid } from '#contract/ids.ts';
import type { Secrets } from '#contract/secrets.ts';
import type { ValueStore } from '#contract/value-store.ts';
import type { Reporter } from '#platform/report.ts';
import { fileOfSetting, homeFolder, userEnvironment } from '#platform/config.ts';
import { type KeySource, openKeys } from '#platform/key-file.ts';
import { Environments } from '#platform/environments.ts';
import { placeOf } from '#platform/place.ts';
import { openTraces } from '#platform/traces.ts';
import { startAgentServer } from '#api/agent/agent-server.ts';
import { parseOutcome } from '#api/agent/parse-outcome.ts';
import { createExecutionApi, type ExecutionApi } from '#api/execution/serve-execution.ts';
import { OutcomeFiles } from '#executor/outcome-files.ts';
import { ProcessExecutor } from '#executor/process-executor.ts';
import { deleteLogs, logFile } from '#logs/file-log-store.ts';
import { openRedisValues } from '#xcom/redis-values.ts';
import { prepareVersion } from '#scheduler/prepare-version.ts';
import { Scheduler } from '#scheduler/scheduler.ts';
import { createSecrets } from '#secrets/look-up.ts';
import { openBackend } from '#secrets/open-backend.ts';
import { type Database, openDatabase } from '#store/database.ts';
import { readInstallation } from '#store/dead-values.ts';
import { awaitLeadership } from '#store/leader.ts';
import { migrate } from '#store/migrate.ts';
import { listen } from '#store/notifications.ts';
import { greetKeys } from '#store/secret-keys.ts';
import { VERSION } from './version.ts';

/** `home` holds sockets, logs and sources; `python` is the interpreter that imports DAG files. `onRunFinished` hears of runs that this server decided, after their commit. */
export interface EngineOptions {
  readonly config: Config;
  readonly home: string;
  readonly databaseUrl: string;
  readonly python: string;
  readonly reporter: Reporter;
  readonly onRunFinished?: (run: { id: RunUuid; dagId: string; runId: string }) => void;
  /** False: no run is made because a schedule says so. */
  readonly followsSchedules?: boolean;
}

/** `hurry` aborts when nobody wants to wait any longer. */
export interface DrainRequest { readonly seconds: number; readonly hurry: AbortSignal }

/** A running engine without public API. It may be waiting for leadership. */
export interface Engine {
  readonly database: Database;
  readonly scheduler: Scheduler;
  readonly secrets: Secrets;
  /** The keys of variables and connections. */
  readonly keys: KeySource;
  /** Where bytes of XComs lie outside PostgreSQL; null without LEOFLOW_REDIS_URL. */
  readonly values: ValueStore | null;
  /** Airflow's Task Execution API. */
  readonly execution: ExecutionApi;
  /** True from the beginning of a drain: requests belong to another server. */
  readonly isStopping: boolean;
  /** Starts nothing any more and lets what runs end, or leaves it to another server. `stop` has to follow. */
  drain(how: DrainRequest): Promise<{ readonly how: DrainEnd; readonly left: number }>;
  /** Ends scheduling. With `endExecutions` also everything that runs. */
  stop(how: { endExecutions: boolean }): Promise<void>;
}

/** Migrates, opens and starts everything but the public API. Throws what is wrong with database, Python or folders. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { config, home, reporter } = options;
  for (const folder of ['run', 'logs', 'outcomes', 'versions']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  const traces = config.LEOFLOW_OTLP_ENDPOINT === null ? null
    : await openTraces({ endpoint: config.LEOFLOW_OTLP_ENDPOINT, serviceName: config.LEOFLOW_OTLP_SERVICE_NAME ?? 'leoflow', version: VERSION, reporter });
  // What is wrong with settings is said before anything is opened.
  const keys = openKeys(config, home, fileOfSetting('LEOFLOW_SECRET_KEYS'));
  const backend = openBackend(config, fileOfSetting('LEOFLOW_VAULT_TOKEN'));
  await migrate(options.databaseUrl);
  const database = openDatabase(options.databaseUrl);
  await greetDatabase(database, keys, reporter);
  const values = await openValues(database, config.LEOFLOW_REDIS_URL, reporter);
  const agentAddress = join(home, 'run', `a${process.pid}.sock`);
  const secrets = createSecrets({ database, keys }, backend);
  const environments = new Environments(join(homeFolder(config), 'environments'), config.LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS);
  const executor = new ProcessExecutor({
    home, python: options.python, agentSocket: agentAddress, environment: userEnvironment(), parked: { python: config.LEOFLOW_PARKED_CHILDREN, node: config.LEOFLOW_PARKED_NODE_CHILDREN },
    idleSeconds: config.LEOFLOW_FORK_SERVER_IDLE_SECONDS, importTimeoutSeconds: config.LEOFLOW_IMPORT_TIMEOUT_SECONDS, silentSeconds: config.LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS, reporter,
    prepare: (versionId, tell) => prepareVersion(database, versionId, {
      folder: join(home, 'versions'), environments, secrets, python: options.python, say: (text) => {
        tell(text.trim());
        reporter.report({ event: 'environment.progress', text: text.trim() });
      },
    }),
  });
  const outcomes = new OutcomeFiles(join(home, 'outcomes'), parseOutcome);
  const scheduler = new Scheduler({
    config, home, host: hostname(), place: placeOf(home), database, values, secrets, reporter, executor, agentAddress,
    coordination: { awaitLeadership: (address, stop) => awaitLeadership(database.url, address, stop), listen: (handlers) => listen(database.url, handlers) },
    folders: { logFile: (execution) => logFile(home, execution), outcomes: outcomes.path }, outcomes,
    onPruned: (executions) => deleteLogs(home, executions),
    ...(options.followsSchedules === undefined ? {} : { followsSchedules: options.followsSchedules }),
    ...(options.onRunFinished === undefined ? {} : { onRunFinished: options.onRunFinished }),
    ...(traces === null ? {} : { onSpan: traces.onSpan }),
  });
  const execution = createExecutionApi({ service: scheduler, database, values, secrets, config, reporter });
  const agents = await startAgentServer(agentAddress, scheduler, { reporter, execution, hosts: scheduler });
  scheduler.start();
  return {
    database, scheduler, values, keys, secrets, execution,
    get isStopping() { return scheduler.isDraining; },
    drain: (how) => scheduler.drain(how),
    async stop(how) {
      await scheduler.stop(how);
      await agents.close();
      await values?.close();
      await traces?.close();
      await database.close();
    },
  };
}

/** Refuses to start on a Redis that drops values by itself. One that does not answer yet is no reason: reports wait with the agents. */
async function openValues(database: Database, url: string | null, reporter: Reporter): Promise<ValueStore | null> {
  if (url === null) return null;
  let values: ValueStore | null = null;
  try {
    values = await openRedisValues({ url, installation: await readInstallation(database.pool), reporter });
    const refusal = (await values.examine())?.refusal ?? null;
    if (refusal !== null) throw new AppError('invalid_config', refusal, { hint: 'Set its maxmemory-policy to noeviction.' });
    return values;
  } catch (error) {
    await values?.close();
    await database.close();
    throw error;
  }
}

/** A server without a key that rows need runs on: it says so, and refuses what it cannot read or write. */
async function greetDatabase(database: Database, keys: KeySource, reporter: Reporter): Promise<void> {
  try {
    const wrong = await greetKeys(database, keys.read());
    if (wrong !== null) reporter.report({ event: 'secrets.key_missing', message: wrong });
  } catch (error) {
    await database.close();
    throw error;
  }
}
