// Whether the API is there. Nobody has to say who asks.
import { Type as T } from '@sinclair/typebox';
import { errorText } from '#platform/report.ts';
import { probeDatabase } from '#store/database.ts';
import { executionOperation, value } from './execution-call.ts';

/** Airflow's `health`. */
export const health = executionOperation({ response: T.Object({ status: T.String() }), run: () => Promise.resolve(value({ status: 'healthy' })) });

/** Airflow's `ping`: what the API needs, and whether it answers. */
export const ping = executionOperation({
  response: T.Object({ ok: T.Array(T.String()), failing: T.Record(T.String(), T.String()) }),
  async run({ services }) {
    try {
      await probeDatabase(services.database);
    } catch (error) {
      return value({ ok: [], failing: { database: errorText(error) } }, 500);
    }
    return value({ ok: ['database'], failing: {} });
  },
});
