// What an execution says of itself: that it is alive, what it rendered, whom it skips, how it ended.
import { Type as T } from '@sinclair/typebox';
import { Json } from '#contract/airflow/fields.ts';
import { findAsset } from '#store/asset-reads.ts';
import { findExecutionStart } from '#store/execution-instances.ts';
import { HttpProblem } from '../problems.ts';
import { ENDING_HEADER, withEnding } from './ending.ts';
import { type ExecutionServices, executionOperation, NOTHING, value } from './execution-call.ts';
import { refusal } from './refusals.ts';
import { type AssetKey, reportOfState } from './report-of-state.ts';
import { TIHeartbeatInfo, TISkippedDownstreamTasksStatePayload, TIStateUpdate } from './request-models.ts';
import { Message } from './response-models.ts';
import { TI_PARAMS } from './ti-params.ts';
import { LATEST_VERSION } from './versions.ts';

/** Airflow's `ti_update_state`. */
export const tiUpdateState = executionOperation({
  params: TI_PARAMS, body: TIStateUpdate, response: null,
  async run({ caller, body, bodyText, headers, services }) {
    const { database, service } = services;
    const nowMs = database.clock.nowMs();
    const startedAt = ((await findExecutionStart(database, caller.executionId)) ?? new Date(nowMs)).toISOString();
    const references = body.state === 'success' ? await findReferences(services, body.task_outlets) : new Map<string, AssetKey>();
    const report = reportOfState(body, { executionId: caller.executionId, startedAt, nowMs, bodyText, assetOf: (reference) => references.get(idOf(reference)) ?? null });
    const answer = await service.reportState(caller, withEnding(report, headers[ENDING_HEADER]));
    if (answer.kind === 'stale') throw refusal(409, { reason: 'invalid_state', message: 'TI was not in the running state so it cannot be updated', previous_state: answer.state });
    return NOTHING;
  },
});

interface Reference { readonly name: string | null; readonly uri: string | null }

const idOf = (reference: Reference): string => JSON.stringify([reference.name, reference.uri]);

/** The assets that references by name or by URI mean. */
async function findReferences({ database }: ExecutionServices, outlets: readonly (Reference & { readonly type: string })[]): Promise<Map<string, AssetKey>> {
  const found = new Map<string, AssetKey>();
  for (const outlet of outlets) {
    const { name, uri, type } = outlet;
    const names = type === 'AssetNameRef' && name !== null ? { name } : type === 'AssetUriRef' && uri !== null ? { uri } : null;
    const asset = names === null ? null : await findAsset(database, names);
    if (asset !== null) found.set(idOf(outlet), { name: asset.name, uri: asset.uri });
  }
  return found;
}

/** Airflow's `ti_heartbeat`. */
export const tiHeartbeat = executionOperation({
  params: TI_PARAMS, body: TIHeartbeatInfo, response: null,
  async run({ caller, body, services, version }) {
    const answer = await services.service.heartbeat(caller, { hostname: body.hostname, pid: body.pid });
    switch (answer.kind) {
      case 'alive': return NOTHING;
      case 'running_elsewhere': throw refusal(409, { reason: 'running_elsewhere', message: 'TI is already running elsewhere', current_hostname: answer.hostname, current_pid: answer.pid });
      case 'not_running': throw refusal(409, { reason: 'not_running', message: 'TI is no longer in the running state and task should terminate', current_state: answer.state });
      // Supervisors of versions before know no 410: they would go on with their task for a while.
      case 'gone': throw refusal(version === LATEST_VERSION ? 410 : 404, { reason: 'not_found', message: 'Task Instance not found, it may have been moved to the Task Instance History table' });
    }
  },
});

/** Airflow's `put_rtif`. */
export const putRtif = executionOperation({
  params: TI_PARAMS, body: T.Record(T.String(), Json), response: Message, status: 201, needsOpen: true,
  async run({ caller, body, services }) {
    await services.service.setRenderedFields(caller, body);
    return value({ message: 'Rendered task instance fields successfully set' });
  },
});

/** Airflow's `ti_patch_rendered_map_index`. */
export const tiPatchRenderedMapIndex = executionOperation({
  params: TI_PARAMS, body: T.String(), response: null, needsOpen: true,
  async run({ caller, body, services }) {
    if (body === '') throw new HttpProblem(422, 'rendered_map_index cannot be empty');
    await services.service.setRenderedMapIndex(caller, body);
    return NOTHING;
  },
});

/** Airflow's `ti_skip_downstream`. A task without an index means the one that is not mapped. */
export const tiSkipDownstream = executionOperation({
  params: TI_PARAMS, body: TISkippedDownstreamTasksStatePayload, response: null, needsOpen: true,
  async run({ caller, body, services }) {
    await services.service.skipDownstream(caller, body.tasks.map((task) => (typeof task === 'string' ? { taskId: task, mapIndex: -1 } : { taskId: task[0], mapIndex: task[1] })));
    return NOTHING;
  },
});
