"""Fixture: a cycle, a repeated DAG id, and one good DAG."""

from airflow.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("cycle"):
    a, b, c = (EmptyOperator(task_id=name) for name in "abc")
    a >> b >> c >> a

with DAG("twice"):
    EmptyOperator(task_id="x")

with DAG("twice"):
    EmptyOperator(task_id="y")
