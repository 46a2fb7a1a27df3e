// A run as people read it in a terminal: the tree of its tasks with states and times, and its XComs.
import type { Dag } from '#contract/dag.ts';
import type { TaskState } from '#contract/states.ts';

/** What a line of the tree shows. `mapIndex` is −1 when not mapped; times are epoch milliseconds, null before they happened. */
export interface ViewedInstance {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly tryNumber: number;
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly reason: string | null;
}

const MARKS: Readonly<Record<string, { mark: string; colour: number }>> = {
  success: { mark: '✓', colour: 32 }, failed: { mark: '✗', colour: 31 }, upstream_failed: { mark: '✗', colour: 33 }, skipped: { mark: '↷', colour: 35 },
  running: { mark: '▶', colour: 36 }, up_for_retry: { mark: '↻', colour: 33 }, up_for_reschedule: { mark: '⏲', colour: 33 }, removed: { mark: '−', colour: 90 },
};

/** Paints text with an SGR colour when asked to. */
export function paint(text: string, colour: number, coloured: boolean): string {
  return coloured ? `\u001b[${colour}m${text}\u001b[0m` : text;
}

/** One line per task, in an order in which they may run; mapped instances are summed up, and listed when something is odd. */
export function renderTree(dag: Dag, instances: readonly ViewedInstance[], coloured: boolean): string[] {
  const byTask = new Map<string, ViewedInstance[]>();
  for (const instance of instances) byTask.set(instance.taskId, [...(byTask.get(instance.taskId) ?? []), instance]);
  const order = topologicalOrder(dag);
  const width = Math.max(...order.map((task) => task.id.length + task.depth * 2), 4);
  return order.flatMap(({ id, depth }) => {
    const found = (byTask.get(id) ?? []).sort((a, b) => a.mapIndex - b.mapIndex);
    const label = `${'  '.repeat(depth)}${id}`.padEnd(width);
    if (found.length > 1 || (found[0]?.mapIndex ?? -1) >= 0) return [renderMapped(label, found, coloured)];
    return [found[0] === undefined ? `  ○ ${label}` : renderOne(label, found[0], coloured)];
  });
}

function renderOne(label: string, instance: ViewedInstance, coloured: boolean): string {
  const { mark, colour } = MARKS[instance.state ?? ''] ?? { mark: '○', colour: 90 };
  const tries = instance.tryNumber > 1 ? `  try ${instance.tryNumber}` : '';
  const why = instance.reason !== null && instance.state !== 'success' ? `  — ${instance.reason.split('\n')[0]}` : '';
  return `  ${paint(mark, colour, coloured)} ${label}  ${paint((instance.state ?? 'waiting').padEnd(8), colour, coloured)}${renderDuration(instance)}${tries}${why}`;
}

function renderMapped(label: string, instances: readonly ViewedInstance[], coloured: boolean): string {
  const counts = new Map<string, number>();
  for (const { state } of instances) counts.set(state ?? 'waiting', (counts.get(state ?? 'waiting') ?? 0) + 1);
  const text = [...counts].map(([state, count]) => paint(`${count} ${state}`, MARKS[state]?.colour ?? 90, coloured)).join(', ');
  const worst = ['failed', 'upstream_failed', 'running', 'skipped', 'success'].find((state) => counts.has(state)) ?? '';
  const { mark, colour } = MARKS[worst] ?? { mark: '○', colour: 90 };
  const starts = instances.flatMap((instance) => instance.startMs ?? []);
  const ends = instances.flatMap((instance) => instance.endMs ?? []);
  const span = starts.length === 0 || ends.length === 0 ? '' : `  ${formatMs(Math.max(...ends) - Math.min(...starts))}`;
  return `  ${paint(mark, colour, coloured)} ${label}  [${instances.length}] ${text}${span}`;
}

function renderDuration({ startMs, endMs }: ViewedInstance): string {
  return startMs === null || endMs === null ? '' : `  ${formatMs(endMs - startMs)}`;
}

/** `12 ms`, `1.25 s`, `3 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.max(0, ms).toFixed(ms < 10 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Depth is the longest way from a root, so that an arrow always points further right. */
function topologicalOrder(dag: Dag): { id: string; depth: number }[] {
  const depths = new Map<string, number>();
  const byId = new Map(dag.tasks.map((task) => [task.task_id, task]));
  const order: { id: string; depth: number }[] = [];
  const left = new Map(dag.tasks.map((task) => [task.task_id, task.depends_on.filter((id) => byId.has(id)).length]));
  const downstream = new Map<string, string[]>();
  for (const task of dag.tasks) for (const up of task.depends_on) downstream.set(up, [...(downstream.get(up) ?? []), task.task_id]);
  const free = dag.tasks.filter((task) => left.get(task.task_id) === 0).map((task) => task.task_id);
  for (let id = free.shift(); id !== undefined; id = free.shift()) {
    const depth = depths.get(id) ?? 0;
    order.push({ id, depth: Math.min(depth, 8) });
    for (const down of downstream.get(id) ?? []) {
      depths.set(down, Math.max(depths.get(down) ?? 0, depth + 1));
      const missing = (left.get(down) ?? 1) - 1;
      left.set(down, missing);
      if (missing === 0) free.push(down);
    }
  }
  return order;
}

/** `text` is JSON, uncut; `mapIndex` is −1 when the task is not mapped. */
export interface ViewedXCom { readonly taskId: string; readonly mapIndex: number; readonly key: string; readonly text: string }

const XCOM_LINES = 40;

/** One line per value; long values are cut, long lists of mapped values too, both saying so. */
export function renderXComs(xcoms: readonly ViewedXCom[]): string[] {
  const lines = xcoms.slice(0, XCOM_LINES).map(({ taskId, mapIndex, key, text }) => {
    const name = `${taskId}${mapIndex >= 0 ? `[${mapIndex}]` : ''}.${key}`;
    return `    ${name} = ${text.length > 160 ? `${text.slice(0, 160)}… (${text.length} characters)` : text}`;
  });
  return xcoms.length > XCOM_LINES ? [...lines, `    … and ${xcoms.length - XCOM_LINES} more`] : lines;
}
