// GET /monitor/health: whether database and scheduler are well.
import { HealthInfoResponse } from '#contract/airflow/monitor.ts';
import { isoOf } from '#platform/clock.ts';
import { isLed } from '#store/leader-health.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';

/** Airflow's `get_health`. There is no triggerer to be ill, and DAG files are compiled before they come here. */
export const getHealth = operation({
  params: NO_PARAMS,
  response: HealthInfoResponse,
  async run({ services }) {
    const led = await isLed(services.database).catch(() => null);
    return json({
      metadatabase: { status: led === null ? 'unhealthy' : 'healthy' },
      scheduler: { status: led === true ? 'healthy' : 'unhealthy', latest_scheduler_heartbeat: led === true ? isoOf(services.database.clock.nowMs()).replace('Z', '000+00:00') : null },
      triggerer: { status: null, latest_triggerer_heartbeat: null },
      dag_processor: { status: null, latest_dag_processor_heartbeat: null },
    });
  },
});
