"""Fixture: @task, multiple outputs, repeated calls, overrides, context values, envelopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypedDict

from airflow.sdk import dag, get_current_context, task


@dataclass
class Point:
    x: int
    y: int


class Pair(TypedDict):
    left: int
    right: int


@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), tags=["b", "a"], default_args={"retries": 2, "greeting": "hi"},
     params={"n": 3})
def taskflow():
    """Adds numbers."""

    @task
    def number(value: int = 1) -> int:
        """Answers a number."""
        return value

    @task
    def pair() -> Pair:
        return {"left": 1, "right": 2}

    @task(multiple_outputs=True, retries=0)
    def many():
        return {"one": 1, "two": (1, 2)}

    @task
    def add(a, b, ti=None, ds=None, params=None, **context):
        return [a + b, ti.task_id, ds, params["n"], context["run_id"], sorted(context)[:1]]

    @task
    def greet(greeting):
        return greeting

    @task
    def odd_types():
        return {"d": datetime(2026, 1, 1, tzinfo=timezone.utc), "t": (1, 2), "s": {1}, "td": timedelta(seconds=5), "p": Point(1, 2)}

    @task
    def back(value):
        assert value["d"] == datetime(2026, 1, 1, tzinfo=timezone.utc), value
        assert value["t"] == (1, 2) and value["s"] == {1} and value["td"] == timedelta(seconds=5), value
        assert value["p"] == Point(1, 2), value
        return "ok"

    @task.bash(env={"NAME": "{{ ds }}"}, append_env=True)
    def shell(word):
        return f"echo {word} $NAME $AIRFLOW_CTX_TASK_ID"

    @task
    def current():
        return get_current_context()["ti"].try_number

    @task
    async def later():
        return "awaited"

    first = number()
    second = number(5)
    third = number.override(task_id="named", pool="p")(7)
    found = pair()
    add(first, found["right"])
    add(second, third)
    greet()
    many()
    back(odd_types())
    shell("word")
    current()
    later()


taskflow()
