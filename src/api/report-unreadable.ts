// Says in the server's log which secrets a list shows as `***` because they cannot be decrypted, and which key they would take.
import type { AppError } from '#contract/errors.ts';
import type { Reporter } from '#platform/report.ts';

const MAX_TOLD = 3;

/** One event for a list, however many of its rows are unreadable. */
export function reportUnreadable(reporter: Reporter, errors: readonly AppError[]): void {
  if (errors.length === 0) return;
  const more = errors.length > MAX_TOLD ? ` and ${errors.length - MAX_TOLD} more` : '';
  reporter.report({ event: 'secrets.key_missing', message: `a list shows *** for what cannot be decrypted: ${errors.slice(0, MAX_TOLD).map((error) => error.message).join('; ')}${more}` });
}
