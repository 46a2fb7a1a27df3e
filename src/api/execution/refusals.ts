// Refusals of /execution in Airflow's shapes, and every other failure as an answer that the Task SDK understands.
import { AppError, type ErrorCode, ERRORS } from '#contract/errors.ts';
import { isPassing, isRefusal } from '#store/database.ts';
import { HttpProblem } from '../problems.ts';

/** A refusal with a reason that programs read and a message for people. */
export function refusal(status: number, detail: { readonly reason: string; readonly message: string } & Readonly<Record<string, unknown>>): HttpProblem {
  return new HttpProblem(status, detail);
}

/** 404 with Airflow's body. */
export const missing = (message: string): HttpProblem => refusal(404, { reason: 'not_found', message });

/** The Task SDK tries again on 5xx, and on nothing else: what does not pass by itself is a 4xx. */
const STATUSES: Partial<Record<ErrorCode, number>> = { unauthenticated: 403, xcom_lost: 410, secret_unreadable: 422 };
const REASONS: Partial<Record<ErrorCode, string>> = { forbidden: 'access_denied', stale: 'invalid_state' };

/** A failure as an answer: its status and body. `isBug`: nobody foresaw it. */
export function failureOf(error: unknown): { readonly status: number; readonly body: unknown; readonly isBug: boolean } {
  if (error instanceof HttpProblem) return { status: error.status, body: { detail: error.detail }, isBug: false };
  if (error instanceof AppError && error.code !== 'bug') return { status: STATUSES[error.code] ?? ERRORS[error.code].status, body: { detail: detailOf(error) }, isBug: false };
  if (isPassing(error)) return { status: 503, body: { detail: { reason: 'database_unavailable', message: 'The database does not answer; ask again' } }, isBug: false };
  if (isRefusal(error)) return { status: 422, body: { detail: 'A text or a number in the request cannot be stored' }, isBug: false };
  return { status: 500, body: { message: 'Internal server error' }, isBug: true };
}

function detailOf(error: AppError): unknown {
  if (error.code === 'unauthenticated') return `Invalid auth token: ${error.message}`;
  return { reason: REASONS[error.code] ?? error.code, message: error.hint === '' ? error.message : `${error.message}. ${error.hint}` };
}
