// A sensor's looks: until it is there, the time is over, or (rescheduled) another process shall look. As python/leoflow/dagmodel/sensor.py.
import { createHash } from 'node:crypto';
import { endingOf } from './context.ts';
import { type Entry, secondsOf } from './drawn-dag.ts';
import type { BodyEnd, BodyRun } from './run-body.ts';

/** It is there, or the task ends otherwise. */
type Looked = { readonly kind: 'there'; readonly value: unknown } | { readonly kind: 'end'; readonly end: BodyEnd };

const TIMEOUT_SECONDS = 604_800;
const POKE_SECONDS = 60;

/** Looks again and again. Throws what the function throws, unless the sensor's options say otherwise. */
export async function look(run: BodyRun): Promise<Looked> {
  const { entry } = run.task;
  const isRescheduled = entry['mode'] === 'reschedule';
  const began = isRescheduled ? (run.firstStart ?? run.now()) : run.now();
  const timeout = secondsOf(entry['timeout'], TIMEOUT_SECONDS);
  for (let count = 1; ; count += 1) {
    const poke = await pokeOnce(run);
    if ('reason' in poke) return { kind: 'end', end: { outcome: 'skipped', reason: poke.reason } };
    if (poke.done) return { kind: 'there', value: poke.value };
    const elapsed = (run.now() - began) / 1000;
    if (elapsed > timeout) return { kind: 'end', end: tooLate(entry, elapsed, timeout) };
    const seconds = interval(run, { began, elapsed, count: isRescheduled ? null : count, timeout });
    if (isRescheduled) return { kind: 'end', end: { outcome: 'up_for_reschedule', seconds } };
    await run.wait(seconds * 1000);
  }
}

function tooLate(entry: Entry, elapsed: number, timeout: number): BodyEnd {
  const message = `the sensor has looked for ${elapsed.toFixed(1)} s, its timeout is ${timeout} s`;
  if (entry['soft_fail'] === true) return { outcome: 'skipped', reason: message };
  return { outcome: 'failed', thrown: Object.assign(new Error(message), { name: 'SensorTimeout' }), noRetry: true };
}

async function pokeOnce(run: BodyRun): Promise<{ readonly done: boolean; readonly value?: unknown } | { readonly reason: string }> {
  try {
    const answer: unknown = await run.body(run.given, run.context);
    if (typeof answer !== 'object' || answer === null) return { done: Boolean(answer) };
    return { done: 'done' in answer && answer.done === true, value: 'value' in answer ? answer.value : undefined };
  } catch (error) {
    return forgive(run, error);
  }
}

/** What the sensor's options make of an error. Throws it when they make nothing of it. */
function forgive({ task: { entry }, note }: BodyRun, error: unknown): { readonly done: false } | { readonly reason: string } {
  const ending = endingOf(error);
  const text = error instanceof Error ? error.message : String(error);
  if (ending === 'skip') throw error;
  if (ending === null && entry['silent_fail'] === true) {
    note(`Sensor poke failed: ${text}`);
    return { done: false };
  }
  if (entry['never_fail'] === true || (ending === 'fail' && entry['soft_fail'] === true)) return { reason: text };
  throw error;
}

interface Waiting { readonly began: number; readonly elapsed: number; readonly timeout: number; /** Null when each look is another process. */ readonly count: number | null }

function interval({ task, graph }: BodyRun, { began, elapsed, timeout, count }: Waiting): number {
  const poke = secondsOf(task.entry['poke_interval'], POKE_SECONDS);
  if (task.entry['exponential_backoff'] !== true) return poke;
  const backoff = (nth: number): number => {
    // Airflow's formula: doubling, plus a jitter that is the same for the same task and count.
    const least = Math.max(Math.floor(poke * 2 ** (nth - 2)), 1);
    const digest = BigInt(`0x${createHash('sha1').update(`${graph.dagId}#${task.id}#${began}#${nth}`).digest('hex')}`);
    return least + Number(digest % BigInt(least));
  };
  let looks = count ?? 0;
  for (let total = 0; count === null && total <= elapsed; total += backoff(looks)) looks += 1;
  const longest = secondsOf(task.entry['max_wait'], Number.POSITIVE_INFINITY);
  return Math.max(0, Math.min(timeout - Math.floor(elapsed), backoff(looks), longest));
}
