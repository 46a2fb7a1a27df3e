// What a branch remembers of its choice, read from the XCom by which Airflow's operators keep it.
import type { SkipDecision } from '#contract/attempt.ts';

/** From JSON text in the Task SDK's serialization; null when it says nothing of the kind. Source: Airflow 3.2.1 `SkipMixin`. */
export function skipDecisionOf(text: string): SkipDecision | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return null;
  const { followed, skipped } = value as { followed?: unknown; skipped?: unknown };
  const [followedIds, skippedIds] = [idsOf(followed), idsOf(skipped)];
  if (followedIds !== null) return { followed: followedIds };
  return skippedIds === null ? null : { skipped: skippedIds };
}

/** A list, or a set or tuple as the SDK writes them. */
function idsOf(value: unknown): string[] | null {
  if (Array.isArray(value)) return value.filter((id) => typeof id === 'string');
  const { __data__: data } = (value ?? {}) as { __data__?: unknown };
  return Array.isArray(data) ? idsOf(data) : null;
}
