// Deferral: a try waits for a trigger without a process, and goes on by the trigger's event, its failure or its time-out.
import type { Deferral, TriggerEvent } from '#contract/execution-api.ts';
import { type Plan, touch } from './plan.ts';
import { type Instance, setState, type TriggerWait } from './run-snapshot.ts';

/** What the next execution of a deferred try calls instead of `execute`. `nextKwargs` is JSON text in the Task SDK's serialization. */
export interface NextCall { readonly nextMethod: string; readonly nextKwargs: string }

/** The Task SDK knows it as a task that was started in order to fail. */
const FAIL = '__fail__';
/** A trigger that did not fire in time. Source: Airflow 3.2.1 `SchedulerJobRunner.check_trigger_timeouts`. */
export const TIMED_OUT: NextCall = { nextMethod: FAIL, nextKwargs: JSON.stringify({ error: 'Trigger timeout' }) };
/** Some 300 years: what a task asks for may be more than a date can hold. */
const MAX_TIMEOUT_SECONDS = 1e10;
const MAX_FAILURE_CHARS = 1500;

/** The try waits from here on. */
export function defer(plan: Plan, instance: Instance, deferral: Deferral): void {
  const { timeout_seconds: seconds } = deferral;
  const timeoutAt = seconds === null ? null : plan.now + Math.min(seconds, MAX_TIMEOUT_SECONDS) * 1000;
  instance.wait = {
    id: null, executionId: instance.executionId, classpath: deferral.classpath, kwargs: deferral.kwargs, queue: deferral.queue ?? null,
    nextMethod: deferral.next_method, nextKwargs: deferral.next_kwargs, createdAt: plan.now, timeoutAt, isOver: false,
  };
  instance.wakeAt = timeoutAt;
  instance.endedAt = null;
  setState(plan.run, instance, 'deferred');
}

/** The wait is over: the same try goes on in a new execution. */
export function resume(plan: Plan, instance: Instance, call: NextCall): void {
  if (instance.wait === null) return;
  touch(plan, instance);
  instance.wait = { ...instance.wait, ...call, isOver: true };
  instance.wakeAt = null;
  instance.executionId = null;
  setState(plan.run, instance, 'scheduled');
  plan.ready.push(instance);
}

/**
 * What follows from an event that does not end the task. Source: Airflow 3.2.1 `handle_event_submit`, `Trigger.submit_failure`.
 * @param own the call that the task asked for when it deferred
 */
export function callAfter(own: NextCall, event: Exclude<TriggerEvent, { kind: 'ended' }>): NextCall {
  if (event.kind === 'event') return { nextMethod: own.nextMethod, nextKwargs: withEvent(own.nextKwargs, event.payload) };
  const traceback = event.traceback.length > 0 ? event.traceback : [event.error];
  return { nextMethod: FAIL, nextKwargs: JSON.stringify({ error: 'Trigger failure', traceback }) };
}

/** Why a try that went on in order to fail does so; null for any other. */
export function tellFailedWait(wait: TriggerWait | null): string | null {
  if (wait?.isOver !== true || wait.nextMethod !== FAIL) return null;
  if (wait.nextKwargs === TIMED_OUT.nextKwargs) {
    const seconds = wait.timeoutAt === null ? '' : ` of ${(wait.timeoutAt - wait.createdAt) / 1000} s`;
    return `it was deferred for longer than its timeout${seconds}, waiting for the trigger ${wait.classpath}`;
  }
  const { traceback = [] } = JSON.parse(wait.nextKwargs) as { traceback?: readonly string[] };
  return `its trigger ${wait.classpath} failed: ${(traceback.at(-1) ?? 'it said nothing').trim().slice(0, MAX_FAILURE_CHARS)}`;
}

/** Puts the event into the text: parsed and written again, large integers would be others. Of two keys of one name readers of JSON take the last. */
function withEvent(nextKwargs: string, payload: string): string {
  const open = nextKwargs.trimEnd().slice(0, -1).trimEnd();
  return `${open}${open.endsWith('{') ? '' : ','}"event":${payload}}`;
}
