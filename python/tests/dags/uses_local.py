"""Fixture: a DAG that imports a local module, and registers itself without a name."""

from localmod.operators import Twice

from airflow.sdk import DAG


def draw():
    with DAG("uses_local", schedule=None):
        Twice(task_id="twice", value=21)


draw()
