"""What happens around a task: callbacks, mails, large values in an XCom backend of the project's choice, and its secrets backend."""

import os
from datetime import timedelta

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

from waiting import TellingOperator

FOLDER = os.environ["PROVIDERS_FOLDER"]


def note(word):
    """A callback that writes its word and the task's name down."""
    def write(context):
        with open(f"{FOLDER}/callbacks", "a", encoding="utf-8") as file:
            file.write(f"{word} {context['ti'].task_id} {context['ti'].try_number}\n")

    return write


ALL = {f"on_{word}_callback": note(word) for word in ("execute", "success", "failure", "retry", "skipped")}

with DAG("callbacks", schedule=None, default_args=ALL):
    @task
    def succeeds():
        """Nothing to do."""

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def fails():
        """Twice."""
        raise ValueError("as it should")

    @task
    def skips():
        """By itself."""
        raise AirflowSkipException("not today")

    [succeeds(), fails(), skips()]

with DAG("mails", schedule=None, default_args={"email": ["oncall@example.com"], "email_on_failure": True, "email_on_retry": True}):
    @task(retries=1, retry_delay=timedelta(seconds=0))
    def breaks():
        """Twice."""
        raise ValueError("a broken <belt>")

    breaks()

with DAG("values", schedule=None):
    @task
    def large():
        """More than the threshold of the backend."""
        return "x" * 5000

    @task
    def small():
        """Less than the threshold."""
        return {"few": 1}

    @task
    def measure(text, few):
        """Both are as they were returned."""
        return {"length": len(text), "few": few["few"]}

    measure(large(), small())

with DAG("backend", schedule=None):
    @task
    def ask():
        """The connection is known to the project's secrets backend only."""
        hook = PostgresHook(postgres_conn_id="hidden")
        print("the password is", hook.get_connection("hidden").password)
        return hook.get_first("select 6 * 7")[0]

    ask()
    TellingOperator(task_id="tell", conn_ids=["hidden", "shop"], variable="from_api")
    BashOperator(task_id="template", bash_command="echo shown: {{ conn.shop.password }}", do_xcom_push=False)
