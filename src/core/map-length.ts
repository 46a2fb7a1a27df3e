// How many instances a mapped task has, from lengths alone: no value is ever read to plan.
import type { Expand, MapSource } from '#contract/dag.ts';

/** Length of one XCom: of an unmapped task its value's length, of a mapped task its count of pushed values. Null: not known. */
export type LengthOf = (taskId: string, key: string) => number | null;

/** Product over all arguments of all expands (outermost group first). Null when a length is not known. */
export function expandedLength(expands: readonly Expand[], lengthOf: LengthOf): number | null {
  let total = 1;
  for (const expand of expands) {
    const sources = expand.kind === 'rows' ? [expand.rows] : Object.values(expand.arguments);
    for (const source of sources) {
      const length = sourceLength(source, lengthOf);
      if (length === null) return null;
      total *= length;
    }
  }
  return total;
}

function sourceLength(source: MapSource, lengthOf: LengthOf): number | null {
  switch (source.kind) {
    case 'literal': return source.length;
    case 'xcom': return lengthOf(source.task_id, source.key);
    case 'map': return sourceLength(source.of, lengthOf);
    case 'zip': case 'concat': {
      const lengths: number[] = [];
      for (const part of source.of) {
        const length = sourceLength(part, lengthOf);
        if (length === null) return null;
        lengths.push(length);
      }
      if (source.kind === 'concat') return lengths.reduce((sum, length) => sum + length, 0);
      return source.longest === true ? Math.max(...lengths) : Math.min(...lengths);
    }
  }
}

/**
 * Which instances of an upstream task matter to instance `mapIndex` of a task in the same mapped group (contract §5.4).
 * @param counts instances of the upstream, of the shared mapped groups, and of the task itself
 * @returns half-open range of upstream map indexes
 */
export function relevantRange(mapIndex: number, counts: { upstream: number; shared: number; own: number }): { from: number; to: number } {
  const shared = Math.floor((mapIndex * counts.shared) / counts.own);
  const perShared = Math.max(1, Math.floor(counts.upstream / counts.shared));
  return { from: shared * perShared, to: (shared + 1) * perShared };
}

/**
 * The reverse: which instances of a task in the same mapped group look at upstream instance `mapIndex`.
 * @returns half-open range of the task's map indexes
 */
export function dependentRange(mapIndex: number, counts: { upstream: number; shared: number; own: number }): { from: number; to: number } {
  const perShared = Math.max(1, Math.floor(counts.upstream / counts.shared));
  const shared = Math.floor(mapIndex / perShared);
  const first = (part: number): number => Math.ceil((part * counts.own) / counts.shared);
  return { from: first(shared), to: Math.min(counts.own, first(shared + 1)) };
}
