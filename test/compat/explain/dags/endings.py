"""A task per way to end, for both Python runtimes: what `leoflow tasks explain` says of each."""

import os
import signal
import sys
import time
from datetime import timedelta

from airflow.sdk import DAG, Connection, Variable, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

SOON, LATER = timedelta(seconds=0.2), timedelta(hours=1)


def look_up(order):
    """Deeper than the task itself."""
    raise ValueError(f"no such order: {order}")


with DAG("endings", max_active_tasks=100):

    @task
    def exits_hard():
        os._exit(7)

    @task
    def exits():
        sys.exit(3)

    @task
    def is_killed():
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def crashes():
        os.kill(os.getpid(), signal.SIGSEGV)

    @task
    def raises():
        look_up(7)

    @task
    def raises_in_turn():
        try:
            look_up(8)
        except ValueError as error:
            raise KeyError("orders") from error

    @task(retries=1, retry_delay=SOON)
    def raises_twice(ti=None):
        raise RuntimeError(f"failure number {ti.try_number}")

    @task(retries=2, retry_delay=LATER)
    def is_tried_later():
        look_up(9)

    @task(retries=1, retry_delay=SOON)
    def recovers(ti=None):
        if ti.try_number == 1:
            look_up(10)

    @task(retries=2)
    def fails_for_good():
        raise AirflowFailException("the order was cancelled")

    @task
    def raises_airflow():
        raise AirflowException("the API said no")

    @task
    def skips():
        raise AirflowSkipException("nothing new today")

    @task(execution_timeout=timedelta(seconds=1))
    def is_too_slow():
        time.sleep(60)

    @task.sensor(poke_interval=0.2, timeout=0.5)
    def waits_in_vain():
        return False

    @task.sensor(poke_interval=0.2, timeout=0.5, soft_fail=True)
    def waits_softly():
        return False

    @task
    def is_marked():
        print("it goes on", flush=True)
        time.sleep(600)

    @task
    def returns_too_much():
        return "x" * 5000

    @task
    def returns_no_number():
        return {"loss": float("nan")}

    @task
    def returns_an_object():
        return object()

    @task
    def lacks_a_variable():
        Variable.get("nobody_has_it")

    @task
    def lacks_a_connection():
        Connection.get("nobody_has_it")

    @task
    def tells_a_secret():
        raise ValueError(f"cannot log in with {Connection.get('with_password').password}")

    @task
    def is_misspelt(text):
        return text

    for each in (exits_hard, exits, is_killed, crashes, raises, raises_in_turn, raises_twice, is_tried_later, recovers, fails_for_good, raises_airflow, skips, is_too_slow, waits_in_vain,
                 waits_softly, is_marked, returns_too_much, returns_no_number, returns_an_object, lacks_a_variable, lacks_a_connection, tells_a_secret):
        each()
    is_misspelt("{{ nobody.has_it }}")
