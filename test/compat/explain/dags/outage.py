"""A task that fails while no server is there."""

import os
import time

from airflow.sdk import DAG, task

with DAG("outage"):

    @task
    def fails_meanwhile():
        print(f"process {os.getpid()} of {os.getppid()}", flush=True)
        while not os.path.exists(os.environ["EXPLAIN_FLAG"] + ".go"):
            time.sleep(0.05)
        raise ValueError("while nobody led")

    fails_meanwhile()
