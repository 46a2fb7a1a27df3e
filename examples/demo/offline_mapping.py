"""Dynamic task mapping over a list made at run time: what the demo runs when the Airflow wheel cannot be downloaded."""

from datetime import datetime

from airflow.sdk import DAG, task

with DAG(dag_id="offline_mapping", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"]):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def double(number):
        return number * 2

    @task
    def add_up(values):
        return sum(values)

    add_up(double.expand(number=numbers()))
