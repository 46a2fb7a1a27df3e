"""Fixture: setups and teardowns, in all their forms."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, setup, task, teardown

with DAG("setups"):
    with EmptyOperator(task_id="s1").as_setup() >> EmptyOperator(task_id="t1").as_teardown(on_failure_fail_dagrun=True):
        w1 = EmptyOperator(task_id="w1")
        w2 = EmptyOperator(task_id="w2")
        w1 >> w2

    s2 = EmptyOperator(task_id="s2")
    w3 = EmptyOperator(task_id="w3")
    s2 >> w3 >> EmptyOperator(task_id="t2").as_teardown(setups=s2)

    @setup
    def s3():
        return 1

    @teardown
    def t3(value):
        return value

    @task
    def w4():
        return 2

    opened = s3()
    with t3(opened) as scope:
        w4()
