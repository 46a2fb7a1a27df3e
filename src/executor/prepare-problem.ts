// What it means that a version could not be prepared.
import { AppError, type ErrorCode } from '#contract/errors.ts';

const FINAL: readonly ErrorCode[] = ['invalid_dag', 'not_found', 'dependencies_failed', 'forbidden'];

/** The version itself is at fault: nothing helps but another one. All else (the database, the disk) passes. */
export function isFinal(error: unknown): boolean {
  return error instanceof AppError && FINAL.includes(error.code);
}
