// `make prove-older-sdk`: Airflow's own supervisor with older Task SDKs against the engine: one that is spoken with, others that are refused.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { makeEnvironment, type OlderRelease } from './environments.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const SPOKEN: OlderRelease = { airflow: '3.1.8', sdk: '1.1.8', api: '2025-11-05', day: '2026-03-20' };
const REFUSED: readonly OlderRelease[] = [{ airflow: '3.0.6', sdk: '1.0.6', api: '2025-08-10', day: '2025-09-15' }];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const stock = await makeEnvironment(SPOKEN, say);
const refused: string[] = [];
for (const release of REFUSED) refused.push(await makeEnvironment(release, say));
const files = [join(import.meta.dirname, 'life.sdk.test.ts'), join(import.meta.dirname, 'refused.sdk.test.ts'), join(ROOT, 'test', 'sdk', 'stock-supervisor.sdk.test.ts'), join(ROOT, 'test', 'conformance', 'execution-api.pg.test.ts')];
const env = {
  ...process.env, LEOFLOW_TEST_AIRFLOW_PYTHON: join(ROOT, '.venv-airflow', 'bin', 'python'), LEOFLOW_TEST_STOCK_PYTHON: stock, LEOFLOW_TEST_STOCK_API: SPOKEN.api,
  LEOFLOW_TEST_REFUSED_PYTHONS: refused.join(':'),
};
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', '--test-timeout=1500000', '--test-concurrency=1', ...process.argv.slice(2).map((pattern) => `--test-name-pattern=${pattern}`), ...files], { stdio: 'inherit', env });
child.on('close', (code) => void (process.exitCode = code ?? 1));
