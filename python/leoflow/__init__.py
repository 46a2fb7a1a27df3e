"""Leoflow's Python side: the `airflow` import names, the DAG parser, the task runtime and the agent. Standard library only."""
