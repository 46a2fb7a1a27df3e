// Records what tasks of a real Airflow 3.2.1 ask of its Task Execution API: `bin/node test/compat/task-sdk/record.ts [--home FOLDER] [--python COMMAND]`.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAirflow } from '../semantics/airflow-server.ts';
import { playCalls } from './play-calls.ts';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts';

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'airflow-3.2.1', 'task-calls.json');
const { values } = parseArgs({ options: { home: { type: 'string', default: join(tmpdir(), 'leoflow-semantics-airflow') }, python: { type: 'string', default: 'python3.12' } } });

let proxy: RecordingProxy | null = null;
const airflow = await startAirflow(values.home, {
  dags: join(import.meta.dirname, 'dags'), python: values.python, more: ['triggerer'],
  executionUrl: async (port) => {
    proxy = await startRecordingProxy(() => ({ host: '127.0.0.1', port }));
    return `http://127.0.0.1:${proxy.port}/execution/`;
  },
});
try {
  const states = await playCalls({ ...airflow.stage, quietMs: 5000 });
  const calls = (proxy as RecordingProxy | null)?.read() ?? {};
  const lines = (entries: Record<string, unknown>): string => Object.entries(entries).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(',\n');
  writeFileSync(FIXTURE, `{"versions": ${JSON.stringify(airflow.versions)},\n"states": {\n${lines(states)}\n},\n"calls": {\n${lines(calls)}\n}}\n`);
  process.stdout.write(`${Object.keys(calls).length} DAGs, ${Object.values(calls).flat(2).length} calls recorded\n`);
} finally {
  await airflow.stop();
  await (proxy as RecordingProxy | null)?.close();
}
