"""Ten DAGs whose one task sleeps: runs that stay active."""

import time
from datetime import datetime

from airflow.sdk import DAG, task


@task
def wait(seconds):
    time.sleep(seconds)


for index in range(10):
    with DAG(dag_id=f"bench_wait_{index}", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
        wait(60)
