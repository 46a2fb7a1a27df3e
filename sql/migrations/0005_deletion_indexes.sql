-- Why: deleting a run searched all executions, and deleting a DAG version all runs and all DAGs.
-- Retention did the one in every part, and deleting a DAG the other once per version, for the foreign keys of the rows that name it.
-- Locks: executions, dag_runs and dags against writes while the indexes are built (about a second for a million rows).  Compatibility: additive.

create index executions_run on executions (run);
create index dag_runs_version on dag_runs (version_id);
create index dags_version on dags (version_id);
