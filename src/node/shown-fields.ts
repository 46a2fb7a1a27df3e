// The arguments of a task as people are shown them: no secrets, cut to a length. The same rules as python/leoflow/run/rendered.py.
import { hideAll, isSensitive } from '#core/sensitive.ts';
import type { Masking } from './masking.ts';

/** Airflow's max_templated_field_length. */
const MAX_FIELD_CHARS = 4_096;
const MAX_DEPTH = 8;

/** What the report shows of them. Secrets are hidden before anything is cut. */
export function shownFields(given: Readonly<Record<string, unknown>>, masking: Masking): Record<string, unknown> {
  if (Object.keys(given).length === 0) return {};
  const shown = shownValue(given, { masking, depth: 0 });
  const text = JSON.stringify(shown);
  return { op_kwargs: text.length <= MAX_FIELD_CHARS ? shown : `Truncated. ${text.slice(0, MAX_FIELD_CHARS - 20)}...` };
}

interface Shown { readonly masking: Masking; readonly depth: number }

/** A value of JSON with known secrets masked, and everything hidden under a sensitive name. */
function shownValue(value: unknown, { masking, depth }: Shown): unknown {
  if (typeof value === 'string') return masking.mask(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  const below = { masking, depth: depth + 1 };
  if (Array.isArray(value)) return value.map((item) => shownValue(item, below));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [masking.mask(key), isSensitive(key) ? hideAll(item, 0) : shownValue(item, below)]));
}
