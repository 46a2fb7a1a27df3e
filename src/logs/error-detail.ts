// A Python traceback as the structured error of Airflow's logs.
import type { ReportedError } from '#contract/attempt.ts';

/** One exception of a chain, as Airflow's UI reads it. */
export interface ErrorDetail {
  readonly exc_type: string;
  readonly exc_value: string;
  readonly exc_notes: readonly string[];
  readonly syntax_error: null;
  readonly is_cause: boolean;
  readonly is_group: false;
  readonly exceptions: readonly [];
  readonly frames: readonly { readonly filename: string; readonly lineno: number; readonly name: string }[];
}

/** Python prints the first exception of a chain first; between two of them stands how they belong together. */
const BETWEEN = /\n\n(The above exception was the direct cause of the following exception|During handling of the above exception, another exception occurred):\n\n/;
const FRAME = /^ {2}File "(.+?)", line (\d+)(?:, in (.+))?$/gm;
/** What an exception says stands behind its last frame, and is not indented. */
const SAID = /^([\w.]+)(?:: ([\s\S]*))?$/;

/** The last exception first, then what it came from. An error without a traceback is one exception without frames. */
export function errorDetailOf({ type, message, traceback }: ReportedError): ErrorDetail[] {
  if (traceback === undefined || !traceback.includes('Traceback (most recent call last)')) return [detailOf({ type, message }, [], { isCause: false })];
  const parts = traceback.split(BETWEEN);
  const details: ErrorDetail[] = [];
  for (let at = parts.length - 1; at >= 0; at -= 2) {
    const text = parts[at] ?? '';
    const isLast = at === parts.length - 1;
    const isCause = !isLast && (parts[at + 1] ?? '').startsWith('The above');
    details.push(detailOf(isLast ? { type, message } : saidBy(text), [...text.matchAll(FRAME)], { isCause }));
  }
  return details;
}

function detailOf({ type, message }: Pick<ReportedError, 'type' | 'message'>, frames: readonly RegExpMatchArray[], { isCause }: { readonly isCause: boolean }): ErrorDetail {
  return {
    exc_type: type, exc_value: message, exc_notes: [], syntax_error: null, is_cause: isCause, is_group: false, exceptions: [],
    frames: frames.map(([, filename = '', lineno = '0', name = '<module>']) => ({ filename, lineno: Number(lineno), name })),
  };
}

function saidBy(text: string): Pick<ReportedError, 'type' | 'message'> {
  const lines = text.trimEnd().split('\n');
  const frame = lines.findLastIndex((line) => line.startsWith('  File "'));
  const said = lines.findIndex((line, at) => at > frame && /^\S/.test(line));
  const match = said < 0 ? null : SAID.exec(lines.slice(said).join('\n'));
  return { type: match?.[1] ?? 'Exception', message: match?.[2] ?? '' };
}
