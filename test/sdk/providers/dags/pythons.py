"""Programs and interpreters of their own, a DAG that starts another, and links to what a task made."""

import os
import sys

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import ExternalPythonOperator, PythonVirtualenvOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Variable, task

from linked import LinkedOperator


def outside(number):
    """Runs in another interpreter."""
    import sys

    return {"number": number * 2, "prefix": sys.prefix}


with DAG("pythons", schedule=None):
    bash = BashOperator(task_id="bash", bash_command="echo from $PLACE of {{ params.who }} && test -n \"$PROVIDERS_FOLDER\" && echo last line", env={"PLACE": "env"}, append_env=True, params={"who": "bash"})
    skipped = BashOperator(task_id="skipped", bash_command="exit 99")
    external = ExternalPythonOperator(task_id="external", python=sys.executable, python_callable=outside, op_args=[21], expect_airflow=False)
    virtualenv = PythonVirtualenvOperator(task_id="virtualenv", python_callable=outside, op_kwargs={"number": 4}, system_site_packages=True, expect_airflow=False)
    start = TriggerDagRunOperator(task_id="start", trigger_dag_id="started", conf={"by": "{{ run_id }}"}, wait_for_completion=True, deferrable=True, poke_interval=1)
    linked = LinkedOperator(task_id="linked", page="p{{ 1 + 1 }}")

    @task
    def settings():
        """What the server's environment and the secrets backend of the project hold, beside what the API was told."""
        return {"backend": Variable.get("from_backend"), "api": Variable.get("from_api"), "folder": os.path.basename(os.environ["PROVIDERS_FOLDER"])}

    settings()

with DAG("started", schedule=None):
    BashOperator(task_id="hear", bash_command="echo started by {{ dag_run.conf['by'] }}")
