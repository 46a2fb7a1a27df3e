"""Fixture: one DAG per kind of schedule."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
)

one, two = Asset("one"), Asset(name="two", uri="s3://b/two")
schedules = {
    "none": None,
    "once": "@once",
    "preset": "@hourly",
    "cron": "5 4 * * *",
    "delta": timedelta(hours=2),
    "cron_trigger": CronTriggerTimetable("0 1 * * 3", timezone="Europe/Zurich", interval=timedelta(hours=1), run_immediately=True),
    "multiple": MultipleCronTriggerTimetable("0 1 * * *", "0 2 * * *", timezone="UTC"),
    "delta_trigger": DeltaTriggerTimetable(timedelta(minutes=5)),
    "cron_interval": CronDataIntervalTimetable("@daily", timezone="UTC"),
    "delta_interval": DeltaDataIntervalTimetable(timedelta(days=1)),
    "events": EventsTimetable([datetime(2026, 2, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, tzinfo=timezone.utc)]),
    "assets": [one, two],
    "expression": (one | two) & one,
    "asset_or_time": AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 1 * * *", timezone="UTC"), assets=one),
}
for name, schedule in schedules.items():
    globals()[name] = DAG(f"schedule_{name}", schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))
continuous = DAG("schedule_continuous", schedule="@continuous", max_active_runs=1)
