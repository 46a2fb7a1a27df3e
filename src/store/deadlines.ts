// The table deadlines: which are missed, and what is asked of earlier runs. Rows are made and met in `moveTask`.
import type pg from 'pg';

type Query = Pick<pg.Client, 'query'>;

// A run that has succeeded in time has met its deadline whoever ended it; of all others the callback is asked for in the same statement.
const MISS = `/* store/deadlines.miss */
with fence as (
  select 1 from leader where epoch = $1 for share
), due as (
  select d.id, r.state = 'success' and r.end_date <= d.deadline_at as met from deadlines d join dag_runs r on r.id = d.run, fence
  where not d.missed and d.deadline_at <= clock_timestamp() order by d.deadline_at limit $2 for update of d skip locked
), met as (
  delete from deadlines d using due where d.id = due.id and due.met
), missed as (
  update deadlines d set missed = true from due where d.id = due.id and not due.met returning d.*
), asked as (
  insert into callbacks (id, run, version_id, kind, request, due_at, created_at)
  select m.id, m.run, r.version_id, 'deadline', json_build_object('callback', m.callback, 'deadline_time', to_char(m.deadline_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), clock_timestamp(), clock_timestamp()
  from missed m join dag_runs r on r.id = m.run returning 1
)
select (select count(*)::int from due) as looked, (select count(*)::int from asked) as asked`;

/** Asks for the callbacks of deadlines that are over, oldest first. @returns how many were looked at, and how many missed */
export async function missDeadlines(client: Query, epoch: number, limit: number): Promise<{ looked: number; asked: number }> {
  const { rows } = await client.query({ name: 'missDeadlines', text: MISS, values: [epoch, limit] });
  return (rows as { looked: number; asked: number }[])[0] ?? { looked: 0, asked: 0 };
}

/** When the next deadline is, epoch milliseconds; null when there is none. */
export async function findNextDeadline(client: Query): Promise<number | null> {
  const { rows } = await client.query({ name: 'findNextDeadline', text: '/* store/deadlines.next */ select min(deadline_at) as at from deadlines where not missed' });
  return (rows as { at: Date | null }[])[0]?.at?.getTime() ?? null;
}

const AVERAGE = `/* store/deadlines.average */
select count(*)::int as runs, coalesce(avg(extract(epoch from last.end_date - last.start_date)), 0)::float8 as seconds from (
  select start_date, end_date from dag_runs where tenant = 'default' and dag_id = $1 and finished and start_date is not null and end_date is not null
  order by logical_date desc nulls first limit $2
) last`;

/** How long the DAG's last finished runs took on average. Source: Airflow 3.2.1 `AverageRuntimeDeadline`. */
export async function averageRuntime(client: Query, dagId: string, maxRuns: number): Promise<{ runs: number; seconds: number }> {
  const { rows } = await client.query(AVERAGE, [dagId, maxRuns]);
  return (rows as { runs: number; seconds: number }[])[0] ?? { runs: 0, seconds: 0 };
}

const REQUEUED = `/* store/deadlines.requeued */
update deadlines d set deadline_at = r.queued_at + make_interval(secs => d.interval_seconds) from dag_runs r
where d.run = any($1::uuid[]) and r.id = d.run and not d.missed and d.reference = 'DagRunQueuedAtDeadline' and r.queued_at is not null`;

/** Runs were queued anew by people: deadlines that count from then move. Source: Airflow 3.2.1 `_recalculate_dagrun_queued_at_deadlines`. */
export async function moveQueuedDeadlines(client: Query, runs: readonly string[]): Promise<void> {
  await client.query(REQUEUED, [runs]);
}
