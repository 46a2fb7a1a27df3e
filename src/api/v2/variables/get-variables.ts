// GET /variables and /variables/{variable_key}.
import { Type as T } from '@sinclair/typebox';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { VariableCollectionResponse, VariableResponse } from '#contract/airflow/variable.ts';
import { findVariable, listVariables } from '#store/variables.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { type HttpProblem, notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';
import { reportUnreadable } from '../../report-unreadable.ts';
import { renderVariable } from './render-variable.ts';

/** Path of one variable; its key may hold `/`. */
export const VARIABLE_PARAMS = T.Object({ variable_key: T.String() });

/** 404 of a variable that is not there. */
export const variableNotFound = (key: string): HttpProblem => notFound(`The Variable with key: \`${key}\` was not found`);

/** Airflow's `get_variables`. */
export const getVariables = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, order_by: orderBy('id'), variable_key_pattern: optional(T.String()) }),
  response: VariableCollectionResponse,
  async run({ query, services }) {
    const { rows, total, unreadable } = await listVariables(services, query.variable_key_pattern, pageOf(query));
    reportUnreadable(services.reporter, unreadable);
    return json({ variables: rows.map(renderVariable), total_entries: total });
  },
});

/** Airflow's `get_variable`. */
export const getVariable = operation({
  params: VARIABLE_PARAMS,
  response: VariableResponse,
  async run({ params, services }) {
    const row = await findVariable(services, params.variable_key);
    if (row === null) throw variableNotFound(params.variable_key);
    return json(renderVariable(row));
  },
});
