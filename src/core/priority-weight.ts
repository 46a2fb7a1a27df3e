// Priority weights: what a task weighs in the queue, by the tasks that wait for it or that it waits for.
import assert from 'node:assert/strict';

/** A task as the weights need it. */
export interface WeightedTask {
  readonly taskId: string;
  /** Ids of direct upstream tasks; each is in the list. */
  readonly dependsOn: readonly string[];
  readonly weight: number;
  /** `downstream`, `upstream` or `absolute`; for any other strategy the task keeps its own weight. */
  readonly rule: string;
}

/** Bounds of Airflow's database column. */
const MIN_WEIGHT = -2_147_483_648;
const MAX_WEIGHT = 2_147_483_647;
const BLOCK = 32;

/**
 * The effective weight of each task, in the order of the list: its own and, by its rule, those of all transitive downstream or upstream
 * tasks, each counted once. Kept within 32 bits. Throws AssertionError on a cycle, a repeated or an unknown task.
 * Source: `airflow.task.priority_strategy`; `db_safe_priority`.
 */
export function effectiveWeights(tasks: readonly WeightedTask[]): number[] {
  const upstream = upstreamIndexes(tasks);
  const order = topologicalOrder(upstream);
  const downstream: number[][] = tasks.map(() => []);
  for (const [index, parents] of upstream.entries()) for (const parent of parents) downstream[parent]?.push(index);
  const weights = tasks.map((task) => task.weight);
  const sums: Record<string, readonly number[]> = {};
  if (tasks.some((task) => task.rule === 'downstream')) sums['downstream'] = reachableSums(order.toReversed(), downstream, weights);
  if (tasks.some((task) => task.rule === 'upstream')) sums['upstream'] = reachableSums(order, upstream, weights);
  return tasks.map((task, index) => {
    const sum = task.rule === 'downstream' || task.rule === 'upstream' ? sums[task.rule]?.[index] : undefined;
    return Math.min(MAX_WEIGHT, Math.max(MIN_WEIGHT, sum ?? task.weight));
  });
}

function upstreamIndexes(tasks: readonly WeightedTask[]): number[][] {
  const indexes = new Map(tasks.map((task, index) => [task.taskId, index]));
  assert.equal(indexes.size, tasks.length, 'a task is in the list twice');
  return tasks.map((task) =>
    task.dependsOn.map((id) => {
      const index = indexes.get(id);
      assert(index !== undefined, `${task.taskId} depends on ${id}, which is not in the list`);
      return index;
    }),
  );
}

/** Every task after all its upstreams. */
function topologicalOrder(upstream: readonly (readonly number[])[]): number[] {
  const downstream: number[][] = upstream.map(() => []);
  const waiting = upstream.map((parents) => parents.length);
  for (const [index, parents] of upstream.entries()) for (const parent of parents) downstream[parent]?.push(index);
  const order = [...waiting.keys()].filter((index) => waiting[index] === 0);
  for (const index of order) {
    for (const child of downstream[index] ?? []) {
      const left = (waiting[child] ?? 0) - 1;
      waiting[child] = left;
      if (left === 0) order.push(child);
    }
  }
  assert.equal(order.length, upstream.length, 'the tasks depend on each other in a cycle');
  return order;
}

/**
 * For each task its own weight plus those of all tasks it reaches through `next`; `order` lists those before it. Works on 32 tasks at a
 * time: one bit per task reached, and sums by table, a byte of bits at once, so that 10,000 tasks need no 10,000 sets.
 */
function reachableSums(order: readonly number[], next: readonly (readonly number[])[], weights: readonly number[]): number[] {
  const sums = weights.map(() => 0);
  const reached = new Int32Array(weights.length);
  const edges = flatten(order, next);
  for (let first = 0; first < weights.length; first += BLOCK) {
    const table = sumsByByte(weights, first);
    let edge = 0;
    for (const index of order) {
      let bits = index >= first && index < first + BLOCK ? 1 << (index - first) : 0;
      for (let count = edges[edge++] ?? 0; count > 0; count -= 1) bits |= reached[edges[edge++] ?? 0] ?? 0;
      reached[index] = bits;
      if (bits !== 0) sums[index] = (sums[index] ?? 0) + sumOfBits(table, bits);
    }
  }
  return sums;
}

/** For each task in order: how many it leads to, then which. One array is read several times faster than arrays of arrays. */
function flatten(order: readonly number[], next: readonly (readonly number[])[]): Int32Array {
  return Int32Array.from(order.flatMap((index) => [next[index]?.length ?? 0, ...(next[index] ?? [])]));
}

/** For each byte of a block of 32 tasks, and each of the 256 subsets of its eight tasks, the sum of their weights. */
function sumsByByte(weights: readonly number[], first: number): Float64Array {
  const sums = new Float64Array(4 * 256);
  for (let entry = 0; entry < sums.length; entry += 1) {
    const subset = entry & 255;
    if (subset === 0) continue;
    const lowest = 31 - Math.clz32(subset & -subset);
    const task = first + 8 * (entry >>> 8) + lowest;
    sums[entry] = (sums[entry & (entry - 1)] ?? 0) + (weights[task] ?? 0);
  }
  return sums;
}

function sumOfBits(table: Float64Array, bits: number): number {
  let sum = 0;
  for (let byte = 0; byte < 4; byte += 1) sum += table[256 * byte + ((bits >>> (8 * byte)) & 255)] ?? 0;
  return sum;
}
