// The Task SDK's state payloads as the one report that ends an execution.
import type { ExecutionReport, ReportedAssetEvent } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { parseExact } from '#core/exact-json.ts';
import { parseDuration } from '../instants.ts';
import { fromOldKwargs } from './old-kwargs.ts';
import type { TIStateUpdate } from './request-models.ts';

/** What a payload does not say itself. Times are ISO texts; `bodyText` is the payload as it came. */
export interface ReportFrame {
  readonly executionId: ExecutionId;
  readonly startedAt: string;
  /** When the report arrived, epoch milliseconds. */
  readonly nowMs: number;
  readonly bodyText: string;
  /** The asset that an outlet means which is a reference by name or URI; null when there is none. */
  readonly assetOf: (reference: { readonly name: string | null; readonly uri: string | null }) => AssetKey | null;
}

/** What makes an asset this one. */
export interface AssetKey { readonly name: string; readonly uri: string }

/**
 * The report that says the same (reference §3.6). Pure.
 * `up_for_retry` is a failure after which the engine decides by its own count of tries, `failed` one that is not tried again: the Task SDK has
 * decided between them by `should_retry` of the run context, which is the engine's own word.
 */
export function reportOfState(payload: TIStateUpdate, frame: ReportFrame): ExecutionReport {
  const base = {
    execution_id: frame.executionId, started_at: frame.startedAt, ended_at: 'end_date' in payload ? payload.end_date : new Date(frame.nowMs).toISOString(),
    ...('rendered_map_index' in payload && payload.rendered_map_index !== null ? { rendered_map_index: payload.rendered_map_index } : {}),
  };
  switch (payload.state) {
    case 'success': return { ...base, outcome: 'success', ...eventsOf(payload, frame) };
    case 'failed': return { ...base, outcome: 'failed', no_retry: true };
    case 'up_for_retry': return { ...base, outcome: 'failed' };
    case 'skipped': case 'removed': case 'upstream_failed': return { ...base, outcome: payload.state };
    case 'up_for_reschedule': return { ...base, outcome: 'up_for_reschedule', reschedule_in_seconds: Math.max(0, (Date.parse(payload.reschedule_date) - frame.nowMs) / 1000) };
    case 'deferred': return { ...base, outcome: 'deferred', deferral: deferralOf(payload, frame.bodyText) };
  }
}

type Deferred = Extract<TIStateUpdate, { state: 'deferred' }>;
type Success = Extract<TIStateUpdate, { state: 'success' }>;

/** Arguments go on as they came: what is a float to Python stays one. A trigger's own are read where it runs, in whichever form they are. */
function deferralOf(payload: Deferred, bodyText: string): NonNullable<ExecutionReport['deferral']> {
  const exact = parseExact(bodyText) as { trigger_kwargs?: unknown; next_kwargs?: unknown };
  return {
    classpath: payload.classpath, kwargs: JSON.stringify(exact.trigger_kwargs ?? {}), timeout_seconds: payload.trigger_timeout === null ? null : parseDuration(payload.trigger_timeout),
    next_method: payload.next_method, next_kwargs: JSON.stringify(fromOldKwargs(exact.next_kwargs ?? {})), queue: payload.queue,
  };
}

interface OutletEvent { readonly dest_asset_key: AssetKey; readonly extra?: unknown; readonly source_alias_name?: string | null; readonly dest_asset_extra?: unknown }

/** One event per outlet that is an asset, with the extra that the task gave it last; then those for assets that it updated through an alias. */
function eventsOf(payload: Success, frame: ReportFrame): { asset_events?: readonly ReportedAssetEvent[] } {
  const given = ((parseExact(frame.bodyText) as { outlet_events?: Partial<OutletEvent>[] }).outlet_events ?? []).filter(isWhole);
  const extras = new Map(given.filter((event) => aliasOf(event) === null).map((event) => [nameOf(event.dest_asset_key), event.extra ?? {}]));
  const outlets = new Map(payload.task_outlets.flatMap((outlet) => {
    const key = outlet.type === 'AssetAlias' ? null : keyOf(outlet, frame);
    return key === null ? [] : [[nameOf(key), key] as const];
  }));
  const aliases = new Set(payload.task_outlets.flatMap((outlet) => (outlet.type === 'AssetAlias' ? [outlet.name] : [])));
  const events: ReportedAssetEvent[] = [...outlets].map(([id, key]) => ({ ...key, extra: extras.get(id) ?? {} }));
  for (const event of given) {
    const alias = aliasOf(event);
    if (alias !== null && aliases.has(alias)) events.push({ ...namesOf(event.dest_asset_key), extra: event.extra ?? {}, alias, asset_extra: event.dest_asset_extra ?? {} });
  }
  return events.length === 0 ? {} : { asset_events: events };
}

function isWhole(event: Partial<OutletEvent>): event is OutletEvent {
  const key = event.dest_asset_key as { name?: unknown; uri?: unknown } | undefined;
  return typeof key?.name === 'string' && typeof key.uri === 'string';
}

const aliasOf = (event: OutletEvent): string | null => event.source_alias_name ?? null;
const nameOf = (key: AssetKey): string => JSON.stringify([key.name, key.uri]);
const namesOf = ({ name, uri }: AssetKey): AssetKey => ({ name, uri });

function keyOf(outlet: Success['task_outlets'][number], frame: ReportFrame): AssetKey | null {
  if (outlet.name !== null && outlet.uri !== null) return { name: outlet.name, uri: outlet.uri };
  return frame.assetOf(outlet);
}
