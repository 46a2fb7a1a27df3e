"""The pipeline of test_draw as a dag.py."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, Asset, Label, Param, TaskGroup, setup, task, task_group, teardown
from zoneinfo import ZoneInfo

import steps

with DAG(
    "pipe", schedule="0 6 * * *", start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), tags=["b", "a"], catchup=True,
    params={"n": 3, "m": Param(5, type="integer", description="how many")}, default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    on_failure_callback=steps.told, dagrun_timeout=timedelta(hours=2),
):
    found = task(steps.numbers)(n=4)
    doubled = steps.double.override(pool="p").partial().expand(x=found)

    @task_group
    def each(v):
        inner = steps.double(v)
        done = EmptyOperator(task_id="done")
        inner >> done

    each.expand(v=found)
    way = task.branch(steps.choose)(value=doubled)
    yes, no = EmptyOperator(task_id="yes"), EmptyOperator(task_id="no", trigger_rule="none_failed")
    way >> Label("go") >> yes
    way >> no
    with TaskGroup("tail", tooltip="the end", default_args={"retries": 7}) as tail:
        BashOperator(task_id="say", bash_command="echo {{ ds }}", env={"A": "b"}, outlets=[Asset("x", "s3://x")])
        TimeDeltaSensor(task_id="wait", delta=timedelta(hours=1), mode="reschedule", poke_interval=60)
    [yes, no] >> tail
    look = task.sensor(steps.there, poke_interval=5, timeout=60)()
    pairs = steps.double.override(task_id="pairs").expand(x=found.zip(found.concat(found), fillvalue=0))
    rows = BashOperator.partial(task_id="rows").expand_kwargs([{"bash_command": "a"}, {"bash_command": "b"}])
    up = setup(task(steps.there)).override(task_id="up")()
    down = teardown(task(steps.there)).override(task_id="down")()
    up >> [look] >> down
    up >> down
