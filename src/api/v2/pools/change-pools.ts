// POST /pools, PATCH and DELETE /pools/{pool_name}.
import { Type as T } from '@sinclair/typebox';
import { many } from '#contract/airflow/fields.ts';
import { PoolBody, PoolPatchBody, PoolResponse } from '#contract/airflow/pool.ts';
import { createPool, deletePool as deletePoolRow, findPool, updatePool } from '#store/pools.ts';
import { empty, json, NO_PARAMS, operation } from '../../operation.ts';
import { badRequest, invalid, uniqueViolation } from '../../problems.ts';
import { POOL_PARAMS, poolNotFound } from './get-pools.ts';
import { renderPool } from './render-pool.ts';

const DEFAULT_POOL = 'default_pool';

/** Airflow's `post_pool`. */
export const postPool = operation({
  params: NO_PARAMS,
  body: PoolBody,
  response: PoolResponse,
  status: 201,
  async run({ body, services }) {
    const made = await createPool(services.database, body.name, { slots: body.slots, description: body.description, includeDeferred: body.include_deferred });
    const row = made.kind === 'duplicate' ? null : await findPool(services.database, body.name);
    if (row === null) throw uniqueViolation();
    return json(renderPool(row));
  },
});

/** Airflow's `patch_pool`. Of the default pool only the slots and `include_deferred` change, and only when a mask says so. */
export const patchPool = operation({
  params: POOL_PARAMS,
  query: T.Object({ update_mask: many(T.String()) }),
  body: PoolPatchBody,
  response: PoolResponse,
  async run({ params, query, body, bodyKeys, services }) {
    const name = params.pool_name;
    if (body.pool !== null && body.pool !== '' && body.pool !== name) throw badRequest("Invalid body, pool name from request body doesn't match uri parameter");
    const row = await findPool(services.database, name);
    if (row === null) throw poolNotFound(name);
    const mask = query.update_mask.map((field) => field.trim());
    if (name === DEFAULT_POOL) refuseDefaultPool(mask);
    else refuseMissing(bodyKeys, body);
    const changes = (field: string): boolean => bodyKeys.has(field) && (mask.length === 0 || mask.includes(field));
    await updatePool(services.database, name, {
      slots: changes('slots') && body.slots !== null ? body.slots : row.slots, description: changes('description') ? body.description : row.description,
      includeDeferred: changes('include_deferred') && body.include_deferred !== null ? body.include_deferred : row.includeDeferred,
    });
    const changed = await findPool(services.database, name);
    if (changed === null) throw poolNotFound(name);
    return json(renderPool(changed));
  },
});

function refuseDefaultPool(mask: readonly string[]): void {
  if (mask.length === 0 || mask.some((field) => field !== 'slots' && field !== 'include_deferred')) throw badRequest('Only slots and included_deferred can be modified on Default Pool');
}

/** A patch of another pool is checked as a whole pool, mask or not. */
function refuseMissing(given: ReadonlySet<string>, body: unknown): void {
  const missing = ['pool', 'slots', 'include_deferred'].filter((field) => !given.has(field));
  if (missing.length > 0) throw invalid(missing.map((field) => ({ type: 'missing', loc: [field], msg: 'Field required', input: body })));
}

/** Airflow's `delete_pool`. */
export const deletePool = operation({
  params: POOL_PARAMS,
  response: null,
  async run({ params, services }) {
    if (params.pool_name === DEFAULT_POOL) throw badRequest("Default Pool can't be deleted");
    if (!(await deletePoolRow(services.database, params.pool_name))) throw poolNotFound(params.pool_name);
    return empty;
  },
});
