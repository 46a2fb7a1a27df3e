"""One execution in a fresh interpreter, its job on the file descriptor named: the DAG file starts threads, which do not survive a fork.

The task imports the file itself, as it does under Airflow.
"""

import json
import os
import sys

from leoflow.airflow_runtime.load import Project, prepare


def main() -> None:
    """Run it to its end."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        job = json.load(file)
    os.chdir(job["fork_server"]["root"])
    prepare(job["fork_server"])
    Project(job["fork_server"]).live("", job["spec"])
    os._exit(0)


if __name__ == "__main__":
    main()
