// A connection from the text that a backend or the environment holds.
import type { ConnectionValue } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { parseConnection } from '#core/connection-text.ts';

/** Throws `secret_unreadable`, which says what is wrong and shows nothing of the text. */
export function readConnection(connId: string, text: string, where: string): ConnectionValue {
  const read = parseConnection(connId, text);
  if (read.kind === 'connection') return read.connection;
  throw new AppError('secret_unreadable', `the connection ${connId} of ${where} cannot be read: ${read.reason}`);
}
