"""10,000 mapped tasks, in a file of its own: what else a file holds is part of every process that is forked for it."""

import time
from datetime import datetime

from airflow.sdk import DAG, task


@task
def step(number):
    began = time.monotonic_ns()
    print(f"line of {number}")
    return [began, time.monotonic_ns()]


with DAG(dag_id="bench_mapped_10000", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=32):
    step.expand(number=list(range(10000)))
