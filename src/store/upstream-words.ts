// Upstreams in words: which ones an instance waits for and since when, and which ones decided its state.
import { isFinished, type TaskState } from '#contract/states.ts';
import { affectedIndexes } from '#core/dependencies.ts';
import { type Instance, progressOf, type RunSnapshot } from '#core/run-snapshot.ts';
import type { Database } from './database.ts';

const MAX_NAMED = 5;

/** `waits for X (running 12 s), Y (not started) and 3 more`; null when nothing above the instance is open. */
export async function tellAwaited(database: Database, run: RunSnapshot, instance: Instance): Promise<string | null> {
  const { upstream, indirectSetups, scope } = instance.task;
  const open = upstreamsOf(run, instance, [...upstream, ...indirectSetups, ...scope]).filter(({ state }) => !isFinished(state));
  if (open.length === 0) return null;
  const since = await readSince(database, run.id, open.slice(0, MAX_NAMED));
  const now = database.clock.nowMs();
  return `waits for ${joined(open, (each) => {
    const at = since.get(nameOf(each));
    const seconds = at === undefined ? '' : ` ${Math.max(0, Math.floor((now - at) / 1000))} s`;
    return `${nameOf(each)} (${each.state === null ? 'not started' : `${each.state}${seconds}`})`;
  })}`;
}

/** `X failed, Y was skipped`: the upstreams by which the trigger rule gave the instance that state; null when none is so any more. */
export function tellCulprits(run: RunSnapshot, instance: Instance, state: 'skipped' | 'upstream_failed' | 'removed'): string | null {
  const blamed = upstreamsOf(run, instance, instance.task.upstream).filter((each) => isBlamed(instance.task.rule, state, each.state));
  return blamed.length === 0 ? null : joined(blamed, (each) => `${nameOf(each)} ${ENDED[each.state ?? ''] ?? `is ${each.state ?? 'not started'}`}`);
}

const ENDED: Readonly<Record<string, string>> = { success: 'succeeded', failed: 'failed', skipped: 'was skipped', removed: 'was removed' };

function isBlamed(rule: string, state: string, of: TaskState): boolean {
  if (!isFinished(of)) return false;
  if (state === 'upstream_failed') return of === 'failed' || of === 'upstream_failed';
  if (state === 'removed') return of === 'removed';
  switch (rule) {
    case 'all_failed': return of === 'success' || of === 'skipped';
    case 'all_skipped': return of !== 'skipped' && of !== 'removed';
    case 'one_failed': case 'one_done': return true;
    default: return of === 'skipped';
  }
}

/** Instances of these tasks that the instance looks at, mapped ones one by one. */
function upstreamsOf(run: RunSnapshot, instance: Instance, tasks: readonly number[]): Instance[] {
  const own = progressOf(run, instance.task);
  return [...new Set(tasks)].flatMap((index) => [...(run.tasks[index]?.instances.values() ?? [])].filter((each) => {
    const affected = affectedIndexes(run, each, own);
    return affected === 'all' || (instance.mapIndex >= affected.from && instance.mapIndex < affected.to);
  }).sort((a, b) => a.mapIndex - b.mapIndex));
}

function nameOf({ task, mapIndex }: Instance): string {
  return mapIndex < 0 ? task.id : `${task.id}[${mapIndex}]`;
}

function joined(instances: readonly Instance[], render: (instance: Instance) => string): string {
  const named = instances.slice(0, MAX_NAMED).map(render).join(', ');
  return instances.length > MAX_NAMED ? `${named} and ${instances.length - MAX_NAMED} more` : named;
}

/** Since when each of a few instances is in its state, epoch milliseconds by name; without those whose row does not tell. */
async function readSince(database: Database, run: string, instances: readonly Instance[]): Promise<Map<string, number>> {
  const rows = await database.kysely.selectFrom('task_instances').select(['task_id', 'map_index', 'state', 'scheduled_at', 'queued_at', 'start_date', 'end_date']).where('run', '=', run)
    .where((eb) => eb.or(instances.map(({ task, mapIndex }) => eb.and([eb('task_id', '=', task.id), eb('map_index', '=', mapIndex)])))).limit(MAX_NAMED).execute();
  const since = new Map<string, number>();
  for (const row of rows) {
    const at = row.state === 'scheduled' ? row.scheduled_at : row.state === 'queued' ? row.queued_at : row.state === 'running' ? row.start_date : row.end_date;
    if (at !== null) since.set(row.map_index < 0 ? row.task_id : `${row.task_id}[${row.map_index}]`, at.getTime());
  }
  return since;
}
