// Operators, sensors and hooks of Airflow's providers, unmodified, against real services on this machine.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';
import { Api, type Played } from './providers/played.ts';
import { Services } from './providers/services.ts';

const DAGS = ['databases', 'redis', 'ftp', 'sftp', 'local_files', 'http', 'smtp', 's3', 'pythons', 'callbacks', 'mails', 'values', 'backend'];

describe('providers under the Task SDK', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const folder = join(place.path, 'files');
  let lite: Running | undefined;
  let services: Services;
  let api: Api;
  const news: string[] = [];
  const played: Record<string, Promise<Played>> = {};
  const run = (dagId: string): Promise<Played> => played[dagId] ?? assert.fail(dagId);

  before(async () => {
    services = await Services.start(sdkPython(), folder);
    mkdirSync(home, { mode: 0o755 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'providers', 'dags'), dags, { recursive: true });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_FORK_SERVER_IDLE_SECONDS: '20', PROVIDERS_FOLDER: folder, ...projectSettings(services, place.path) });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    api = new Api(url, readFileSync(join(home, 'token'), 'utf8').trim());
    for (const connection of services.connections()) await api.ask('POST', '/connections', connection);
    await api.ask('POST', '/variables', { key: 'from_api', value: 'told to the API' });
    const subscriber = services.redis.client.duplicate();
    subscriber.on('message', (_channel: string, message: string) => news.push(message));
    await subscriber.subscribe('news');
    for (const dagId of DAGS) played[dagId] = api.play(dagId);
    await Promise.allSettled(Object.values(played));
  }, { timeout: 240_000 });
  after(async () => {
    await lite?.stop();
    await services.stop();
    place.remove();
  });

  for (const dagId of DAGS) test(dagId, async () => {
    const one = await run(dagId);
    console.log(dagId, one.state, one.states);
    for (const [t, s] of Object.entries(one.states)) if (s !== 'success') console.log(t, (await one.log(t)).slice(-3000));
  });
  test('server', () => { console.log(lite?.read().err.slice(-6000), lite?.read().out.slice(-3000)); });
});

/** Settings of Airflow that an operator gives to the server: an XCom backend and a secrets backend. */
function projectSettings(services: Services, place: string): Record<string, string> {
  const [connections, variables] = [join(place, 'connections.json'), join(place, 'variables.json')];
  const { connection_id: id, ...hidden } = services.hiddenConnection();
  writeFileSync(connections, JSON.stringify({ [id]: hidden }));
  writeFileSync(variables, JSON.stringify({ from_backend: 'of the backend' }));
  return {
    AIRFLOW__CORE__XCOM_BACKEND: 'airflow.providers.common.io.xcom.backend.XComObjectStorageBackend', AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: `file://${join(place, 'files', 'xcoms')}`,
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: '1000',
    AIRFLOW__SECRETS__BACKEND: 'airflow.secrets.local_filesystem.LocalFilesystemBackend',
    AIRFLOW__SECRETS__BACKEND_KWARGS: JSON.stringify({ connections_file_path: connections, variables_file_path: variables }),
  };
}
