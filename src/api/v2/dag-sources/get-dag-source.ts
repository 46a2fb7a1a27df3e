// GET /dagSources/{dag_id}: the text of the file that defines a DAG.
import { Type as T } from '@sinclair/typebox';
import { DAGSourceResponse } from '#contract/airflow/dag-version.ts';
import { optional } from '#contract/airflow/fields.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { listSources } from '#store/dag-versions.ts';
import { findVersion } from '#store/dag-version-lists.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { HttpProblem, notFound } from '../../problems.ts';

/** Airflow's `get_dag_source`: JSON, or plain text when that is what the caller accepts. */
export const getDagSource = operation({
  params: DAG_PARAMS,
  query: T.Object({ version_number: optional(T.Integer()) }),
  response: DAGSourceResponse,
  async run({ params, query, services, headers }) {
    const isText = wantsText(headers.accept);
    const { database } = services;
    const version = await findVersion(database, params.dag_id, query.version_number);
    const spec = version === null ? null : await findKeptSpec(database, version.id);
    if (version === null || spec === null) throw notFound(`The source code of the DAG ${params.dag_id}, version_number ${query.version_number ?? 'None'} was not found`);
    const sources = await listSources(database, spec);
    const source = sources.find((each) => each.path === spec.fileloc) ?? sources[0];
    if (source === undefined) throw notFound(`Code not found. dag_id='${params.dag_id}' version_number='${query.version_number ?? 'None'}'`);
    const content = Buffer.from(source.content).toString('utf8');
    if (isText) return { kind: 'text', type: 'text/plain; charset=utf-8', text: content };
    return json({ content, dag_id: params.dag_id, version_number: version.number, dag_display_name: version.displayName });
  },
});

function wantsText(accept: string | undefined): boolean {
  const types = (accept ?? '*/*').split(',').map((type) => type.split(';')[0]?.trim().toLowerCase() ?? '');
  if (types.some((type) => type === 'application/json' || type === '*/*' || type === 'application/*')) return false;
  if (types.some((type) => type === 'text/plain' || type === 'text/*')) return true;
  throw new HttpProblem(406, 'Only application/json or text/plain is supported');
}
