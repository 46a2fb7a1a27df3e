// Calls a task's function once and says what its end means: a value, a choice of branches, a skip, or another look later.
import { endingOf, type Context } from './context.ts';
import { everythingAfter, firstTasksOf, mappedOver } from './drawn-dag.ts';
import { encodeValue, ValueRefused } from './json-values.ts';
import type { TaskFunction } from './registry.ts';
import type { Position } from './resolve-values.ts';
import { look } from './look.ts';

/** One instance about to run. `now` is in milliseconds, `firstStart` when this try first looked (sensors that are rescheduled). */
export interface BodyRun extends Position {
  readonly body: TaskFunction;
  readonly given: Readonly<Record<string, unknown>>;
  readonly context: Context;
  readonly pushed: PushedValues;
  readonly maxBytes: number;
  readonly firstStart: number | null;
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<void>;
  /** A line of the log about what was decided. */
  readonly note: (event: string) => void;
}

/** What an end means. With `failed`: the value that was thrown. */
export type BodyEnd =
  | { readonly outcome: 'success'; readonly skips?: { readonly followed?: readonly string[]; readonly skipped?: readonly string[]; readonly all?: boolean } }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'up_for_reschedule'; readonly seconds: number }
  | { readonly outcome: 'failed'; readonly thrown: unknown; readonly noRetry: boolean };

const RETURN_VALUE = 'return_value';
const SKIP_KEY = 'skipmixin_key';
/** Airflow's [core] max_map_length. */
const MAX_MAP_LENGTH = 1024;

/** What a task pushed so far, as JSON text by key. */
export class PushedValues {
  readonly texts = new Map<string, string>();

  push(key: string, value: unknown): void {
    try {
      this.texts.set(key, encodeValue(value));
    } catch (error) {
      if (!(error instanceof ValueRefused)) throw error;
      throw new ValueRefused(`the XCom ${JSON.stringify(key)} cannot be written as JSON: ${error.message}`);
    }
  }

  /** As a report carries them. */
  list(): { key: string; value: string; mapped_length: number | null }[] {
    return [...this.texts].map(([key, value]) => ({ key, value, mapped_length: lengthOf(value) }));
  }
}

function lengthOf(text: string): number | null {
  if (!/^[[{]/.test(text)) return null;
  const value = JSON.parse(text) as object;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

/** Runs the function. What it throws is in the answer. */
export async function runBody(run: BodyRun): Promise<BodyEnd> {
  try {
    return await decide(run);
  } catch (thrown) {
    return endOf(thrown);
  }
}

/** What a thrown value means. */
export function endOf(thrown: unknown): BodyEnd {
  const ending = endingOf(thrown);
  if (ending === 'skip') return { outcome: 'skipped', reason: thrown instanceof Error ? thrown.message : '' };
  return { outcome: 'failed', thrown, noRetry: ending === 'fail' };
}

/** Runs the function and keeps what it gives. */
async function decide(run: BodyRun): Promise<BodyEnd> {
  const decorator = run.task.entry['decorator'] ?? 'task';
  if (decorator === 'sensor') {
    const looked = await look(run);
    if (looked.kind === 'end') return looked.end;
    pushResult(run, looked.value);
    return { outcome: 'success' };
  }
  const result: unknown = await run.body(run.given, run.context);
  const skips = decorator === 'branch' ? follow(run, result) : decorator === 'short_circuit' && !result ? skipAfter(run) : null;
  // Airflow ends an unmapped task here, before its return value is pushed.
  if (skips !== null && skips.skipsSome && run.mapIndex < 0) return { outcome: 'success', skips: skips.decision };
  pushResult(run, result);
  return skips === null ? { outcome: 'success' } : { outcome: 'success', skips: skips.decision };
}

interface Skips { readonly decision: Extract<BodyEnd, { outcome: 'success' }>['skips'] & object; readonly skipsSome: boolean }

function follow({ graph, task, pushed, note }: BodyRun, result: unknown): Skips | null {
  const chosen = result === undefined || result === null ? [] : [result].flat();
  const wrong = chosen.filter((id) => typeof id !== 'string');
  if (wrong.length > 0) throw new TypeError(`a branch must return ids of tasks or groups, not ${wrong.map((id) => typeof id).join(', ')}`);
  const ids = (chosen as string[]).flatMap((id) => (graph.groups.has(id) ? firstTasksOf(graph, id) : [id]));
  const unknown = ids.filter((id) => !graph.tasks.has(id)).sort();
  const downstream = [...task.downstream].sort();
  if (unknown.length > 0) throw new Error(`the branch chose ${unknown.join(', ')}, which ${graph.dagId} has not. Right after ${task.id} come: ${downstream.join(', ') || 'no tasks'}`);
  const reached = new Set([...ids, ...ids.flatMap((id) => everythingAfter(graph, id))]);
  if (downstream.length === 0) return null;
  const followed = downstream.filter((id) => reached.has(id));
  const skipped = downstream.filter((id) => !reached.has(id));
  note(`Following branch ${ids.join(', ') || '(none)'}, skipping ${skipped.join(', ') || 'none'}`);
  pushed.push(SKIP_KEY, { followed });
  return { decision: { followed }, skipsSome: skipped.length > 0 };
}

function skipAfter({ graph, task, pushed, note }: BodyRun): Skips | null {
  const everything = task.entry['ignore_downstream_trigger_rules'] !== false;
  const work = everythingAfter(graph, task.id, 'work');
  const direct = work.filter((id) => task.downstream.has(id));
  const skipped = everything ? work : direct;
  if (skipped.length === 0) return null;
  note(`The result is falsy: skipping ${everything ? 'everything after' : 'what comes right after'} ${task.id}`);
  pushed.push(SKIP_KEY, { skipped });
  return { decision: everything ? { skipped: direct, all: true } : { skipped: direct }, skipsSome: true };
}

function pushResult(run: BodyRun, result: unknown): void {
  const { task, pushed, graph, mapIndex } = run;
  const value = task.entry['do_xcom_push'] === false ? undefined : result;
  if (mapIndex < 0 && mappedOver(graph).has(task.id)) checkMappable(task.id, value);
  if (value !== undefined && value !== null) {
    if (task.entry['multiple_outputs'] === true) {
      if (typeof value !== 'object' || Array.isArray(value)) throw new TypeError('a task with multiple_outputs must return an object');
      for (const [key, item] of Object.entries(value)) if (item !== undefined) pushed.push(key, item);
    }
    pushed.push(RETURN_VALUE, value);
  }
  for (const [key, text] of pushed.texts) {
    const bytes = Buffer.byteLength(text);
    if (bytes <= run.maxBytes) continue;
    pushed.texts.delete(key);
    throw Object.assign(new Error(`the XCom ${JSON.stringify(key)} of task ${task.id} is ${bytes} bytes long, the limit is ${run.maxBytes}. Write the data to storage and return its address, or raise xcom.max_bytes of the DAG`), { name: 'XComTooLarge' });
  }
}

function checkMappable(taskId: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw new TypeError(`other tasks are mapped over the result of ${taskId}: it must return a list or an object, not ${value === null ? 'null' : typeof value}`);
  const length = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (length > MAX_MAP_LENGTH) throw new RangeError(`other tasks are mapped over the result of ${taskId}: it has ${length} elements, the limit is ${MAX_MAP_LENGTH}`);
}
