// Where in the author's file a call stands, read from the stack.
import { fileURLToPath } from 'node:url';

/** Line and column from 1; `file` is absolute. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const OURS = import.meta.dirname;
const FRAME = /(?:\(|at (?:async )?)((?:file:\/\/)?\/[^()]*?):(\d+):(\d+)\)?$/;

/** The place of one line of a stack; null when it names no file. */
export function placeOfFrame(frame: string): Place | null {
  const [, path, line, column] = FRAME.exec(frame.trim()) ?? [];
  if (path === undefined) return null;
  return { file: path.startsWith('file://') ? fileURLToPath(path.replace(/\?.*$/, '')) : path, line: Number(line), column: Number(column) };
}

/** The innermost caller outside this folder; null when there is none. */
export function callPlace(): Place | null {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const stack = new Error('place').stack ?? '';
  Error.stackTraceLimit = limit;
  for (const line of stack.split('\n').slice(1)) {
    const place = placeOfFrame(line);
    if (place !== null && !place.file.startsWith(`${OURS}/`)) return place;
  }
  return null;
}
