"""What Airflow and Leoflow both run: a chain of 40, 200 independent tasks, 200 mapped ones, 32 that only wait. Bodies return when they began and ended."""

import time
from datetime import datetime

from airflow.sdk import dag, task

COMMON = {"schedule": None, "start_date": datetime(2026, 1, 1), "catchup": False, "max_active_tasks": 64}


@task
def step(number):
    began = time.monotonic_ns()
    print(f"line of {number}")
    return [began, time.monotonic_ns()]


@dag(dag_id="beside_chain_40", **COMMON)
def chain():
    before = None
    for number in range(40):
        this = step.override(task_id=f"step_{number:02d}")(number)
        if before is not None:
            before >> this
        before = this


@dag(dag_id="beside_independent_200", **COMMON)
def independent():
    for number in range(200):
        step.override(task_id=f"step_{number:03d}")(number)


@dag(dag_id="beside_mapped_200", **COMMON)
def mapped():
    step.expand(number=list(range(200)))


@dag(dag_id="beside_wait_32", **COMMON)
def wait():
    @task
    def waits(number):
        time.sleep(25)
        return [time.monotonic_ns(), time.monotonic_ns()]

    for number in range(32):
        waits.override(task_id=f"wait_{number:02d}")(number)


chain()
independent()
mapped()
wait()
