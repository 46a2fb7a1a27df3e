// GET /version: which program answers.
import { VersionInfo } from '#contract/airflow/monitor.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';

/** The release whose API this is; clients decide by it what they may ask. */
const AIRFLOW_VERSION = '3.2.1';

/** Airflow's `get_version`: Airflow's number, as its clients expect, and ours beside it. */
export const getVersion = operation({
  params: NO_PARAMS,
  response: VersionInfo,
  run: ({ services }) => Promise.resolve(json({ version: AIRFLOW_VERSION, git_version: `leoflow ${services.version}` })),
});
