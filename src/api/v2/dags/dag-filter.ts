// The filters of the lists of DAGs: their query parameters, and what the store makes of them.
import { Type as T } from '@sinclair/typebox';
import { DagRunState } from '#contract/airflow/dag.ts';
import { many, optional, timeRange, words } from '#contract/airflow/fields.ts';
import type { DagFilter } from '#store/dags.ts';
import { readRunStates, timeBounds } from '../../read-query.ts';

/** Parameters that listing and patching DAGs share. */
export const SELECTING = {
  tags: many(T.String()), tags_match_mode: optional(words(['any', 'all'])), owners: many(T.String()), dag_id_pattern: optional(T.String()),
  exclude_stale: T.Boolean({ default: true }), paused: optional(T.Boolean()),
} as const;

/** Parameters of the list alone. */
export const LISTING = {
  dag_display_name_pattern: optional(T.String()), has_import_errors: optional(T.Boolean()), last_dag_run_state: optional(DagRunState), bundle_name: optional(T.String()),
  bundle_version: optional(T.String()), has_asset_schedule: optional(T.Boolean()), asset_dependency: optional(T.String()), ...timeRange('dag_run_start_date'),
  ...timeRange('dag_run_end_date'), dag_run_state: many(T.String()), is_favorite: optional(T.Boolean()), timetable_type: many(T.String()),
} as const;

/** What DAGs are selected when nothing is asked for. */
const NO_RANGE = { gte: null, gt: null, lte: null, lt: null } as const;

interface Selecting {
  readonly tags: readonly string[];
  readonly tags_match_mode: 'any' | 'all' | null;
  readonly owners: readonly string[];
  readonly dag_id_pattern: string | null;
  readonly exclude_stale: boolean;
  readonly paused: boolean | null;
}

/** The shared part of the filter. */
export function selectingFilter(query: Selecting): DagFilter {
  return {
    tags: query.tags, tagsMode: query.tags_match_mode ?? 'any', owners: query.owners, dagIdPattern: query.dag_id_pattern, displayNamePattern: null, excludeStale: query.exclude_stale,
    paused: query.paused, hasImportErrors: null, lastRunState: null, runStates: [], runStart: NO_RANGE, runEnd: NO_RANGE, bundle: null, hasAssetSchedule: null, timetableKinds: [], nothing: false,
  };
}

/** Airflow's timetable classes by the kind of ours. */
const TIMETABLE_CLASSES: Readonly<Record<string, string>> = {
  NullTimetable: 'none', OnceTimetable: 'once', ContinuousTimetable: 'continuous', CronTriggerTimetable: 'cron', MultipleCronTriggerTimetable: 'cron',
  DeltaTriggerTimetable: 'delta', CronDataIntervalTimetable: 'cron_interval', DeltaDataIntervalTimetable: 'delta_interval', EventsTimetable: 'events',
  AssetTriggeredTimetable: 'assets', AssetOrTimeSchedule: 'asset_or_time',
};

interface Listing extends Selecting {
  readonly dag_display_name_pattern: string | null;
  readonly has_import_errors: boolean | null;
  readonly last_dag_run_state: DagFilter['lastRunState'];
  readonly bundle_name: string | null;
  readonly bundle_version: string | null;
  readonly has_asset_schedule: boolean | null;
  readonly asset_dependency: string | null;
  readonly dag_run_state: readonly string[];
  readonly is_favorite: boolean | null;
  readonly timetable_type: readonly string[];
}

type RunDates = { readonly [K in `dag_run_${'start' | 'end'}_date_${'gte' | 'gt' | 'lte' | 'lt'}`]: string | null };

/** The list's whole filter. */
export function listingFilter(query: Listing & RunDates): DagFilter {
  return {
    ...selectingFilter(query),
    displayNamePattern: query.dag_display_name_pattern, hasImportErrors: query.has_import_errors, lastRunState: query.last_dag_run_state,
    runStates: readRunStates(query.dag_run_state) ?? [], runStart: timeBounds(query, 'dag_run_start_date'), runEnd: timeBounds(query, 'dag_run_end_date'), bundle: query.bundle_name,
    hasAssetSchedule: query.has_asset_schedule, timetableKinds: query.timetable_type.map((name) => TIMETABLE_CLASSES[name.split('.').at(-1) ?? ''] ?? name),
    nothing: query.bundle_version !== null || query.asset_dependency !== null || query.is_favorite === true,
  };
}
