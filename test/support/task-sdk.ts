// Servers and runs under the real Task SDK: what the tests in test/sdk have in common.
import { existsSync } from 'node:fs';

/** Interpreter of an environment that holds Airflow's Task SDK. */
const PYTHON = process.env['LEOFLOW_TEST_AIRFLOW_PYTHON'];

/** Why these tests cannot run here; false when they can. */
export const withoutSdk: string | false = PYTHON !== undefined && existsSync(PYTHON) ? false : 'run bin/setup: it makes the environment .venv-airflow, which LEOFLOW_TEST_AIRFLOW_PYTHON names';

/** The interpreter. Throws when there is none: ask `withoutSdk` first. */
export function sdkPython(): string {
  if (PYTHON === undefined) throw new Error('LEOFLOW_TEST_AIRFLOW_PYTHON is not set');
  return PYTHON;
}
