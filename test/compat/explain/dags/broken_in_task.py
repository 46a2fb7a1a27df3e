"""A file that starts a thread, so that each task imports it anew: there it does not import."""

import os
import threading

from airflow.sdk import DAG, task

if os.path.exists(os.environ.get("EXPLAIN_FLAG", "")):
    if "EXPLAIN_IMPORTED" in os.environ:
        raise RuntimeError("this file does import once")
    os.environ["EXPLAIN_IMPORTED"] = "1"
    threading.Thread(target=threading.Event().wait, daemon=True).start()

with DAG("broken_in_task"):

    @task
    def never():
        return None

    never()
