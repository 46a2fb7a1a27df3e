// Variables and connections for tasks, unmasked, as far as the DAG's leoflow.yaml lets them.
import { Type as T } from '@sinclair/typebox';
import { admitSecret, type SecretKind } from '#core/secret-access.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { type AnyCall, executionOperation, NOTHING, value } from './execution-call.ts';
import { missing } from './refusals.ts';
import { VariablePostBody } from './request-models.ts';
import { ConnectionResponse, Message, VariableResponse } from './response-models.ts';

const MAX_NAME_LENGTH = 250;
const VARIABLE = T.Object({ variable_key: T.String({ minLength: 1 }) });
const NEW_VARIABLE = T.Object({ variable_key: T.String({ minLength: 1, maxLength: MAX_NAME_LENGTH }) });

/** Throws `forbidden` when the caller's DAG may not use it. */
async function admit({ caller, services }: Pick<AnyCall, 'caller' | 'services'>, kind: SecretKind, name: string): Promise<void> {
  const spec = await findKeptSpec(services.database, caller.versionId);
  if (spec === null) throw missing(`The version ${caller.versionId} of the Dag ${caller.dagId} was not found`);
  admitSecret(spec, kind, name);
}

/** Airflow's `get_variable`. */
export const getVariable = executionOperation({
  params: VARIABLE, response: VariableResponse,
  async run(call) {
    const key = call.params.variable_key;
    await admit(call, 'variables', key);
    const found = await call.services.secrets.findVariable(key);
    if (found === null) throw missing(`Variable with key '${key}' not found`);
    return value({ key, value: found });
  },
});

/** Airflow's `put_variable`. Null becomes the text `None`, as in Airflow. */
export const putVariable = executionOperation({
  params: NEW_VARIABLE, body: VariablePostBody, response: Message, status: 201, needsOpen: true, isSecret: true,
  async run(call) {
    const key = call.params.variable_key;
    await admit(call, 'variables', key);
    await call.services.secrets.setVariable({ key, value: call.body.val ?? 'None', description: call.body.description });
    return value({ message: 'Variable successfully set' });
  },
});

/** Airflow's `delete_variable`: also when there was none. */
export const deleteVariable = executionOperation({
  params: VARIABLE, response: null, needsOpen: true,
  async run(call) {
    await admit(call, 'variables', call.params.variable_key);
    await call.services.secrets.deleteVariable(call.params.variable_key);
    return NOTHING;
  },
});

/** Airflow's `get_connection`. */
export const getConnection = executionOperation({
  params: T.Object({ connection_id: T.String({ minLength: 1 }) }), response: ConnectionResponse,
  async run(call) {
    const id = call.params.connection_id;
    await admit(call, 'connections', id);
    const found = await call.services.secrets.findConnection(id);
    if (found === null) throw missing(`Connection with ID ${id} not found`);
    const { conn_id, conn_type, host, schema, login, password, port, extra } = found;
    return value({ conn_id, conn_type: conn_type ?? '', host, schema, login, password, port, extra });
  },
});
