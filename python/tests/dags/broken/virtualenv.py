"""Fixture: a decorator the shim has not."""

from airflow.sdk import DAG, task

with DAG("venv"):

    @task.virtualenv(requirements=["x"])
    def f():
        return 1
