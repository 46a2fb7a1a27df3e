// Logs as files of the home folder, one per execution: NDJSON, appended by the execution itself.
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type LogMessage, type LogPortion, type LogPosition, type LogStore, parseLogLine } from './log-store.ts';

/** The log file of an execution. Folders by the id's last two digits keep each folder small. */
export function logFile(home: string, executionId: string): string {
  return join(home, 'logs', 'executions', executionId.slice(-2), `${executionId}.ndjson`);
}

/** Files removed at once: enough to be quick, few enough to leave threads for others. */
const REMOVED_AT_ONCE = 16;

/** Removes logs without holding up the process: a part of a pruning names 20,000 of them and more. Throws the first failure when all were tried. */
export async function deleteLogs(home: string, executionIds: readonly string[]): Promise<void> {
  const failed: unknown[] = [];
  for (let at = 0; at < executionIds.length; at += REMOVED_AT_ONCE) {
    const group = executionIds.slice(at, at + REMOVED_AT_ONCE).map((id) => rm(logFile(home, id), { force: true }));
    for (const result of await Promise.allSettled(group)) if (result.status === 'rejected' && failed.length === 0) failed.push(result.reason);
  }
  if (failed.length > 0) throw failed[0];
}

/** @param home the home folder */
export function createFileLogStore(home: string): LogStore {
  return {
    readLog: (executionIds, options) => readLog(home, executionIds, options),
    describeSources: (executionIds) => executionIds.map((id) => logFile(home, id)),
    deleteLogs: (executionIds) => deleteLogs(home, executionIds),
  };
}

async function readLog(home: string, executionIds: readonly string[], options: { position: LogPosition; maxBytes: number }): Promise<LogPortion> {
  const messages: LogMessage[] = [];
  let { execution, offset } = options.position;
  let left = options.maxBytes;
  while (execution < executionIds.length && left > 0) {
    const isLast = execution === executionIds.length - 1;
    const portion = await readLines(logFile(home, executionIds[execution] ?? ''), { offset, maxBytes: left, takeRest: !isLast });
    for (const line of portion.lines) if (line !== '') messages.push(parseLogLine(line));
    left -= portion.bytes;
    offset += portion.bytes;
    if (!portion.atEnd) return { messages, position: { execution, offset }, atEnd: false };
    if (isLast) return { messages, position: { execution, offset }, atEnd: true };
    execution += 1;
    offset = 0;
  }
  return { messages, position: { execution, offset }, atEnd: execution >= executionIds.length };
}

interface Lines { readonly lines: readonly string[]; readonly bytes: number; readonly atEnd: boolean }

const NOTHING: Lines = { lines: [], bytes: 0, atEnd: true };

/** Whole lines from an offset. A last line without its newline is left for later, unless nothing will follow it or it fills the portion alone. */
async function readLines(path: string, want: { offset: number; maxBytes: number; takeRest: boolean }): Promise<Lines> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return NOTHING;
  try {
    const { size } = await file.stat();
    const length = Math.min(want.maxBytes, size - want.offset);
    if (length <= 0) return NOTHING;
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, want.offset);
    const reachesEnd = want.offset + bytesRead >= size;
    const newline = buffer.lastIndexOf(0x0a, bytesRead - 1);
    const takesAll = (reachesEnd && want.takeRest) || (newline < 0 && !reachesEnd);
    const end = takesAll ? bytesRead : newline + 1;
    const lines = buffer.toString('utf8', 0, end).split('\n');
    if (lines.at(-1) === '') lines.pop();
    return { lines, bytes: end, atEnd: reachesEnd };
  } finally {
    await file.close();
  }
}
