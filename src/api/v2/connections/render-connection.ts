// A connection as Airflow's clients read it: the password masked, and what stands under sensitive names in its extra.
import type { ConnectionResponse } from '#contract/airflow/connection.ts';
import { MASK, maskText } from '#core/sensitive.ts';
import type { Connection } from '#store/connections.ts';

/** Nobody is shown a secret, whatever their role. */
export function renderConnection({ conn_id, password, extra, ...plain }: Connection): ConnectionResponse {
  return { connection_id: conn_id, ...plain, password: password === null ? null : MASK, extra: extra === null ? null : maskText(extra), team_name: null };
}
