// Deleting a run with everything below it. The tables below have no foreign keys: this is the place that knows them all.
import { sql } from 'kysely';
import { type Database, translateDatabaseError } from './database.ts';

/** Every table whose rows belong to a run, children first. */
export const BELOW_RUN = ['callbacks', 'deadlines', 'triggers', 'consumed_asset_events', 'hitl_details', 'xcom_values', 'xcoms', 'attempt_events', 'executions', 'task_attempts', 'task_instances'] as const;

/** Deletes the run and wakes the leader, which drops it. @returns ids of its executions, whose logs may go too; null when it runs, and nothing was deleted */
export async function deleteRun(database: Database, run: string): Promise<readonly string[] | null> {
  try {
    return await database.kysely.transaction().execute(async (trx) => {
      const [row] = await trx.selectFrom('dag_runs').select('state').where('id', '=', run).forUpdate().execute();
      if (row?.state === 'running') return null;
      const executions = await trx.selectFrom('executions').select('id').where('run', '=', run).orderBy('id').limit(1_000_000).execute();
      for (const table of BELOW_RUN) await sql`/* store/run-deletion.below */ delete from ${sql.table(table)} where run = ${run}`.execute(trx);
      await trx.deleteFrom('dag_runs').where('id', '=', run).execute();
      await sql`/* store/run-deletion.tell */ select pg_notify('leoflow_run', ${run})`.execute(trx);
      return executions.map((row) => row.id);
    });
  } catch (error) {
    throw translateDatabaseError(error);
  }
}
