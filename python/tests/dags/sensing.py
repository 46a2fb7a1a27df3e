"""Fixture: sensors in both modes, timeouts, custom operators, callbacks, bash commands, templates."""

import os
from datetime import timedelta

from airflow.models.baseoperator import BaseOperator
from airflow.operators.bash import BashOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, PokeReturnValue, task

CALLS = []


class Greeter(BaseOperator):
    template_fields = ("name",)

    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.name = name

    def execute(self, context):
        self.log.info("greeting")
        return f"hello {self.name}"


def failing(**context):
    CALLS.append(type(context["exception"]).__name__)


with DAG("sensing", default_args={"owner": "me"}, user_defined_macros={"double": lambda v: v * 2}) as dag:
    Greeter(task_id="greeter", name="{{ ds_nodash }} {{ double(2) }} {{ ts | ts_nodash if false else run_id[:6] }}")

    @task.sensor(poke_interval=30, timeout=600, mode="reschedule")
    def waiting():
        return PokeReturnValue(is_done=False)

    @task.sensor(poke_interval=0, timeout=5)
    def ready():
        return PokeReturnValue(is_done=True, xcom_value="there")

    @task
    def callback_on_failure():
        raise ValueError("boom")

    @task(execution_timeout=timedelta(seconds=0.05))
    def slow():
        while True:
            os.getpid()

    waiting(), ready(), slow()
    PythonSensor(task_id="late", python_callable=lambda: False, timeout=0, poke_interval=0)
    PythonSensor(task_id="late_soft", python_callable=lambda: False, timeout=0, poke_interval=0, soft_fail=True)
    FileSensor(task_id="file", filepath=__file__)
    callback_on_failure.override(on_failure_callback=lambda context: CALLS.append(type(context["exception"]).__name__))()
    BashOperator(task_id="lines", bash_command="echo one; echo two")
    BashOperator(task_id="skips", bash_command="exit 99")
    BashOperator(task_id="fails", bash_command="exit 3")
    BashOperator(task_id="number", bash_command="echo '{\"a\": 1}'", output_processor=lambda text: text.upper())
    BashOperator(task_id="script", bash_command="hello.sh")
    BashOperator(task_id="hangs", bash_command="sleep 60", execution_timeout=timedelta(seconds=0.1))
