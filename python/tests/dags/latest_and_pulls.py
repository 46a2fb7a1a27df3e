"""Fixture: LatestOnlyOperator, and what a pull gives when nothing, or something older, was pushed."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, get_current_context, task

with DAG("latest_and_pulls", schedule="@daily"):
    LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="below")

    @task
    def nothing():
        return None

    @task
    def pull():
        ti = get_current_context()["ti"]
        return [ti.xcom_pull(task_ids="nothing", default="given"), ti.xcom_pull(task_ids="nothing", default="given", map_indexes=-1)]

    @task
    def pull_prior():
        ti = get_current_context()["ti"]
        return [ti.xcom_pull(task_ids="nothing", include_prior_dates=True), ti.xcom_pull(task_ids="nothing", include_prior_dates=True, map_indexes=-1)]

    @task
    def run_type(dag_run=None):
        return [str(dag_run.run_type), dag_run.run_type == "manual"]

    nothing() >> [pull(), pull_prior()]
    run_type()
