"""Random questions to Airflow's own timetables: `ask_airflow.py SEED COUNT`, or questions on standard input; one JSON line each."""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "oracle"))
import airflow_timetables  # noqa: E402


def main() -> None:
    if len(sys.argv) > 2:
        rows = airflow_timetables.play(sys.argv[1], int(sys.argv[2]))
    else:
        rows = ([shape, *query, airflow_timetables.next_run(shape, query)] for shape, *query in map(json.loads, sys.stdin))
    for row in rows:
        print(json.dumps(row, separators=(",", ":")))


if __name__ == "__main__":
    main()
