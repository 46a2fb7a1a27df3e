"""The DAGs that the benchmark runs: bodies that print a line and return when they began and ended (nanoseconds, monotonic)."""

import time
from datetime import datetime

from airflow.sdk import DAG, task


@task
def step(number):
    began = time.monotonic_ns()
    print(f"line of {number}")
    return [began, time.monotonic_ns()]


with DAG(dag_id="bench_mapped_1000", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=32):
    step.expand(number=list(range(1000)))

with DAG(dag_id="bench_chain_40", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    before = None
    for index in range(40):
        this = step.override(task_id=f"step_{index:02d}")(index)
        if before is not None:
            before >> this
        before = this
