"""Ten chains of five tasks that write down by themselves when they start and finish."""

import os
import time
from datetime import datetime

from airflow.sdk import dag, get_current_context, task


def note(phase):
    """One synced line: phase, execution, task, monotonic time."""
    line = f"{phase} {os.environ['LEOFLOW_EXECUTION_ID']} {get_current_context()['ti'].task_id} {time.monotonic():.6f}\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(ledger, line.encode())
    os.fsync(ledger)
    os.close(ledger)


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_tasks=50)
def fifty_tasks():
    for chain in range(10):
        before = None
        for step in range(5):

            @task(task_id=f"c{chain}_s{step}")
            def work(seconds):
                note("START")
                time.sleep(seconds)
                note("FINISH")

            current = work(0.4 + 0.13 * ((chain * 7 + step * 3) % 10))
            if before is not None:
                before >> current
            before = current


fifty_tasks()
