"""A file that compiles, and does not import where tasks run."""

import os

from airflow.sdk import DAG, task


def settings():
    """What the file needs."""
    return os.environ["EXPLAIN_NOT_SET"]


if os.path.exists(os.path.join(os.path.dirname(__file__), os.environ.get("EXPLAIN_FLAG", "no flag"))):
    settings()

with DAG("broken"):

    @task
    def never():
        return None

    never()
