"""A plugin of the project whose listener writes down what it hears of tasks and of runs."""

import os

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


def _write(word, instance):
    with open(os.path.join(os.environ["PROVIDERS_FOLDER"], "heard"), "a", encoding="utf-8") as file:
        file.write(f"{word} {instance.dag_id} {instance.task_id} {instance.try_number}\n")


def _write_run(word, run, msg):
    with open(os.path.join(os.environ["PROVIDERS_FOLDER"], "heard_of_runs"), "a", encoding="utf-8") as file:
        file.write(f"{word} {run.dag_id} {run.run_id} {msg} {run.get_state()} {run.run_type} {sorted(run.dag.task_ids)} {run.conf} {run.end_date is not None and run.end_date >= run.start_date >= run.queued_at}\n")


class Listener:
    """Hears of tasks and of runs."""

    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        """It begins."""
        _write("running", task_instance)

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        """It succeeded."""
        _write("success", task_instance)

    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        """It failed."""
        _write("failed", task_instance)

    @hookimpl
    def on_dag_run_running(self, dag_run, msg):
        """It begins."""
        _write_run("running", dag_run, msg)

    @hookimpl
    def on_dag_run_failed(self, dag_run, msg):
        """It failed."""
        _write_run("failed", dag_run, msg)


class Listening(AirflowPlugin):
    """Registers the listener."""

    name = "listening"
    listeners = [Listener()]
