"""A file that compiles and does not import where tasks run: every run of it fails, and nothing else may."""

import os
from datetime import datetime

from airflow.sdk import dag, task

if "LEDGER" in os.environ:
    raise RuntimeError("this file does not import here")


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=100)
def broken():
    """One task that never starts."""

    @task
    def never():
        return None

    never()


broken()
