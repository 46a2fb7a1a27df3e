// One task instance in this process, from its job to everything its report says besides the times.
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import type { Context } from '#sdk/context.ts';
import { isMapped, mappedGroupsOf, readDrawing, type DrawnGraph, type TaskNode } from '#sdk/drawn-dag.ts';
import { findBody } from '#sdk/find-body.ts';
import { makeContext, paramValues } from '#sdk/make-context.ts';
import type { TaskFunction } from '#sdk/registry.ts';
import { ResolveValues, type ValueSource } from '#sdk/resolve-values.ts';
import { type BodyEnd, PushedValues, runBody } from '#sdk/run-body.ts';
import type { AgentClient } from './agent-client.ts';
import { callBack, type CallbackOwner, type Happened } from './callbacks.ts';
import { reportedError } from './error-text.ts';
import { findModule, type ModuleLoader, readDrawnFile } from './load-module.ts';
import { LookUp } from './look-up.ts';
import type { Masking } from './masking.ts';
import { shownFields } from './shown-fields.ts';
import type { TaskLog } from './task-log.ts';
import { watchBody, type WatchedEnd } from './watch-body.ts';

/** One execution and whom it talks to. */
export interface Execution {
  readonly home: { readonly root: string; readonly dag_file: string; readonly dag_id: string };
  readonly spec: ExecutionSpec;
  readonly client: AgentClient;
  readonly modules: ModuleLoader;
  readonly log: TaskLog;
  readonly masking: Masking;
}

type Outcome = Omit<ExecutionReport, 'execution_id' | 'started_at' | 'ended_at'>;

const VALUE_LIMIT_MS = 600_000;

/** The module does not import, or has no such function: nothing of the task's own ran. */
class NotReady extends Error {
  override readonly name = 'ImportError';
}

/** Runs the task. Never rejects. */
export async function executeTask(execution: Execution): Promise<Outcome> {
  const { spec, log, masking } = execution;
  const state: State = { pushed: new PushedValues(), given: null, owner: null };
  // Whatever comes of it is found again below.
  await findTask(execution).catch(() => undefined);
  const end = await watchBody({ timeoutSeconds: spec.execution_timeout_seconds ?? null, note: (event, error) => log.write('error', event, { error }) }, (signal) => runOnce(execution, signal, state));
  const outcome = outcomeOf(end, execution);
  if (state.owner !== null && end.outcome !== 'up_for_reschedule') await callBack(happened(end, spec), state.owner, end.outcome === 'failed' ? end.thrown : undefined);
  const xcoms = state.pushed.list();
  return { ...outcome, ...(xcoms.length === 0 ? {} : { xcoms }), ...(state.given === null ? {} : { rendered_fields: shownFields(state.given, masking) }) };
}

/** What the body left behind. `owner`: as soon as there is a context to call back with. */
interface State { readonly pushed: PushedValues; given: Readonly<Record<string, unknown>> | null; owner: CallbackOwner | null }

/** The task and its function. Imports the module, before anything watches the body. */
async function findTask({ home, spec, modules }: Execution): Promise<{ readonly graph: DrawnGraph; readonly task: TaskNode; readonly body: TaskFunction }> {
  const graph = readDrawing(readDrawnFile(home.root, home.dag_file, home.dag_id));
  const task = graph.tasks.get(spec.task_id);
  if (task === undefined) throw new NotReady(`the DAG ${home.dag_id} has no task ${spec.task_id} in this version`);
  const [module = '', name = ''] = String(task.entry['node']).split('#');
  const loaded = await modules.load(findModule(home.root, home.dag_file, module));
  if (loaded.kind === 'failed') throw Object.assign(new NotReady(loaded.error.message), { cause: loaded.error.cause, stack: loaded.error.stack });
  return { graph, task, body: findBody(loaded.exported, { dagId: home.dag_id, name, module }) };
}

async function runOnce(execution: Execution, signal: AbortSignal, state: State): Promise<BodyEnd> {
  const { spec, log } = execution;
  const { graph, task, body } = await findTask(execution);
  const context = contextOf(execution, { graph, task, signal, pushed: state.pushed });
  const values = new ResolveValues({ graph, task, mapIndex: spec.map_index, params: context.params }, sourceOf(execution));
  const given = await values.arguments();
  // As it is now: the body may change what it is given.
  state.given = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
  state.owner = { task, context, home: execution.home, modules: execution.modules, log };
  await callBack('execute', state.owner);
  const first = spec.first_start === undefined ? null : Date.parse(spec.first_start);
  return runBody({
    graph, task, mapIndex: spec.map_index, body, given, context, pushed: state.pushed, maxBytes: spec.xcom_max_bytes, firstStart: first,
    now: () => performance.timeOrigin + performance.now(), wait: (ms) => waitFor(ms, signal), note: (event) => log.write('info', event, { logger: 'task' }),
  });
}

/** A failure that is tried again is a retry: the server knows what leoflow.yaml and people who cleared the task made of its retries. */
function happened(end: WatchedEnd, spec: ExecutionSpec): Happened {
  if (end.outcome !== 'failed') return end.outcome === 'skipped' ? 'skipped' : 'success';
  return spec.may_retry === true && !end.noRetry && end.cause !== 'cancelled' ? 'retry' : 'failure';
}

function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    }, { once: true });
  });
}

function outcomeOf(end: WatchedEnd, { log, masking }: Execution): Outcome {
  switch (end.outcome) {
    case 'success': return { outcome: 'success', ...(end.skips === undefined ? {} : { skips: end.skips }) };
    case 'skipped':
      log.write('info', `Skipping task. ${end.reason}`, { logger: 'task' });
      return { outcome: 'skipped', ...(end.reason === '' ? {} : { error: { type: 'SkipTask', message: reportedError(new Error(end.reason), masking).message } }) };
    case 'up_for_reschedule':
      log.write('info', 'Rescheduling task, marking task as UP_FOR_RESCHEDULE', { logger: 'task' });
      return { outcome: 'up_for_reschedule', reschedule_in_seconds: end.seconds };
    case 'failed': {
      const error = reportedError(end.thrown, masking);
      log.write('error', `Task failed: ${error.message}`, { logger: 'task', error: end.thrown });
      const cause = end.cause ?? (end.thrown instanceof NotReady ? 'config' : 'user_error');
      return { outcome: 'failed', cause, error, ...(end.noRetry ? { no_retry: true } : {}), ...(end.exitCode === undefined ? {} : { exit_code: end.exitCode }) };
    }
  }
}

function contextOf(execution: Execution, of: { readonly graph: DrawnGraph; readonly task: TaskNode; readonly signal: AbortSignal; readonly pushed: PushedValues }): Context {
  const { spec, client, log, masking } = execution;
  const { graph, task } = of;
  const execution_id = spec.execution_id;
  const conf = (typeof spec.run.conf === 'object' && spec.run.conf !== null ? spec.run.conf : {}) as Readonly<Record<string, unknown>>;
  const lookUp = new LookUp((path, body) => client.post(path, { execution_id, ...body }, { limitMs: VALUE_LIMIT_MS }), masking);
  const facts = {
    dag_id: spec.dag_id, run_id: spec.run.run_id, task_id: spec.task_id, map_index: spec.map_index, try_number: spec.try_number, max_tries: spec.max_tries,
    logical_date: spec.run.logical_date, data_interval_start: spec.run.data_interval_start, data_interval_end: spec.run.data_interval_end, conf, params: paramValues(graph, task, conf),
  };
  return makeContext(facts, {
    signal: of.signal, pushed: of.pushed,
    writeLog: (level, event, more) => log.write(level, event, { logger: 'task', ...more }),
    findXCom: (request) => {
      const { map_index: _, ...wish } = request;
      return findXCom(execution, wish);
    },
    useVariable: (request) => lookUp.variable(request),
    findConnection: (connId) => lookUp.connection(connId),
    hasInstances: (taskId) => {
      const other = graph.tasks.get(taskId);
      return other === undefined || isMapped(other.entry) || mappedGroupsOf(other).length > 0;
    },
  });
}

interface XComWish { readonly task_id: string; readonly key: string; readonly index: number | null; readonly run_id?: string; readonly dag_id?: string; readonly include_prior_dates?: boolean }

/** JSON text of one value, or of a list of all indexes; what the job brought along is not asked for. */
async function findXCom({ spec, client }: Execution, { index, ...wish }: XComWish): Promise<string | null> {
  const isOwn = wish.run_id === undefined && wish.dag_id === undefined && wish.include_prior_dates !== true;
  const name = `${wish.task_id}/${wish.key}${index === null || index === -1 ? '' : `/${index}`}`;
  const given = isOwn ? spec.xcoms?.[name] : undefined;
  if (given !== undefined) return given;
  const answer = await client.post('/agent/v1/xcom', { execution_id: spec.execution_id, ...wish, map_index: index }, { limitMs: VALUE_LIMIT_MS });
  return (answer as { readonly value: string | null }).value;
}

function sourceOf(execution: Execution): ValueSource {
  return {
    findOne: (task_id, key, index) => findXCom(execution, { task_id, key, index }),
    findAll: (task_id, key) => findXCom(execution, { task_id, key, index: null }),
    findFunction: async (reference) => {
      const [module = '', name = ''] = reference.split('#');
      const loaded = await execution.modules.load(findModule(execution.home.root, execution.home.dag_file, module));
      if (loaded.kind === 'failed') throw loaded.error;
      const found = loaded.exported[name];
      if (typeof found !== 'function') throw new Error(`${module} exports no function ${name}, through which values are mapped`);
      return found as (value: unknown) => unknown;
    },
  };
}
