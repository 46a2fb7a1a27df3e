// What differs between the XComs of two runs, value by value and within each.
import type { PulledXCom } from '#contract/xcom-reader.ts';
import { renderExactJson } from './python-json.ts';
import { pathTo } from './shown-value.ts';
import { partOf } from './value-path.ts';

/** One difference within a value. `delta` where both sides are numbers. */
export interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly delta: number | null;
}

/** An XCom that is in one of the runs only, or in both with other values. */
export interface ComparedXCom {
  readonly task_id: string;
  readonly map_index: number;
  readonly key: string;
  /** `not_compared`: one of them was cut, and what was read is equal. */
  readonly kind: 'only_before' | 'only_after' | 'changed' | 'not_compared';
  /** The first hundred; `more` says that there are others. */
  readonly differences: readonly Difference[];
  readonly more: boolean;
}

const MAX_DIFFERENCES = 100;

const placeOf = (xcom: PulledXCom): string => JSON.stringify([xcom.task_id, xcom.map_index, xcom.key]);

/** Differences in the order of tasks, map indexes and keys; `same` counts the XComs without any. */
export function compareRuns(before: readonly PulledXCom[], after: readonly PulledXCom[]): { readonly compared: readonly ComparedXCom[]; readonly same: number } {
  const old = new Map(before.map((xcom) => [placeOf(xcom), xcom]));
  const fresh = new Map(after.map((xcom) => [placeOf(xcom), xcom]));
  const compared: ComparedXCom[] = [];
  let same = 0;
  for (const place of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
    const [was, is] = [old.get(place), fresh.get(place)];
    const { task_id, map_index, key } = (is ?? was) as PulledXCom;
    const differences = was === undefined ? [differenceOf('$', undefined, is?.value)] : is === undefined ? [differenceOf('$', was.value, undefined)] : listDifferences({ before: was.value, after: is.value }, '$', []);
    const isCut = was?.cut === true || is?.cut === true;
    if (differences.length === 0 && !isCut) same += 1;
    else compared.push({ task_id, map_index, key, kind: was === undefined ? 'only_after' : is === undefined ? 'only_before' : differences.length === 0 ? 'not_compared' : 'changed', differences: differences.slice(0, MAX_DIFFERENCES), more: differences.length > MAX_DIFFERENCES });
  }
  return { compared, same };
}

function differenceOf(path: string, before: unknown, after: unknown): Difference {
  return { path, before, after, delta: typeof before === 'number' && typeof after === 'number' ? Number((after - before).toPrecision(12)) : null };
}

function listDifferences({ before, after }: { readonly before: unknown; readonly after: unknown }, path: string, found: Difference[]): Difference[] {
  if (found.length > MAX_DIFFERENCES) return found;
  if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index += 1) listDifferences({ before: before[index], after: after[index] }, pathTo(path, index), found);
  } else if (isPlainObject(before) && isPlainObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) listDifferences({ before: partOf(before, [key]), after: partOf(after, [key]) }, pathTo(path, key), found);
  } else if (textOf(before) !== textOf(after)) found.push(differenceOf(path, before, after));
  return found;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function textOf(value: unknown): string {
  return value === undefined ? 'undefined' : renderExactJson(value);
}
