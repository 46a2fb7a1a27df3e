// A compiled DAG becomes a registered version, its schedule planned.
import { nextRun, describeTimetable } from '#core/timetable.ts';
import { msOf } from '#platform/clock.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { Database } from '#store/database.ts';
import { findLastScheduled, type Registered, registerVersion } from '#store/dag-versions.ts';

/** Registers one DAG. The date of its next run follows from its timetable, its last scheduled run and the database's clock. */
export async function registerDag(database: Database, compiled: CompiledDag, how: { bundle: string; active: boolean; parseMs: number | null }): Promise<Registered> {
  const { dag } = compiled;
  const next = nextRun(dag.timetable, {
    now: database.clock.nowMs(), last: await findLastScheduled(database, dag.dag_id), start: dag.start_date === undefined ? null : msOf(dag.start_date),
    end: dag.end_date === undefined ? null : msOf(dag.end_date), catchup: dag.catchup ?? false,
  });
  return registerVersion(database, { dag, sources: compiled.sources, next, timetable: describeTimetable(dag.timetable), ...how });
}
