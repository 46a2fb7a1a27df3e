"""Tasks for Airflow's own supervisor, started as Airflow's executors start it."""

import os
import time
from datetime import datetime, timezone

from airflow.sdk import DAG, BaseHook, BaseOperator, task


class Stubborn(BaseOperator):
    """Sleeps; when it is stopped it writes down that it was told so."""

    def execute(self, context):
        print("asleep")
        time.sleep(60)

    def on_kill(self):
        with open(os.environ["STOCK_NOTES"], "a", encoding="utf-8") as file:
            file.write("on_kill\n")


with DAG("stock", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):

    @task
    def quick():
        print("connected to", BaseHook.get_connection("my_conn").host)
        return 7

    quick()
    Stubborn(task_id="slow")
    Stubborn(task_id="cleared")
