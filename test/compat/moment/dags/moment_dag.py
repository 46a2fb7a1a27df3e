"""A DAG file whose values are those of the moment at which it is imported."""

import time

import site_of_project
from airflow.sdk import dag, task

IMPORTED = time.time_ns()


@dag(schedule=None)
def moment():
    """Tell what was imported."""

    @task
    def tell():
        return {"colour": site_of_project.COLOUR, "imported": str(IMPORTED)}

    tell()


moment()
