"""A task that writes down who runs it, and a program and a fork of it, then sleeps; and one that ends and leaves a program behind."""

import os
import subprocess
import time
from datetime import datetime, timezone

from airflow.sdk import DAG, task

with DAG("left_behind", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):

    @task
    def sleeps():
        program = subprocess.Popen(["sleep", "3000"], start_new_session=True)
        fork = os.fork()
        if fork == 0:
            os.setsid()
            time.sleep(3000)
            os._exit(0)
        with open(os.environ["LEFT_NOTES"], "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {program.pid} {fork}\n")
        time.sleep(3000)

    sleeps()


with DAG("leaves", schedule=None):

    @task
    def leaves():
        return subprocess.Popen(["sleep", "3000"], start_new_session=True).pid

    leaves()
