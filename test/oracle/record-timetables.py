"""Records the answers of Airflow's own timetables: next runs, manual intervals, runs between two dates, texts and run ids.

Timetables are given in the form of dag.json; times are epoch milliseconds. A run is [interval start, interval end, run after].
timetables.json holds chosen cases, random-timetables.json random ones in all zones (the same that `make prove-timetables` plays with other seeds).
"""

from __future__ import annotations

import airflow_timetables  # noqa: I001  (sets the environment before Airflow is imported)

import datetime
import itertools
from unittest import mock

import airflow_oracle
import pendulum
import tzdata
from airflow.models.dagrun import DagRun
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.types import DagRunType
from airflow_timetables import CONDITION, build, ms, run
from croniter import CroniterBadDateError

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"


def cron(*expressions: str, timezone: str = "UTC", **more) -> dict:
    return {"kind": "cron", "expressions": list(expressions), "timezone": timezone, **more}


def cron_interval(expression: str, timezone: str = "UTC") -> dict:
    return {"kind": "cron_interval", "expression": expression, "timezone": timezone}


DATES = ["2026-05-01T12:00:00+02:00", "2026-01-01T00:00:00+00:00", "2026-03-29T03:30:00+02:00", "2025-11-21T11:07:00+00:00"]
TIMETABLES = [
    {"kind": "none"}, {"kind": "once"}, {"kind": "continuous"}, {"kind": "assets", "condition": CONDITION},
    cron("0 3 * * *"), cron("@daily", timezone=PARIS), cron("30 2 * * *", timezone=PARIS), cron("0 * * * *", timezone=NEW_YORK, interval_seconds=3600),
    cron("*/15 * * * *"), cron("*/15 * * * *", run_immediately=True), cron("0 0 * * 1", run_immediately=86400), cron("0 3 * * *", run_immediately=0.5),
    cron("0 0 1 * *", interval_seconds=2592000, run_immediately=False), cron("0 0 30 2 *"), cron("* * * * * */30", timezone="Asia/Kathmandu"),
    cron("0 3 * * *", "30 11 * * 1-5"), cron("0 0 * * *", "0 12 * * *", "0 12 * * 6", timezone=PARIS, interval_seconds=1800, run_immediately=True),
    {"kind": "delta", "seconds": 18000}, {"kind": "delta", "seconds": 90000.5, "interval_seconds": 60},
    cron_interval("0 3 * * *"), cron_interval("@hourly", NEW_YORK), cron_interval("30 2 * * *", PARIS), cron_interval("0 */2 * * *", PARIS), cron_interval("@monthly", "Australia/Lord_Howe"),
    {"kind": "delta_interval", "seconds": 18000}, {"kind": "delta_interval", "seconds": 86400}, {"kind": "delta_interval", "seconds": 0.75},
    {"kind": "events", "dates": DATES}, {"kind": "events", "dates": DATES, "restrict_to_events": True, "description": "Matches"}, {"kind": "events", "dates": []},
    {"kind": "asset_or_time", "condition": CONDITION, "timetable": cron("0 3 * * *")},
    {"kind": "asset_or_time", "condition": CONDITION, "timetable": {"kind": "delta_interval", "seconds": 18000}},
]
NOWS = ["2025-11-21T11:07:00", "2026-03-29T01:15:00", "2026-10-25T00:30:00.250", "2026-11-02T08:00:00", "2026-11-02T03:03:00"]
# [catchup, start, end], relative to now in hours; the last interval's end likewise, with its length.
RESTRICTIONS = [(False, None, None), (True, None, None), (False, -500.25, None), (True, -500.25, None), (False, 30, None), (True, 30, None), (True, -500.25, -490), (False, -500.25, -1)]
RANDOM_SEED, RANDOM_ROWS = "recorded", 6000
LASTS = [None, (-26, 1), (-3.4, 3.4), (2, 2), (0, 1)]


def instant(text: str) -> pendulum.DateTime:
    return pendulum.instance(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC))


def next_row(number: int, shape: dict, now: pendulum.DateTime, restriction: tuple, last: tuple | None) -> list:
    """[timetable, now, last interval, start, end, catchup, next run]."""
    catchup, start, end = restriction
    earliest, latest = (None if hours is None else ms(now.add(seconds=hours * 3600)) for hours in (start, end))
    end_of_last = last and now.add(seconds=last[0] * 3600)
    last_interval = last and [ms(end_of_last.subtract(seconds=last[1] * 3600)), ms(end_of_last)]
    query = [ms(now), last_interval, earliest, latest, catchup]
    return [number, *query, airflow_timetables.next_run(shape, query)]


def between(shape: dict, earliest: pendulum.DateTime, latest: pendulum.DateTime) -> list:
    dag = mock.Mock(timetable=build(shape), dag_id="oracle")
    infos = SerializedDAG.iter_dagrun_infos_between(dag, earliest, latest)
    return [run(info) for info in itertools.islice(infos, 6)]


def manual(shape: dict, moment: pendulum.DateTime) -> list | None:
    try:
        return [*map(ms, build(shape).infer_manual_data_interval(run_after=moment))]
    except CroniterBadDateError:
        return None


def main() -> None:
    combos = list(itertools.product(RESTRICTIONS, LASTS))
    rows = []
    for number, shape in enumerate(TIMETABLES):
        for turn, now in enumerate(NOWS):
            # Every restriction with every last interval over five moments; each moment takes its share.
            rows += [next_row(number, shape, instant(now), *combo) for combo in combos[(number + turn) % 3 :: 3]]
    moments = [instant(text) for text in ("2026-03-29T01:15:00", "2026-10-25T00:00:00", "2025-01-01T03:00:00")]
    listable = [number for number, shape in enumerate(TIMETABLES) if shape["kind"] not in ("none", "once", "continuous", "assets")]
    extra = {
        "manual": [[number, ms(moment), manual(shape, moment)] for number, shape in enumerate(TIMETABLES) for moment in moments],
        "between": [
            [number, ms(low), ms(high), between(TIMETABLES[number], low, high)]
            for number in listable
            for low, high in [(instant("2026-03-27T12:34:56"), instant("2026-03-30T00:00:00"))]
        ],
        "texts": [[number, (table := build(shape)).summary, table.description] for number, shape in enumerate(TIMETABLES)],
        "runIds": [
            [kind.value, ms(moment), DagRun.generate_run_id(run_type=kind, logical_date=moment, run_after=moment)]
            for kind in DagRunType
            for moment in (instant("2026-01-01T00:00:00"), instant("2026-10-25T00:30:00.250"))
        ],
    }
    versions = airflow_oracle.versions("apache-airflow-core", "croniter", "pendulum")
    head = {"versions": versions, "tzdata": tzdata.IANA_VERSION, "timetables": TIMETABLES, **extra}
    airflow_oracle.write("timetables.json", head, rows)
    random_rows = list(airflow_timetables.play(RANDOM_SEED, RANDOM_ROWS))
    airflow_oracle.write("random-timetables.json", {"versions": versions, "tzdata": tzdata.IANA_VERSION, "seed": RANDOM_SEED}, random_rows)


if __name__ == "__main__":
    main()
