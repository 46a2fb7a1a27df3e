// Retries: whether a failed try gets another, and how long that one waits.
import { createHash } from 'node:crypto';

/** No backoff waits longer, whatever its multiplier. Airflow's MAX_RETRY_DELAY: one day. */
const MAX_BACKOFF_SECONDS = 86_400;

/** One failed try, by the words of its task. */
export interface RetryQuery {
  /** The task's `retry_delay`. */
  readonly delaySeconds: number;
  /** The task's `retry_exponential_backoff`: 0, 1 and negative numbers mean a fixed delay; Airflow's `True` is 2. */
  readonly multiplier: number;
  /** The task's `max_retry_delay`; it bounds a backoff, never a fixed delay. Null or 0: none. */
  readonly maxDelaySeconds: number | null;
  /** The number of the try that failed, from 1. */
  readonly tryNumber: number;
  readonly dagId: string;
  readonly taskId: string;
  /** The run's logical date in ISO 8601 with an offset, or null. */
  readonly logicalDate: string | null;
}

/**
 * Seconds from the end of a failed try until its retry is due. A backoff is spread over one to two times its base by a hash of the try's
 * identity, so that the same try waits equally long under Airflow. Source: Airflow 3.2.1 `TaskInstance.next_retry_datetime`.
 */
export function retryDelaySeconds(query: RetryQuery): number {
  const { delaySeconds, multiplier, tryNumber } = query;
  if (multiplier <= 0 || multiplier === 1) return delaySeconds;
  const base = Math.max(1, Math.ceil(delaySeconds * multiplier ** (tryNumber - 1)));
  const spread = base < MAX_BACKOFF_SECONDS ? Math.min(base + hashModulo(query, base), MAX_BACKOFF_SECONDS) : MAX_BACKOFF_SECONDS;
  return query.maxDelaySeconds === null || query.maxDelaySeconds === 0 ? spread : Math.min(spread, query.maxDelaySeconds);
}

/**
 * True when a failed try has another one left; both numbers come from the task instance, `retries` from the task. A try that was cleared
 * while it ran (`restarting`) has one in any case, and is not asked about here. Source: `TaskInstance.is_eligible_to_retry`.
 */
export function isRetryEligible(tryNumber: number, maxTries: number, retries: number): boolean {
  return retries > 0 && tryNumber <= maxTries;
}

function hashModulo({ dagId, taskId, logicalDate, tryNumber }: RetryQuery, modulus: number): number {
  const date = logicalDate === null ? 'None' : renderPythonDate(logicalDate);
  const digest = createHash('sha1').update(`${dagId}#${taskId}#${date}#${tryNumber}`).digest();
  let rest = 0;
  for (const byte of digest) rest = (rest * 256 + byte) % modulus;
  return rest;
}

/** A date as Python's `str` gives it in UTC: `2026-01-01 00:00:00+00:00`, with six digits of microseconds if there are any. */
function renderPythonDate(iso: string): string {
  const fraction = /\.(\d{1,6})/.exec(iso)?.[1] ?? '';
  const micros = fraction.padEnd(6, '0');
  const whole = new Date(iso).toISOString().slice(0, 19).replace('T', ' ');
  return `${whole}${Number(micros) === 0 ? '' : `.${micros}`}+00:00`;
}
