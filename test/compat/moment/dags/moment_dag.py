"""A DAG file whose values are those of the moment at which it is imported."""

import os
import sys
import time

import site_of_project
from airflow.sdk import dag, task

if hasattr(sys, "moment_dag"):
    raise ValueError("imported twice in one process, which a registry of metrics would not allow either")
sys.moment_dag = True
IMPORTED = time.time_ns()
print("said while it is imported")


def note(context):
    """Leave a line for the test, with what this process has imported."""
    with open(os.environ["MOMENT_NOTES"], "a", encoding="utf-8") as file:
        file.write(f"{context['dag_run'].dag_id} {site_of_project.COLOUR}\n")


@dag(schedule=None, on_success_callback=note)
def moment():
    """Tell what was imported."""

    @task
    def tell():
        return {"colour": site_of_project.COLOUR, "imported": str(IMPORTED)}

    tell()


moment()
