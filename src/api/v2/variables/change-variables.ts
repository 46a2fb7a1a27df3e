// POST and PATCH /variables, PATCH and DELETE /variables/{variable_key}.
import { Type as T } from '@sinclair/typebox';
import { BulkResponse } from '#contract/airflow/bulk.ts';
import { many } from '#contract/airflow/fields.ts';
import { BulkVariableBody, VariableBody, VariableResponse } from '#contract/airflow/variable.ts';
import { isSensitive, MASK, mayHoldMask, unmaskText } from '#core/sensitive.ts';
import { createVariable, deleteVariable as deleteRow, findVariable, listVariableKeys, setVariable, updateVariable, type Variable, type Vault } from '#store/variables.ts';
import { type BulkKind, runBulk } from '../../bulk.ts';
import { empty, json, NO_PARAMS, operation } from '../../operation.ts';
import { badRequest, conflict } from '../../problems.ts';
import { VARIABLE_PARAMS, variableNotFound } from './get-variables.ts';
import { renderVariable, textOfValue } from './render-variable.ts';

/** Airflow's `post_variable`. */
export const postVariable = operation({
  params: NO_PARAMS,
  body: VariableBody,
  response: VariableResponse,
  status: 201,
  async run({ body, services }) {
    const variable = { key: body.key, value: textOfValue(body.value), description: body.description ?? null };
    if (!(await createVariable(services, variable))) throw conflict(`The Variable with key: \`${body.key}\` already exists`);
    return json(renderVariable(variable));
  },
});

/** Airflow's `patch_variable`. A mask that comes back keeps what it hides. */
export const patchVariable = operation({
  params: VARIABLE_PARAMS,
  query: T.Object({ update_mask: many(T.String()) }),
  body: VariableBody,
  response: VariableResponse,
  async run({ params, query, body, services }) {
    if (body.key !== params.variable_key) throw badRequest("Invalid body, key from request body doesn't match uri parameter");
    return json(renderVariable(await patch(services, body, query.update_mask)));
  },
});

async function patch(vault: Vault, body: VariableBody, mask: readonly string[]): Promise<Variable> {
  if (!(await listVariableKeys(vault, [body.key])).has(body.key)) throw variableNotFound(body.key);
  if (mask.includes('key')) throw badRequest("Update not allowed: the following fields are immutable and cannot be modified: {'key'}");
  const isMeant = (field: string): boolean => mask.length === 0 || mask.includes(field);
  const changed = await updateVariable(vault, body.key, {
    ...(isMeant('value') ? { value: await keptValue(vault, body) } : {}),
    ...(isMeant('description') && body.description !== undefined ? { description: body.description } : {}),
  });
  if (changed === null) throw variableNotFound(body.key);
  return changed;
}

/** The value to store. What is stored is read only where a mask may stand for it: a value whose key is lost can be set again. */
async function keptValue(vault: Vault, { key, value }: VariableBody): Promise<string> {
  const given = textOfValue(value);
  const stored = mayHoldMask(given) ? ((await findVariable(vault, key))?.value ?? null) : null;
  if (stored === null) return given;
  return given === MASK && isSensitive(key) ? stored : unmaskText(given, stored);
}

/** Airflow's `delete_variable`. */
export const deleteVariable = operation({
  params: VARIABLE_PARAMS,
  response: null,
  async run({ params, services }) {
    if (!(await deleteRow(services, params.variable_key))) throw variableNotFound(params.variable_key);
    return empty;
  },
});

/** Airflow's `bulk_variables`. */
export const bulkVariables = operation({
  params: NO_PARAMS,
  body: BulkVariableBody,
  response: BulkResponse,
  async run({ body, services }) {
    return json(await runBulk(kindOf(services), body.actions));
  },
});

const kindOf = (vault: Vault): BulkKind<VariableBody> => ({
  words: ['variables', 'keys'],
  idOf: (body) => body.key,
  listKnown: (keys) => listVariableKeys(vault, keys),
  put: async (body) => setVariable(vault, { key: body.key, value: await keptValue(vault, body), description: body.description ?? null }),
  update: async (body, mask) => void (await patch(vault, body, mask)),
  remove: async (key) => void (await deleteRow(vault, key)),
});
