"""As many waiting tasks as the environment says."""

import os
from datetime import datetime, timezone

from airflow.sdk import DAG
from waiting_trigger import WaitForFile

COUNT = int(os.environ.get("MANY_DEFERRED", "20"))

with DAG("many_deferred", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=2000):
    WaitForFile.partial(task_id="wait", folder=os.environ["DEFERRED_FOLDER"]).expand(who=list(range(COUNT)))
