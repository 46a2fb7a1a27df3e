// Assets and their events, as tasks ask for them.
import { Type as T } from '@sinclair/typebox';
import { AwareInstant, optional } from '#contract/airflow/fields.ts';
import { type AssetEventRow, type AssetNames, type AssetRow, type CreatedRun, type EventQuery, findAsset, listAssetEvents } from '#store/asset-reads.ts';
import { renderInstant, renderInstantText } from '../instants.ts';
import { type ExecutionServices, executionOperation, type Outcome, value } from './execution-call.ts';
import { missing, refusal } from './refusals.ts';
import { objectOf } from './render-run.ts';
import { AssetEventsResponse, AssetResponse } from './response-models.ts';

function renderAsset({ name, uri, group, extra }: AssetRow): object {
  return { name, uri, group, extra: objectOf(extra) };
}

async function answerAsset({ database }: ExecutionServices, names: AssetNames, message: string): Promise<Outcome> {
  const asset = await findAsset(database, names);
  if (asset === null) throw missing(message);
  return value(renderAsset(asset));
}

/** Airflow's `get_asset_by_name`. */
export const getAssetByName = executionOperation({
  query: T.Object({ name: T.String() }), response: AssetResponse,
  run: ({ query, services }) => answerAsset(services, { name: query.name }, `Asset with name ${query.name} not found`),
});

/** Airflow's `get_asset_by_uri`. */
export const getAssetByUri = executionOperation({
  query: T.Object({ uri: T.String() }), response: AssetResponse,
  run: ({ query, services }) => answerAsset(services, { uri: query.uri }, `Asset with URI ${query.uri} not found`),
});

const RANGE = { after: optional(AwareInstant), before: optional(AwareInstant), ascending: T.Boolean({ default: true }), limit: optional(T.Integer()) } as const;
interface RangeQuery { readonly after: string | null; readonly before: string | null; readonly ascending: boolean; readonly limit: number | null }

/** Airflow's `get_asset_event_by_asset_name_uri`. The Task SDK sends an empty text for the name or URI that it does not mean. */
export const getAssetEventByAssetNameUri = executionOperation({
  query: T.Object({ name: T.Union([T.String(), T.Null()]), uri: T.Union([T.String(), T.Null()]), ...RANGE }), response: AssetEventsResponse, downgrade,
  async run({ query, services }) {
    const { name, uri } = { name: query.name ?? '', uri: query.uri ?? '' };
    if (name === '' && uri === '') throw refusal(400, { reason: 'Missing parameter', message: 'name and uri cannot both be None' });
    return answerEvents(services, { asset: { ...(name === '' ? {} : { name }), ...(uri === '' ? {} : { uri }) } as AssetNames }, query);
  },
});

/** Airflow's `get_asset_event_by_asset_alias`. */
export const getAssetEventByAssetAlias = executionOperation({
  query: T.Object({ name: T.String(), ...RANGE }), response: AssetEventsResponse, downgrade,
  run: ({ query, services }) => answerEvents(services, { alias: query.name }, query),
});

async function answerEvents({ database }: ExecutionServices, of: EventQuery['of'], range: RangeQuery): Promise<Outcome> {
  const events = await listAssetEvents(database, { of, after: range.after, before: range.before, isAscending: range.ascending, limit: range.limit === 0 ? null : range.limit });
  return value({ asset_events: events.map(renderEvent) });
}

function renderEvent(event: AssetEventRow): object {
  const { source } = event;
  return {
    id: event.id, timestamp: renderInstant(event.at), extra: objectOf(event.extra), asset: renderAsset(event.asset), created_dagruns: event.createdRuns.map(renderCreated),
    source_task_id: source.taskId, source_dag_id: source.dagId, source_run_id: source.runId, source_map_index: source.mapIndex, partition_key: event.partitionKey,
  };
}

/** The Task SDK wants a start of every run: one that waits has the time from which on it may begin. */
function renderCreated({ run_after: runAfter, ...run }: CreatedRun): object {
  return {
    ...run, logical_date: renderInstantText(run.logical_date), start_date: renderInstantText(run.start_date ?? runAfter), end_date: renderInstantText(run.end_date),
    data_interval_start: renderInstantText(run.data_interval_start), data_interval_end: renderInstantText(run.data_interval_end),
  };
}

function downgrade(given: unknown): unknown {
  const { asset_events: events } = given as AssetEventsResponse;
  return { asset_events: events.map(({ partition_key: _key, ...event }) => ({ ...event, created_dagruns: event.created_dagruns.map(({ partition_key: _of, ...run }) => run) })) };
}
