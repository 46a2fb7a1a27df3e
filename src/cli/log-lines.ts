// Lines of a task's log as a terminal shows them, with the traceback of what failed.
import type { CliContext } from './context.ts';
import { paintState } from './output.ts';

/** A message of a log as far as it is shown. `error_detail` is a list of exceptions, the outermost first. */
export interface ShownMessage {
  readonly event: string;
  readonly timestamp?: string | null;
  readonly level?: string;
  readonly error_detail?: unknown;
}

/** `12:00:01 info hello` and the traceback below it; raw output as it is; the marks of the log's own frame not at all. */
export function renderLogLine(context: Pick<CliContext, 'coloured'>, message: ShownMessage): string {
  if (isFrameMark(message)) return '';
  const time = /T(\d{2}:\d{2}:\d{2})/.exec(message.timestamp ?? '')?.[1];
  const level = message.level === undefined ? '' : `${paintState(context, message.level)} `;
  return [`${time === undefined ? '' : `${time} `}${level}${message.event}`, ...renderTraceback(message.error_detail)].map((line) => `${line}\n`).join('');
}

/** A mark of the log's own frame, which no task wrote. */
export function isFrameMark({ event }: ShownMessage): boolean {
  return event.startsWith('::group::') || event === '::endgroup::';
}

const MAX_FRAMES = 10;
const MAX_DEPTH = 3;

/** `KeyError: 'missing key'`, its last ten frames as `  file:line in name`, then its causes. Nothing for what is no error detail. */
export function renderTraceback(detail: unknown, depth = 0): string[] {
  if (!Array.isArray(detail) || depth > MAX_DEPTH) return [];
  return detail.filter(isRecord).flatMap((error, at) => {
    const link = at === 0 ? '' : error['is_cause'] === true ? 'caused by ' : 'while handling ';
    const value = textOf(error['exc_value']);
    return [
      ...`${link}${textOf(error['exc_type'])}${value === '' ? '' : `: ${value}`}`.split('\n'),
      ...listOf(error['exc_notes']).map((note) => `  ${textOf(note)}`),
      ...listOf(error['frames']).filter(isRecord).slice(-MAX_FRAMES).map((frame) => `  ${textOf(frame['filename'])}:${textOf(frame['lineno'])} in ${textOf(frame['name'])}`),
      ...listOf(error['exceptions']).flatMap((member) => renderTraceback(member, depth + 1).map((line) => `  ${line}`)),
    ];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
