"""Tries: how many, what ends them early, what a time-out and a back-off do."""

import time
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

NOW = timedelta(0)


def this_try():
    return get_current_context()["ti"].try_number


with DAG("retry_until_success", schedule=None):
    @task(retries=3, retry_delay=NOW)
    def flaky():
        if this_try() < 3:
            raise ValueError("by design")
        return this_try()

    @task
    def after(tries):
        return tries

    after(flaky())

with DAG("retries_exhausted", schedule=None):
    @task(retries=1, retry_delay=NOW)
    def hopeless():
        raise ValueError("by design")

    @task
    def after():
        pass

    hopeless() >> after()

with DAG("fail_exception_ends_the_tries", schedule=None):
    @task(retries=3, retry_delay=NOW)
    def fatal():
        raise AirflowFailException("by design")

    fatal()

with DAG("fail_exception_on_the_second_try", schedule=None):
    @task(retries=3, retry_delay=NOW)
    def fatal():
        if this_try() == 1:
            raise ValueError("by design")
        raise AirflowFailException("by design")

    fatal()

with DAG("skip_on_the_second_try", schedule=None):
    @task(retries=3, retry_delay=NOW)
    def skips():
        if this_try() == 1:
            raise ValueError("by design")
        raise AirflowSkipException("by design")

    @task
    def after():
        pass

    skips() >> after()

with DAG("retries_of_default_args", schedule=None, default_args={"retries": 1, "retry_delay": NOW}):
    @task
    def inherits():
        raise ValueError("by design")

    @task(retries=0)
    def own():
        raise ValueError("by design")

    inherits()
    own()

with DAG("retry_of_one_mapped_index", schedule=None):
    @task(retries=2, retry_delay=NOW)
    def each(x):
        if this_try() < x:
            raise ValueError("by design")
        return x

    each.expand(x=[1, 2, 3])

with DAG("backoff_is_capped", schedule=None):
    @task(retries=4, retry_delay=timedelta(seconds=1), retry_exponential_backoff=True, max_retry_delay=timedelta(seconds=1))
    def flaky():
        if this_try() < 4:
            raise ValueError("by design")
        return this_try()

    flaky()

with DAG("execution_timeout_is_a_failure", schedule=None):
    @task(execution_timeout=timedelta(seconds=1), retries=1, retry_delay=NOW)
    def slow():
        if this_try() == 1:
            time.sleep(30)
        return this_try()

    slow()

with DAG("execution_timeout_fails", schedule=None):
    @task(execution_timeout=timedelta(seconds=1))
    def slow():
        time.sleep(30)

    @task(trigger_rule="all_failed")
    def after():
        pass

    slow() >> after()

with DAG("bash_exit_codes", schedule=None):
    BashOperator(task_id="zero", bash_command="exit 0")
    BashOperator(task_id="one", bash_command="exit 1", retries=1, retry_delay=NOW)
    BashOperator(task_id="skips", bash_command="exit 99", retries=1, retry_delay=NOW)
    BashOperator(task_id="skips_on_seven", bash_command="exit 7", skip_on_exit_code=7)
    BashOperator(task_id="says", bash_command="echo first; echo last")

with DAG("process_that_dies", schedule=None):
    @task(retries=1, retry_delay=NOW)
    def dies():
        import os

        if this_try() == 1:
            os._exit(3)
        return this_try()

    dies()
