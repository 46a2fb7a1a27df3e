"""What a run's state is made of: its leaves."""

from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException


@task
def fail():
    raise ValueError("by design")


@task
def skip():
    raise AirflowSkipException("by design")


with DAG("run_leaf_fails", schedule=None):
    EmptyOperator(task_id="good") >> [fail(), EmptyOperator(task_id="leaf")]

with DAG("run_middle_fails", schedule=None):
    fail() >> EmptyOperator(task_id="leaf", trigger_rule="all_done")

with DAG("run_leaf_upstream_failed", schedule=None):
    fail() >> [EmptyOperator(task_id="leaf"), EmptyOperator(task_id="done", trigger_rule="all_done")]

with DAG("run_all_skipped", schedule=None):
    skip() >> EmptyOperator(task_id="leaf")

with DAG("run_watcher", schedule=None):
    bad = fail()
    [bad, EmptyOperator(task_id="good")] >> EmptyOperator(task_id="cleans_up", trigger_rule="all_done")
    [bad, EmptyOperator(task_id="other")] >> fail.override(task_id="watcher", trigger_rule="one_failed")()

with DAG("run_watcher_idle", schedule=None):
    EmptyOperator(task_id="good") >> fail.override(task_id="watcher", trigger_rule="one_failed")()

with DAG("run_of_empty_tasks", schedule=None):
    EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")

with DAG("run_without_tasks", schedule=None):
    pass

with DAG("run_mapped_leaf_fails", schedule=None):
    @task
    def each(x):
        if x == 2:
            raise ValueError("by design")

    each.expand(x=[1, 2, 3])

# A task that is not of this time never runs.
with DAG("run_with_task_of_another_time", schedule=None):
    EmptyOperator(task_id="now")
    EmptyOperator(task_id="before", end_date=datetime(2020, 1, 1))
