// GET …/xcomEntries/{xcom_key}: one XCom with its value, byte for byte as the task wrote it.
import { Type as T } from '@sinclair/typebox';
import { XComResponseNative, XComResponseString } from '#contract/airflow/xcom.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findXCom } from '#store/xcoms.ts';
import { INSTANCE_PARAMS, json, operation } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { renderXCom } from './render-xcom.ts';

/** Airflow's `get_xcom_entry`. `stringify` answers the JSON text; `deserialize` makes no difference, values are JSON here. */
export const getXcomEntry = operation({
  params: T.Object({ ...INSTANCE_PARAMS.properties, xcom_key: T.String() }),
  query: T.Object({ map_index: T.Integer({ minimum: -1, default: -1 }), deserialize: T.Boolean({ default: false }), stringify: T.Boolean({ default: false }) }),
  response: T.Union([XComResponseNative, XComResponseString]),
  async run({ params, query, services }) {
    const { database } = services;
    const found = await findXCom(database, { dagId: params.dag_id, runId: params.dag_run_id, taskId: params.task_id, mapIndex: query.map_index, key: params.xcom_key }, services.values);
    if (found === null) throw notFound(`XCom entry with key: \`${params.xcom_key}\` not found`);
    const entry = renderXCom(found.row, (await findKeptSpec(database, found.row.versionId)) ?? undefined);
    const value = found.value.toString('utf8');
    if (query.stringify) return json({ ...entry, value });
    // Parsing and writing again would change numbers beyond 2^53, their spelling, and the order of keys.
    return { kind: 'text', type: 'application/json', text: `${JSON.stringify(entry).slice(0, -1)},"value":${value}}` };
  },
});
