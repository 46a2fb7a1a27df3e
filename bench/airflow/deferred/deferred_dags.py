"""What Airflow and Leoflow both run: a thousand deferred sensors that look for a file twice a second."""

import os
from datetime import datetime

from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG

with DAG("deferred_1000", schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=2000):
    FileSensor.partial(task_id="wait", filepath=os.environ["DEFERRED_FILE"], deferrable=True, poke_interval=0.5).expand(doc=[str(number) for number in range(1000)])
