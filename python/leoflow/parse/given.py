"""Which settings of a DAG and its tasks their author gave, even where the value is Airflow's default and therefore not in dag.json."""

from __future__ import annotations

from typing import Any

#: Arguments by the names that dag.json has for them.
TASK_FIELDS = {
    "retries": "retries", "retry_delay": "retry_delay_seconds", "retry_exponential_backoff": "retry_exponential_backoff",
    "max_retry_delay": "max_retry_delay_seconds", "execution_timeout": "execution_timeout_seconds", "pool": "pool", "pool_slots": "pool_slots",
    "priority_weight": "priority_weight", "queue": "queue", "max_active_tis_per_dag": "max_active_tis_per_dag",
    "max_active_tis_per_dagrun": "max_active_tis_per_dagrun",
}


def given_of(dag: Any) -> dict[str, Any]:
    """`{"line", "dag": [field, …], "tasks": {task_id: [field, …]}}`, tasks without any left out. The line is that of the DAG."""
    tasks = {task.task_id: sorted(field for name, field in TASK_FIELDS.items() if name in task.given) for task in dag.tasks}
    return {"line": dag.line, "dag": sorted(dag.given), "tasks": {task_id: fields for task_id, fields in tasks.items() if fields}}
