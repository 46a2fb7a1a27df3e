"""Fixture: two tasks with one id."""

from airflow.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("dup"):
    EmptyOperator(task_id="x")
    EmptyOperator(task_id="x")
