// GET /dagStats: how many runs of each DAG are in each state.
import { Type as T } from '@sinclair/typebox';
import { DagStatsCollectionResponse } from '#contract/airflow/dag.ts';
import { many } from '#contract/airflow/fields.ts';
import { RUN_STATES } from '#contract/states.ts';
import { listDagStats } from '#store/dags.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';

/** Airflow's `get_dag_stats`. */
export const getDagStats = operation({
  params: NO_PARAMS,
  query: T.Object({ dag_ids: many(T.String()) }),
  response: DagStatsCollectionResponse,
  async run({ query, services }) {
    const stats = await listDagStats(services.database, query.dag_ids);
    const dags = stats.map((dag) => ({ dag_id: dag.dagId, dag_display_name: dag.displayName, stats: RUN_STATES.map((state) => ({ state, count: dag.counts[state] ?? 0 })) }));
    return json({ dags, total_entries: dags.length });
  },
});
