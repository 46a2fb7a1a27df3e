"""Airflow's own timetables, made from the form that dag.json has and asked what comes next at any time."""

from __future__ import annotations

import airflow_oracle  # noqa: I001, F401  (sets the environment before Airflow is imported)

import datetime
import pathlib
import random
import sys
import time
from collections.abc import Iterator
from unittest import mock

import pendulum
from airflow.sdk import Asset
from airflow.timetables import events, interval, simple, trigger
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.base import DataInterval, TimeRestriction
from croniter import CroniterBadDateError

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compat" / "timetables"))
import random_timetables  # noqa: E402

CONDITION = random_timetables.CONDITION
FAILS = "fails"


def seconds(value: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=value)


def build(shape: dict):
    """Airflow's timetable for one in the form of dag.json."""
    kind = shape["kind"]
    more = {"interval": seconds(shape.get("interval_seconds", 0))}
    if kind == "cron":
        run_immediately = shape.get("run_immediately", False)
        more["run_immediately"] = run_immediately if isinstance(run_immediately, bool) else seconds(run_immediately)
        several = len(shape["expressions"]) > 1
        return (trigger.MultipleCronTriggerTimetable if several else trigger.CronTriggerTimetable)(*shape["expressions"], timezone=shape["timezone"], **more)
    makers = {
        "none": simple.NullTimetable,
        "once": simple.OnceTimetable,
        "continuous": simple.ContinuousTimetable,
        "assets": lambda: simple.AssetTriggeredTimetable(Asset(CONDITION["uri"])),
        "delta": lambda: trigger.DeltaTriggerTimetable(seconds(shape["seconds"]), **more),
        "cron_interval": lambda: interval.CronDataIntervalTimetable(shape["expression"], shape["timezone"]),
        "delta_interval": lambda: interval.DeltaDataIntervalTimetable(seconds(shape["seconds"])),
        "events": lambda: events.EventsTimetable(
            [pendulum.parse(date) for date in shape["dates"]], shape.get("restrict_to_events", False), description=shape.get("description")
        ),
        "asset_or_time": lambda: AssetOrTimeSchedule(timetable=build(shape["timetable"]), assets=Asset(CONDITION["uri"])),
    }
    return makers[kind]()


def ms(moment: datetime.datetime | None) -> int | None:
    """Epoch milliseconds, fractions of them dropped."""
    return None if moment is None else round(moment.timestamp() * 1_000_000) // 1000


def run(info) -> list | None:
    return None if info is None else [*map(ms, info.data_interval), ms(info.run_after)]


class at:
    """Lets Airflow's timetables believe that it is `moment`."""

    def __init__(self, moment: datetime.datetime) -> None:
        clocks = [(trigger, "utcnow"), (interval, "utcnow"), (simple.timezone, "utcnow"), (events.timezone, "utcnow")]
        self.patches = [mock.patch.object(module, name, lambda: moment) for module, name in clocks]
        self.patches.append(mock.patch.object(time, "time", moment.timestamp))

    def __enter__(self) -> None:
        for patch in self.patches:
            patch.start()

    def __exit__(self, *_exc: object) -> None:
        for patch in self.patches:
            patch.stop()


def moment(at: int | None) -> pendulum.DateTime | None:
    """Of epoch milliseconds."""
    return None if at is None else pendulum.datetime(1970, 1, 1).add(seconds=at // 1000, microseconds=at % 1000 * 1000)


def next_run(shape: dict, query: list) -> list | str | None:
    """
    The next run by [now, last interval or None, start, end, catchup]; a cron date that never comes is no run.
    "fails" where Airflow stops at an assertion of its own: CronDataIntervalTimetable._skip_to_latest within an hour of some changes of clocks.
    """
    now, last, start, end, catchup = query
    last_interval = last and DataInterval(*map(moment, last))
    try:
        with at(moment(now)):
            info = build(shape).next_dagrun_info(last_automated_data_interval=last_interval, restriction=TimeRestriction(moment(start), moment(end), catchup))
    except CroniterBadDateError:
        return None
    except AssertionError as error:
        if "next schedule shouldn't be earlier" not in str(error):
            raise
        return FAILS
    return run(info)


def play(seed: str, count: int) -> Iterator[list]:
    """Random rows: [timetable, now, last interval, start, end, catchup, next run]. Most last intervals are the answer to the question before."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        shape, query = random_timetables.first_case(rng)
        for _ in range(rng.randint(1, 5)):
            answer = next_run(shape, query)
            yield [shape, *query, answer]
            made += 1
            if answer is None or answer == FAILS or made >= count:
                break
            query = random_timetables.following(rng, query, answer)
