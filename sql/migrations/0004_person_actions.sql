-- Why: a leader may end a run only as people left it.
-- It compares how often they acted on the run with what it read: a mark that commits while the run's end is on its way would else stand
-- in a run that ended without it. `clear_number` stays Airflow's: it counts clears alone.
-- Locks: dag_runs for a moment (a column with a constant default, no rewrite).
-- Compatibility: additive. A leader of the version before compares clear_number, as it did.

alter table dag_runs add column action_number int not null default 0;
