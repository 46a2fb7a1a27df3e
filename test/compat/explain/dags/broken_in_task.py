"""A file that does more than draw, so that each task imports it itself: there it does not import."""

import os
import threading

from airflow.sdk import DAG, task

LOCK = threading.Lock()
if os.path.exists(os.environ.get("EXPLAIN_FLAG", "")):
    raise RuntimeError("this file does import once")

with DAG("broken_in_task"):

    @task
    def never():
        return None

    never()
