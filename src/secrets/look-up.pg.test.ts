// The order of the look-up: backend, environment, database; what fails in between is not passed over.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SecretsBackend } from '#contract/secrets.ts';
import { AppError } from '#contract/errors.ts';
import { setConnection } from '#store/connections.ts';
import { withDatabase } from '../../test/support/database.ts';
import { testKeys } from '../../test/support/keys.ts';
import { createSecrets } from './look-up.ts';

describe('the look-up of variables and connections', () => {
  it('asks the backend, the environment by both prefixes, then the database', () => withDatabase(async (database) => {
    const vault = { database, keys: testKeys() };
    const kept = new Map([['in_backend', 'b']]);
    const backend: SecretsBackend = { name: 'test', findVariable: (key) => Promise.resolve(kept.get(key) ?? null), findConnection: () => Promise.resolve(null) };
    const secrets = createSecrets(vault, backend, { AIRFLOW_VAR_IN_BACKEND: 'e', AIRFLOW_VAR_MY_KEY: 'airflow', LEOFLOW_VAR_MY_KEY: 'leoflow', LEOFLOW_VAR_OURS: '', AIRFLOW_CONN_DB: '{"conn_type": "http", "host": "e"}', AIRFLOW_CONN_BAD: 'http://h:canary' });
    for (const key of ['in_backend', 'my_key', 'stored']) await secrets.setVariable({ key, value: `${key} of the database`, description: null });
    await setConnection(vault, { conn_id: 'db', conn_type: 'http', host: 'd', description: null, login: null, password: null, schema: null, port: null, extra: null });
    assert.deepEqual(await Promise.all(['in_backend', 'my_key', 'ours', 'stored', 'none'].map((key) => secrets.findVariable(key))), ['b', 'airflow', '', 'stored of the database', null]);
    assert.equal((await secrets.findConnection('db'))?.host, 'e');
    assert.equal((await createSecrets(vault, null, {}).findConnection('db'))?.host, 'd');
    assert.equal(await secrets.findConnection('none'), null);
    await assert.rejects(secrets.findConnection('bad'), (error) => error instanceof AppError && error.code === 'secret_unreadable' && !error.message.includes('canary'));
    assert.deepEqual([await secrets.deleteVariable('stored'), await secrets.deleteVariable('stored')], [true, false]);
    const failing: SecretsBackend = { ...backend, findVariable: () => Promise.reject(new AppError('secrets_unavailable', 'sealed')) };
    await assert.rejects(createSecrets(vault, failing, {}).findVariable('my_key'), /sealed/);
  }));
});
