"""Runs the triggers of a DAG version as its fork server would: `host_triggers.py SPEC`, with a ForkServerSpec and the agents' socket in JSON."""

import json
import sys

from leoflow.airflow_runtime.load import Project, prepare

if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    prepare(spec)
    Project(spec).host_triggers(spec["address"])
