// Events of assets that a successful execution tells of, as they go into its commit.
import type { ExecutionReport, ReportedAssetEvent } from '#contract/attempt.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import type { AssetEventWrite } from '#store/rare-parts.ts';

/** One event per asset and extra, with all aliases that it came through. Source: Airflow 3.2.1 `TaskInstance.register_asset_changes_in_db`. */
export function assetEventsOf(report: ExecutionReport, from: { readonly run: RunSnapshot; readonly instance: Instance; readonly at: number }): AssetEventWrite[] {
  if (report.outcome !== 'success') return [];
  const { run, instance, at } = from;
  const events = report.asset_events ?? outletsOf(run, instance);
  const source = { run: run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, tryNumber: instance.tryNumber, at };
  return [...Map.groupBy(events, nameOf).values()].flatMap((same) => same.slice(0, 1).map((event) => ({
    ...source, name: event.name, uri: event.uri, group: event.group ?? 'asset', extra: jsonOf(event.extra), assetExtra: jsonOf(event.asset_extra),
    aliases: [...new Set(same.flatMap(({ alias }) => alias ?? []))],
  })));
}

/** Only the Task SDK says itself what it updated: the other runtimes have updated what their tasks name, and nothing besides. */
function outletsOf(run: RunSnapshot, instance: Instance): ReportedAssetEvent[] {
  if (run.graph.dag.runtime === 'airflow') return [];
  return (instance.task.task.outlets ?? []).flatMap(({ name, uri, group, extra, alias }) => (alias === true || name === undefined || uri === undefined ? [] : [{ name, uri, extra: {}, ...(group === undefined ? {} : { group }), ...(extra === undefined ? {} : { asset_extra: extra }) }]));
}

function nameOf({ name, uri, extra, asset_extra: assetExtra, alias }: ReportedAssetEvent): string {
  return JSON.stringify([name, uri, extra, assetExtra, alias === undefined]);
}

function jsonOf(extra: unknown): string {
  return JSON.stringify(extra ?? {});
}
