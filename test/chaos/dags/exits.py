"""A file that ends the interpreter where tasks run."""

import os
from datetime import datetime

from airflow.sdk import dag, task

if "LEDGER" in os.environ:
    os._exit(7)


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=100)
def exits():
    """One task that never starts."""

    @task
    def never():
        return None

    never()


exits()
