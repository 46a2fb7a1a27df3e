// GET /pools and /pools/{pool_name}.
import { Type as T } from '@sinclair/typebox';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { PoolCollectionResponse, PoolResponse } from '#contract/airflow/pool.ts';
import { findPool, listPools } from '#store/pools.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { type HttpProblem, notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';
import { renderPool } from './render-pool.ts';

/** Path of one pool; its name may hold `/`. */
export const POOL_PARAMS = T.Object({ pool_name: T.String() });

/** 404 of a pool that is not there. */
export const poolNotFound = (name: string): HttpProblem => notFound(`The Pool with name: \`${name}\` was not found`);

/** Airflow's `get_pools`. */
export const getPools = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, order_by: orderBy('id'), pool_name_pattern: optional(T.String()) }),
  response: PoolCollectionResponse,
  async run({ query, services }) {
    const { rows, total } = await listPools(services.database, query.pool_name_pattern, pageOf(query));
    return json({ pools: rows.map(renderPool), total_entries: total });
  },
});

/** Airflow's `get_pool`. */
export const getPool = operation({
  params: POOL_PARAMS,
  response: PoolResponse,
  async run({ params, services }) {
    const row = await findPool(services.database, params.pool_name);
    if (row === null) throw poolNotFound(params.pool_name);
    return json(renderPool(row));
  },
});
