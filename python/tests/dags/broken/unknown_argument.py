"""Fixture: an argument nobody knows."""

from airflow.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("unknown"):
    EmptyOperator(task_id="x", colour="red")
