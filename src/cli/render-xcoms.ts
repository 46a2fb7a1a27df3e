// XComs on a terminal and in files: a table for people, JSON, JSON lines and CSV for programs.
import type { ProbeRun, PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import { renderExactJson } from '#devloop/xcom-reader/python-json.ts';
import { printable, renderTable } from './output.ts';

/** How a pull is printed. */
export type XComFormat = 'table' | 'json' | 'jsonl' | 'csv';

const LONGEST_CELL = 100;

/** What to do when an answer had no room for all. */
export const TRUNCATED = 'there are more: raise --limit; or, since an answer holds 16 MB, narrow --task-id, --map-index or --key';

/** A value in one line, cut for a terminal. */
export function renderCell(xcom: PulledXCom, width = LONGEST_CELL): string {
  if (xcom.encoding === 'absent') return xcom.bytes === null ? '' : `${xcom.bytes} bytes`;
  const text = printable(renderExactJson(xcom.value));
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** The task and, when it is mapped, its index. */
export function renderPlace(xcom: Pick<PulledXCom, 'task_id' | 'map_index'>): string {
  return `${printable(xcom.task_id)}${xcom.map_index < 0 ? '' : `[${xcom.map_index}]`}`;
}

/** Rows as CSV by RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe. */
export function renderCsv(rows: readonly (readonly (string | number | boolean | null)[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** Scalars as they are, everything else as JSON. */
function csvValue(value: unknown): string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : renderExactJson(value);
}

function csvCell(cell: string | number | boolean | null): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Runs for people. */
export function renderRuns(runs: readonly ProbeRun[]): string {
  return renderTable(['RUN', 'STATE', 'TYPE', 'STARTED', 'SECONDS'], runs.map((run) => [printable(run.run_id), printable(run.state ?? ''), printable(run.run_type ?? ''), run.start_date, secondsOf(run)]));
}

/** Runs for a spreadsheet. */
export function renderRunsCsv(runs: readonly ProbeRun[]): string {
  return renderCsv([['run_id', 'state', 'run_type', 'logical_date', 'run_after', 'start_date', 'end_date'], ...runs.map((run) => [run.run_id, run.state, run.run_type, run.logical_date, run.run_after, run.start_date, run.end_date])]);
}

function secondsOf(run: ProbeRun): string | null {
  if (run.start_date === null || run.end_date === null) return null;
  return ((Date.parse(run.end_date) - Date.parse(run.start_date)) / 1000).toFixed(1);
}

const CSV_HEAD = ['dag_id', 'run_id', 'task_id', 'map_index', 'key', 'timestamp', 'storage', 'encoding', 'bytes', 'value'] as const;

/** A pull in a format. Texts of a CSV are JSON only where they are no text already. */
export function renderPull(pull: XComPull, format: XComFormat): string {
  switch (format) {
    case 'json': return `${renderExactJson(pull, 2)}\n`;
    case 'jsonl': return pull.xcoms.map((xcom) => `${renderExactJson(xcom)}\n`).join('');
    case 'csv': return renderCsv([CSV_HEAD, ...pull.xcoms.map((xcom) => [xcom.dag_id, xcom.run_id, xcom.task_id, xcom.map_index, xcom.key, xcom.timestamp, xcom.storage, xcom.encoding, xcom.bytes, csvValue(xcom.value)])]);
    case 'table': return renderForPeople(pull);
  }
}

function renderForPeople(pull: XComPull): string {
  if (pull.xcoms.length === 0) return '';
  const isManyRuns = new Set(pull.xcoms.map((xcom) => xcom.run_id)).size > 1;
  const rows = pull.xcoms.map((xcom) => [...(isManyRuns ? [printable(xcom.run_id)] : []), renderPlace(xcom), printable(xcom.key), xcom.encoding, renderCell(xcom)]);
  return renderTable([...(isManyRuns ? ['RUN'] : []), 'TASK', 'KEY', 'KIND', 'VALUE'], rows);
}

/** What a person should know beside the table: where it came from, what was left out, what was not sure. */
export function renderRemarks(pull: XComPull): string {
  const [run] = pull.runs;
  const lines = [`${pull.dag_id}${run === undefined ? '' : ` · ${run.run_id} (${run.state ?? 'no state'})`} · ${pull.source.target} · schema ${pull.schema}`];
  const noted = pull.xcoms.flatMap((xcom) => xcom.decodeNotes.filter((note) => /ambiguous|damaged|neither|not fetched|cut|has no|\(not loaded\)/.test(note)).map((note) => `${xcom.task_id}.${xcom.key} ${note}${note === '$: cut' ? ': raise --max-bytes' : ''}`));
  lines.push(...noted.slice(0, 10));
  if (pull.truncated) lines.push(TRUNCATED);
  return lines.map((line) => `${printable(line)}\n`).join('');
}
