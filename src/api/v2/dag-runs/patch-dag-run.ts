// PATCH …/dagRuns/{dag_run_id}: a run's state and note.
import { Type as T } from '@sinclair/typebox';
import { DAGRunPatchBody, DAGRunResponse } from '#contract/airflow/dag-run.ts';
import { many } from '#contract/airflow/fields.ts';
import { setRunNote } from '#store/dag-run-lists.ts';
import { json, operation, RUN_PARAMS } from '../../operation.ts';
import { getRun } from './find-run.ts';
import { markRun } from './mark-run.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `patch_dag_run`. */
export const patchDagRun = operation({
  params: RUN_PARAMS,
  query: T.Object({ update_mask: many(T.String()) }),
  body: DAGRunPatchBody,
  response: DAGRunResponse,
  async run({ params, query, body, bodyKeys, services, person }) {
    const run = await getRun(services.database, params);
    const changes = (field: string): boolean => bodyKeys.has(field) && (query.update_mask.length === 0 || query.update_mask.includes(field));
    if (changes('state') && body.state !== null) await markRun(services.database, { run, state: body.state, by: person.name });
    if (changes('note')) await setRunNote(services.database, run.id, body.note);
    return json(renderRun(await getRun(services.database, params)));
  },
});
