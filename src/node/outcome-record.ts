// The record by which a leader learns the outcome when the report never arrives.
import { closeSync, openSync, writeSync } from 'node:fs';

/** Appends it in one write, so that records of several executions never mix. Tells `note` when it could not. */
export function leaveOutcome(path: string | undefined, executionId: string, how: { readonly payload: Buffer; readonly note: (event: string) => void }): void {
  if (path === undefined) return;
  try {
    // Opened for this record only: the leader renames the file when it is large.
    const file = openSync(path, 'a', 0o600);
    try {
      // One that a full disk cut short ends where the next begins.
      const record = Buffer.concat([Buffer.from(`\n${executionId} `, 'ascii'), how.payload, Buffer.from('\n')]);
      if (writeSync(file, record) < record.length) how.note('the outcome could not be written whole');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    how.note(`the outcome could not be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
