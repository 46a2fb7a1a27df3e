// The engine that commands open: store, scheduler, executor, agent API, and the public API when asked for.
import { join } from 'node:path';
import type { EngineRequest, OpenEngine } from '#cli/engine-port.ts';
import type { RunUuid } from '#contract/ids.ts';
import { AppError } from '#contract/errors.ts';
import { createFileLogStore } from '#logs/file-log-store.ts';
import { LOG_START, type LogPortion, type LogStore } from '#logs/log-store.ts';
import { LIMITS } from '#contract/config.ts';
import { monotonicMs, sleep } from '#platform/clock.ts';
import { createReporter } from '#platform/report.ts';
import { findNextCallback } from '#store/callbacks.ts';
import { startEmbeddedPostgres, startThrowawayPostgres } from '#store/embedded-postgres.ts';
import { listExecutionsOf } from '#store/executions.ts';
import { startEngine } from './engine.ts';
import { registerDag } from './register-dag.ts';
import { serveApi } from './serve-api.ts';
import { VERSION } from './version.ts';

/** Whoever waits for callbacks looks this often. */
const LOOK_MS = 50;
/** As much as a terminal is shown of one log. */
const KEPT_MESSAGES = 200;

interface Store { readonly url: string; stop(): Promise<void> }

async function openStore(request: EngineRequest): Promise<Store> {
  const { config, home, store } = request;
  if (store === 'throwaway') return startThrowawayPostgres(join(home, '..', 'template'), join(home, 'postgres'));
  if (config.LEOFLOW_DATABASE_URL !== null) return { url: config.LEOFLOW_DATABASE_URL, stop: () => Promise.resolve() };
  if (store === 'external') throw new AppError('usage', 'leoflow server needs a database', { hint: 'Set LEOFLOW_DATABASE_URL. For one machine, `leoflow lite` brings its own.' });
  return startEmbeddedPostgres(join(home, 'postgres'));
}

/** Opens an engine. Whatever was started before a failure is stopped again. */
export async function openEngine(request: EngineRequest): Promise<OpenEngine> {
  const reporter = createReporter(request.config.LEOFLOW_LOG_LEVEL, request.writeLog);
  const finished: ((run: { id: RunUuid; dagId: string; runId: string }) => void)[] = [];
  const store = await openStore(request);
  const closers: (() => Promise<void>)[] = [];
  try {
    const engine = await startEngine({
      // A store that is thrown away leaves nothing in a Redis that stays.
      config: request.store === 'throwaway' ? { ...request.config, LEOFLOW_REDIS_URL: null } : request.config, home: request.home, databaseUrl: store.url, python: request.python, reporter,
      ...(request.followsSchedules === undefined ? {} : { followsSchedules: request.followsSchedules }),
      onRunFinished: (run) => finished.forEach((listener) => listener(run)),
    });
    const { database } = engine;
    const logs = createFileLogStore(request.home);
    return {
      database, secrets: engine.secrets,
      register: (dag, how) => registerDag(database, dag, how),
      report: (event) => reporter.report(event),
      onEvent: (listener) => reporter.listen(listener),
      onRunFinished: (listener) => void finished.push(listener),
      readLog: async (attemptId) => readEnd(logs, await listExecutionsOf(database.pool, attemptId)),
      async serve(where) {
        const api = await serveApi({ where, database, config: request.config, logs, values: engine.values, keys: engine.keys, execution: engine.execution, reporter, version: VERSION, isStopping: () => engine.isStopping });
        closers.push(() => api.close());
        return api;
      },
      countExecutions: () => engine.scheduler.counts?.executions ?? 0,
      async untilCalledBack(hurry) {
        const end = monotonicMs() + request.config.LEOFLOW_CALLBACK_TIMEOUT_SECONDS * 1000;
        while (monotonicMs() < end && !hurry.aborted && (await findNextCallback(database.pool)) !== null) await sleep(LOOK_MS, hurry);
      },
      drain: (how) => engine.drain(how),
      async stop(how) {
        for (const close of closers) await close();
        await engine.stop(how);
        await store.stop();
      },
    };
  } catch (error) {
    await store.stop();
    throw error;
  }
}

/** The last messages of a log, however long it is. */
async function readEnd(logs: LogStore, executionIds: Parameters<LogStore['readLog']>[0]): Promise<LogPortion['messages']> {
  let position = LOG_START;
  let kept: LogPortion['messages'] = [];
  for (;;) {
    const portion = await logs.readLog(executionIds, { position, maxBytes: LIMITS.maxLogReadBytes });
    kept = [...kept, ...portion.messages].slice(-KEPT_MESSAGES);
    if (portion.atEnd || portion.messages.length === 0) return kept;
    position = portion.position;
  }
}
