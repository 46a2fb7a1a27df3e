// Runs one DAG on an open engine and shows it: live states on a terminal, one line per change elsewhere, a summary at the end.
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import type { RunUuid } from '#contract/ids.ts';
import { checkConf } from '#core/check-conf.ts';
import { makeRunId, manualInterval } from '#core/timetable.ts';
import { callEvery } from '#platform/clock.ts';
import { createRun } from '#store/dag-runs.ts';
import { findRunView, listRunXComs, type RunView } from '#store/run-view.ts';
import type { OpenEngine } from './engine-port.ts';
import { renderTraceback } from './log-lines.ts';
import { formatMs, paint, renderTree, renderXComs } from './run-view.ts';

/** Where a run is shown. The result goes to `out` only, so that it can be piped. */
export interface RunScreen {
  readonly out: (text: string) => void;
  /** Progress goes here; null when it is not wanted. */
  readonly progress: ((text: string) => void) | null;
  /** The progress stream is a terminal: the tree is redrawn in place. */
  readonly live: boolean;
  readonly coloured: boolean;
}

/** A run of a DAG that is registered with the engine already. `conf` is any JSON value. */
export interface RunRequest {
  readonly dag: Dag;
  readonly conf: Readonly<Record<string, unknown>>;
  /** Epoch ms; null for a run without logical date. */
  readonly logicalDate: number | null;
  readonly signal: AbortSignal;
}

/** A run that ended, well or not: `view.state` says which. `runId` is Airflow’s text id, `run` the row’s UUID. */
export interface RunOutcome {
  readonly run: RunUuid;
  readonly runId: string;
  readonly view: RunView;
  readonly dag: Dag;
}

const REDRAW_MS = 120;

/** Triggers, waits, and returns the finished run. Throws `interrupted` when the signal aborts first. */
export async function runOnce(engine: OpenEngine, request: RunRequest, screen: RunScreen): Promise<RunOutcome> {
  const { dag } = request;
  const { database } = engine;
  const faults = checkConf(dag, request.conf);
  if (faults.length > 0) throw new AppError('invalid_value', faults.join('\n'), { hint: 'Pass the values with --conf \'{"name": …}\'.' });
  const now = database.clock.nowMs();
  const runId = makeRunId({ runType: 'manual', runAfter: now, logicalDate: request.logicalDate, suffix: randomSuffix(now) });
  let finish: (run: RunUuid) => void = () => undefined;
  const finished = new Promise<RunUuid>((resolve) => void (finish = resolve));
  engine.onRunFinished((run) => {
    if (run.dagId === dag.dag_id && run.runId === runId) finish(run.id);
  });
  const created = await createRun(database, {
    dagId: dag.dag_id, runId, runType: 'manual', logicalDate: request.logicalDate,
    interval: request.logicalDate === null ? null : manualInterval(dag.timetable, request.logicalDate),
    runAfter: now, conf: request.conf, triggeredBy: 'cli', user: null, note: null,
  });
  if (created.kind !== 'created') throw new AppError('conflict', `the run ${runId} of ${dag.dag_id} could not be made`);
  const show = watch(engine, { run: created.run.id, dag }, screen);
  try {
    const run = await Promise.race([finished, interrupted(request.signal)]);
    const view = await findRunView(database, run);
    if (view === null) throw new AppError('not_found', `the run ${runId} is gone`);
    await show.stop(view);
    return { run, runId, view, dag };
  } finally {
    await show.stop(null);
  }
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new AppError('interrupted', 'interrupted: the run was stopped', { hint: 'Nothing of it runs any more.' }));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

function randomSuffix(now: number): string {
  return Math.floor(now * 1000).toString(36).slice(-8);
}

/** Shows progress until stopped: the last view stays on the screen. */
function watch(engine: OpenEngine, what: { run: RunUuid; dag: Dag }, screen: RunScreen): { stop: (last: RunView | null) => Promise<void> } {
  const { progress, live, coloured } = screen;
  let lines = 0;
  let stopped = false;
  const draw = (view: RunView): void => {
    if (progress === null || !live) return;
    const tree = renderTree(what.dag, view.instances, coloured).slice(0, 60);
    progress(`${lines > 0 ? `\u001b[${lines}A\u001b[0J` : ''}${tree.join('\n')}\n`);
    lines = tree.length;
  };
  const callOff = callEvery(REDRAW_MS, () => {
    if (live && !stopped) void findRunView(engine.database, what.run).then((view) => (view === null || stopped ? undefined : draw(view)), () => undefined);
  });
  if (progress !== null && !live) {
    engine.onEvent((event) => {
      if (event.event !== 'task.moved' || stopped || event.dag_id !== what.dag.dag_id || event.to === 'scheduled' || event.to === null) return;
      if (event.map_index < 0 || event.to === 'failed') progress(`    ${event.task_id}${event.map_index >= 0 ? `[${event.map_index}]` : ''} → ${event.to}\n`);
    });
  }
  return {
    async stop(last) {
      if (stopped) return;
      stopped = true;
      callOff();
      if (last !== null && progress !== null && live && lines > 0) progress(`\u001b[${lines}A\u001b[0J`);
    },
  };
}

/** The finished run: tree, XComs, timings, and the log's end of what failed. */
export async function printOutcome(engine: OpenEngine, outcome: RunOutcome, screen: RunScreen): Promise<void> {
  const { view, dag } = outcome;
  const { out, coloured } = screen;
  const took = view.startMs === null || view.endMs === null ? '' : ` in ${formatMs(view.endMs - view.startMs)}`;
  out(`${paint(`${dag.dag_id}: ${view.state}`, view.state === 'success' ? 32 : 31, coloured)}${took}  (${view.instances.length} task instances, run ${outcome.runId})\n`);
  out(`${renderTree(dag, view.instances, coloured).join('\n')}\n`);
  const xcoms = await listRunXComs(engine.database, outcome.run, 1000);
  if (xcoms.length > 0) out(`  XComs\n${renderXComs(xcoms).join('\n')}\n`);
  for (const failed of view.instances.filter((instance) => instance.state === 'failed').slice(0, 5)) {
    if (failed.attemptId === null) continue;
    const log = await engine.readLog(failed.attemptId);
    if (log.length === 0) continue;
    out(`  log of ${failed.taskId}${failed.mapIndex >= 0 ? `[${failed.mapIndex}]` : ''}, try ${failed.tryNumber}\n`);
    for (const message of log.slice(-12)) {
      out(`    ${message.level ?? ''} ${message.event.length > 300 ? `${message.event.slice(0, 300)}… (${message.event.length} characters)` : message.event}`.trimEnd() + '\n');
      for (const line of renderTraceback(message.error_detail)) out(`    ${line}\n`);
    }
  }
}
