// One part of a value, by a path as jq writes it: `.metrics.auc`, `.rows[0]`, `.["a name"]`.
import { AppError } from '#contract/errors.ts';

const PART = /\.([A-Za-z_$][\w$-]*)|\.?\["((?:[^"\\]|\\.)*)"\]|\.?\[(-?\d+)\]/y;

/** Parses a path; `.` is the whole value. Throws `reader_usage`. */
export function parseValuePath(path: string): readonly (string | number)[] {
  if (path === '.') return [];
  const parts: (string | number)[] = [];
  PART.lastIndex = 0;
  while (PART.lastIndex < path.length) {
    const at = PART.lastIndex;
    const found = PART.exec(path);
    if (found === null) throw new AppError('reader_usage', `--path ${path}: not understood at character ${at + 1}`, { hint: 'It reads .name, ["any name"] or [0], one after the other.' });
    const [, name, quoted, index] = found;
    parts.push(name ?? (quoted === undefined ? Number(index) : parseName(quoted, path)));
  }
  return parts;
}

function parseName(quoted: string, path: string): string {
  try {
    return JSON.parse(`"${quoted}"`) as string;
  } catch (cause) {
    throw new AppError('reader_usage', `--path ${path}: a name in quotes is written as in JSON`, { cause });
  }
}

/** The part of a value; undefined when there is none. Negative indexes count from the end. */
export function partOf(value: unknown, path: readonly (string | number)[]): unknown {
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (typeof part === 'number') at = Array.isArray(at) ? at.at(part) : undefined;
    else at = Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined;
  }
  return at;
}
