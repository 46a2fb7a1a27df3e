-- Why: the last run that the timetable made, and the scheduled run before another, were searched among all runs of the DAG.
-- Beside thousands of manual runs each answer read them all (12,500 rows in the test that found it). run_type never changes, so moves of
-- a run stay in their page.
-- Locks: dag_runs against writes while the indexes are built (about a second for a million runs).  Compatibility: additive.

create index dag_runs_scheduled_after on dag_runs (tenant, dag_id, run_after desc) where run_type in ('scheduled', 'backfill');
create index dag_runs_scheduled_date on dag_runs (tenant, dag_id, logical_date) where run_type = 'scheduled';
