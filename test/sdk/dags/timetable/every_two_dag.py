"""A DAG on a timetable of its project."""

from datetime import datetime, timezone

from airflow.sdk import DAG, task
from every_two import EveryTwoSeconds

with DAG("every_two", schedule=EveryTwoSeconds(first=1), start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=2):

    @task
    def tick(data_interval_end=None):
        return str(data_interval_end)

    tick()
