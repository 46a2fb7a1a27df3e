// Values over runs, or over the map indexes of one run, as a table of numbers and texts, and its columns as lines of a plot.
import type { ProbeRun, PulledXCom } from '#contract/xcom-reader.ts';
import { pathTo } from './shown-value.ts';

/** A cell: a scalar, or nothing. */
export type Scalar = string | number | boolean | null;

/** Rows in the order of time, or of map indexes. */
export interface Trajectory {
  /** What a row stands for. */
  readonly pivot: 'run' | 'map_index';
  readonly columns: readonly string[];
  /** Columns that there was no room for, as far as they were looked at. */
  readonly leftOut: number;
  readonly rows: readonly { readonly label: string; readonly cells: readonly Scalar[] }[];
}

const MAX_COLUMNS = 24;

/**
 * Turns XComs into a table. A column is one scalar within a value: `task.key.path`, shortened to what tells the columns apart.
 * @param select the part of each value that is wanted
 */
export function buildTrajectory(given: { readonly runs: readonly ProbeRun[]; readonly xcoms: readonly PulledXCom[]; readonly pivot: Trajectory['pivot']; readonly select: (value: unknown) => unknown }): Trajectory {
  const { pivot, xcoms, select } = given;
  const rows = new Map<string, Map<string, Scalar>>();
  // Runs come newest first; a trajectory is read from old to new.
  if (pivot === 'run') for (const run of [...given.runs].reverse()) rows.set(run.run_id, new Map());
  const isMapped = pivot === 'run' && xcoms.some((xcom) => xcom.map_index >= 0);
  const columns = new Set<string>();
  for (const xcom of [...xcoms].sort((a, b) => a.map_index - b.map_index)) {
    const label = pivot === 'run' ? xcom.run_id : String(xcom.map_index);
    const cells = rows.get(label) ?? new Map<string, Scalar>();
    rows.set(label, cells);
    const place = `${xcom.task_id}${isMapped ? `[${xcom.map_index}]` : ''}.${xcom.key}`;
    for (const [path, value] of scalarsOf(select(xcom.value), '')) {
      columns.add(`${place}${path}`);
      cells.set(`${place}${path}`, value);
    }
  }
  const names = [...columns].slice(0, MAX_COLUMNS);
  return { pivot, columns: shorten(names), leftOut: columns.size - names.length, rows: [...rows].map(([label, cells]) => ({ label, cells: names.map((name) => cells.get(name) ?? null) })) };
}

function scalarsOf(value: unknown, path: string): [string, Scalar][] {
  if (value === undefined) return [];
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [[path, value]];
  if (typeof value === 'bigint') return [[path, String(value)]];
  if (Array.isArray(value)) return value.slice(0, MAX_COLUMNS + 1).flatMap((item, index) => scalarsOf(item, pathTo(path, index)));
  if (typeof value === 'object') return Object.entries(value).slice(0, MAX_COLUMNS + 1).flatMap(([key, part]) => scalarsOf(part, pathTo(path, key)));
  return [];
}

/** Without the beginning and the end that all columns share, at dots. */
function shorten(names: readonly string[]): readonly string[] {
  if (names.length < 2) return names;
  const parts = names.map((name) => name.split('.'));
  const shortest = Math.min(...parts.map((one) => one.length)) - 1;
  let head = 0;
  while (head < shortest && parts.every((one) => one[head] === parts[0]?.[head])) head += 1;
  return parts.map((one) => one.slice(head).join('.'));
}

const HEIGHT = 12;

/** A column of numbers as a plot of characters: its range on the left, one column per row of the table. Null when there are fewer than two numbers. */
export function renderPlot(trajectory: Trajectory, column: number, width: number): string | null {
  const points = trajectory.rows.map((row) => row.cells[column]);
  const numbers = points.filter((value) => typeof value === 'number');
  if (numbers.length < 2) return null;
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const labels = [high, (high + low) / 2, low].map((value) => String(Number(value.toPrecision(5))));
  const margin = Math.max(...labels.map((label) => label.length));
  const across = Math.max(2, Math.min(width - margin - 3, Math.max(points.length, 2) * 4));
  const grid = Array.from({ length: HEIGHT }, () => Array.from({ length: across }, () => ' '));
  const step = points.length < 2 ? 0 : (across - 1) / (points.length - 1);
  points.forEach((value, index) => {
    if (typeof value !== 'number') return;
    const row = high === low ? Math.floor(HEIGHT / 2) : Math.round(((high - value) / (high - low)) * (HEIGHT - 1));
    (grid[row] ?? [])[Math.round(index * step)] = '●';
  });
  const left = (row: number): string => (row === 0 ? labels[0] : row === HEIGHT - 1 ? labels[2] : row === Math.floor(HEIGHT / 2) ? labels[1] : '') ?? '';
  const lines = grid.map((cells, row) => `${left(row).padStart(margin)} ┤${cells.join('').trimEnd()}`);
  return `${trajectory.columns[column] ?? ''}\n${lines.join('\n')}\n${' '.repeat(margin)} └${'─'.repeat(across)}\n`;
}
