// How commands print: tables for people, JSON for programs, colours only on a terminal.
import type { CliContext } from './context.ts';

/** A cell: text, or nothing. */
export type Cell = string | number | boolean | null | undefined;

const COLOURS: Readonly<Record<string, number>> = {
  success: 32, failed: 31, upstream_failed: 33, skipped: 35, running: 36, queued: 34, scheduled: 34, up_for_retry: 33, up_for_reschedule: 33, removed: 90, paused: 90, active: 32,
  error: 31, critical: 31, warning: 33, warn: 33,
};

/** A state or level in its colour, when colours are wanted. */
export function paintState(context: Pick<CliContext, 'coloured'>, state: string): string {
  const colour = COLOURS[state];
  return context.coloured && colour !== undefined ? `\u001b[${colour}m${state}\u001b[0m` : state;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const ESCAPE = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

/** Rows under a head, columns as wide as their widest cell. The last column is not padded. */
export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(textOf))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))));
  return cells.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))).join('  ').trimEnd()}\n`).join('');
}

/** Names and values, one per line. */
export function renderFields(fields: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${textOf(value)}\n`).join('');
}

/** Text from elsewhere for a terminal: control characters and marks that turn the direction of writing are shown as escapes, so that no value moves the cursor or hides what stands beside it. */
export function printable(text: string): string {
  return text.replace(CONTROL, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** JSON for programs. */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function textOf(cell: Cell): string {
  return cell === null || cell === undefined || cell === '' ? '–' : String(cell);
}

function widthOf(cell: string): number {
  return cell.replace(ESCAPE, '').length;
}

/** Seconds for people: `1.5 s`, `2 min 5 s`, `3 h 20 min`. */
export function renderSeconds(seconds: number | null | undefined): string | null {
  if (seconds === null || seconds === undefined) return null;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
