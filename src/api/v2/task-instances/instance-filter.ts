// The filters of the lists of task instances: their query parameters, and what the store makes of them.
import { Type as T } from '@sinclair/typebox';
import { many, numberRange, optional, timeRange } from '#contract/airflow/fields.ts';
import { ANY_INSTANCE, type InstanceFilter } from '#store/task-instances.ts';
import { numberBounds, readTaskStates, timeBounds } from '../../read-query.ts';

/** Parameters that all lists of instances share. */
export const INSTANCE_FILTERS = {
  ...timeRange('run_after'), ...timeRange('logical_date'), ...timeRange('start_date'), ...timeRange('end_date'), ...timeRange('updated_at'), ...numberRange('duration'),
  state: many(T.String()), pool: many(T.String()), pool_name_pattern: optional(T.String()), queue: many(T.String()), queue_name_pattern: optional(T.String()),
  executor: many(T.String()), version_number: many(T.Integer()), try_number: many(T.Integer()), operator: many(T.String()), operator_name_pattern: optional(T.String()),
  map_index: many(T.Integer()),
} as const;

type Bounds<N extends string, V> = { readonly [K in `${N}_${'gte' | 'gt' | 'lte' | 'lt'}`]: V | null };

type InstanceQuery = Bounds<'run_after' | 'logical_date' | 'start_date' | 'end_date' | 'updated_at', string> & Bounds<'duration', number> & {
  readonly state: readonly string[]; readonly pool: readonly string[]; readonly pool_name_pattern: string | null; readonly queue: readonly string[];
  readonly queue_name_pattern: string | null; readonly executor: readonly string[]; readonly version_number: readonly number[]; readonly try_number: readonly number[];
  readonly operator: readonly string[]; readonly operator_name_pattern: string | null; readonly map_index: readonly number[];
};

/** The shared part of the filter. */
export function instanceFilter(query: InstanceQuery): InstanceFilter {
  return {
    ...ANY_INSTANCE,
    runAfter: timeBounds(query, 'run_after'), logicalDate: timeBounds(query, 'logical_date'), startDate: timeBounds(query, 'start_date'), endDate: timeBounds(query, 'end_date'),
    updatedAt: timeBounds(query, 'updated_at'), duration: numberBounds(query, 'duration'), states: readTaskStates(query.state), pools: query.pool, poolPattern: query.pool_name_pattern,
    queues: query.queue, queuePattern: query.queue_name_pattern, versionNumbers: query.version_number, tryNumbers: query.try_number, operators: query.operator,
    operatorPattern: query.operator_name_pattern, mapIndexes: query.map_index, nothing: query.executor.length > 0,
  };
}
