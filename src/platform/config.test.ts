// Names that begin like settings and are variables and connections instead, and where a secret setting was read from.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileOfSetting, findSecretVariable, readConfig, userEnvironment } from './config.ts';

it('variables and connections of the environment are no unknown settings, and ours are kept from tasks', () => {
  const env = { LEOFLOW_VAR_REGION: 'eu', LEOFLOW_CONN_DB: 'http://h', AIRFLOW_VAR_REGION_2: 'us', PATH: '/bin' };
  assert.doesNotThrow(() => readConfig({}, env));
  assert.throws(() => readConfig({}, { LEOFLOW_VARS: 'x' }), /LEOFLOW_VARS is no setting/);
  assert.deepEqual(userEnvironment(env), { AIRFLOW_VAR_REGION_2: 'us', PATH: '/bin' });
  assert.deepEqual(['region', 'Region_2', 'none'].map((name) => findSecretVariable('VAR', name, env)), ['eu', 'us', null]);
  assert.equal(findSecretVariable('CONN', 'db', env), 'http://h');
  assert.equal(findSecretVariable('CONN', 'db', { ...env, AIRFLOW_CONN_DB: 'http://airflow' }), 'http://airflow');
});

it('says which file a secret came from', () => {
  assert.equal(fileOfSetting('LEOFLOW_SECRET_KEYS', { LEOFLOW_SECRET_KEYS_FILE: '/run/keys' }), '/run/keys');
  assert.equal(fileOfSetting('LEOFLOW_SECRET_KEYS', { LEOFLOW_SECRET_KEYS: 'x' }), null);
});
