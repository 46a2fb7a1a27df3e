"""Work for a backup under load: runs that end soon and pass values on, and one whose middle task waits for a file."""

import hashlib
import os
import sys
import time
from datetime import datetime

from airflow.sdk import dag, get_current_context, task


def token() -> str:
    """The execution's token, from the frame of its agent: what somebody would send who kept it."""
    frame = sys._getframe()
    while frame.f_code.co_name != "live":
        frame = frame.f_back
    return frame.f_locals["spec"]["token"]


def note(phase: str, word: str) -> None:
    """One line in the server's own ledger: phase, execution, run, task, a word."""
    context = get_current_context()
    line = f"{phase} {os.environ['LEOFLOW_EXECUTION_ID']} {context['run_id']} {context['ti'].task_id} {word}\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(ledger, line.encode())
    os.close(ledger)


@task
def produce():
    value = os.urandom(1500).hex() + " ✓"
    note("VALUE", hashlib.sha256(value.encode()).hexdigest())
    return [value, value[:10]]


@task
def consume(values):
    note("GOT", hashlib.sha256(values[0].encode()).hexdigest())
    return len(values)


@task
def hold(length):
    note("HOLD", token())
    while not os.path.exists(os.environ["LEDGER"] + ".gate"):
        time.sleep(0.05)
    return length


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def backup_quick():
    consume(produce())


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def backup_held():
    hold(consume(produce()))


backup_quick()
backup_held()
