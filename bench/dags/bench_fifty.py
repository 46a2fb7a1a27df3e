"""50 independent tasks that do nothing."""

from datetime import datetime

from airflow.sdk import DAG, task


@task
def nothing():
    return None


with DAG(dag_id="bench_fifty", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=32):
    for index in range(50):
        nothing.override(task_id=f"nothing_{index:02d}")()
