"""Assets from end to end: who updates them, and whose runs they trigger. Consumers push what they were told."""

from __future__ import annotations

import datetime

from airflow.sdk import DAG, Asset, AssetAlias, Metadata, asset, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

ONE = Asset(name="one", uri="s3://bucket/one", extra={"of": "the asset"})
TWO = Asset("two")
ALIAS = AssetAlias("found")


def told(events):
    """Extras of events by the name of their asset."""
    return {key.name: [event.extra for event in of] for key, of in events.items()}


with DAG("make_one", schedule=None):

    @task(outlets=[ONE])
    def make(*, outlet_events):
        outlet_events[ONE].extra = {"rows": 7}

    make()

with DAG("make_two", schedule=None):

    @task(outlets=[TWO])
    def make():
        yield Metadata(TWO, {"rows": 8})

    make()

with DAG("make_found", schedule=None):

    @task(outlets=[ALIAS])
    def make(*, outlet_events):
        outlet_events[ALIAS].add(Asset("s3://bucket/found"), extra={"rows": 9})

    make()

with DAG("take_one", schedule=[ONE], max_active_runs=1):

    @task(inlets=[ONE])
    def take(*, triggering_asset_events, inlet_events, dag_run, ti):
        assert dag_run.run_type == "asset_triggered" and dag_run.logical_date is None
        ti.xcom_push("before", [event.extra for event in inlet_events[ONE]])
        return told(triggering_asset_events)

    take()

with DAG("take_found", schedule=ALIAS):

    @task(inlets=[ALIAS])
    def take(*, triggering_asset_events, inlet_events):
        return {"inlet": [event.extra for event in inlet_events[ALIAS]], **told(triggering_asset_events)}

    take()

with DAG("take_both", schedule=[ONE, TWO]):

    @task
    def take(*, triggering_asset_events):
        return told(triggering_asset_events)

    take()

with DAG("take_or_time", schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 0 1 1 *", timezone="UTC"), assets=TWO), catchup=False, start_date=datetime.datetime(2026, 1, 1)):

    @task
    def take(*, triggering_asset_events):
        return told(triggering_asset_events)

    take()


@asset(schedule=TWO)
def made_of_two(two):
    """A DAG of one task that reads one asset and updates another."""
    return two.uri
