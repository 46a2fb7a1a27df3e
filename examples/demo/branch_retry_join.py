"""A branch, a retry that succeeds on its second try, and a join that runs whatever happened."""

from datetime import datetime, timedelta

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, tags=["demo"])
def branch_retry_join():
    @task.branch
    def choose():
        return "flaky"

    @task(retries=2, retry_delay=timedelta(milliseconds=200))
    def flaky():
        tries = get_current_context()["ti"].try_number
        print(f"try {tries}")
        if tries < 2:
            raise ConnectionError("the first try always fails")
        return f"succeeded on try {tries}"

    @task
    def not_taken():
        print("never printed")

    @task(trigger_rule="all_done")
    def join():
        return "joined"

    choose() >> [flaky(), not_taken()] >> join()


branch_retry_join()
