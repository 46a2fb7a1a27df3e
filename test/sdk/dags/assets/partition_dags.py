"""Partitions: a run by time is for one, its events are of it, and another DAG maps its key to one of its own."""

from __future__ import annotations

import datetime

from airflow.sdk import DAG, Asset, CronPartitionTimetable, PartitionedAssetTimetable, StartOfHourMapper, task

PART = Asset("part")

with DAG("make_part", schedule=CronPartitionTimetable("0 0 1 1 *", timezone="UTC"), start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), catchup=False):

    @task(outlets=[PART])
    def make(*, dag_run):
        return dag_run.partition_key

    make()

with DAG("take_part", schedule=PartitionedAssetTimetable(assets=PART, default_partition_mapper=StartOfHourMapper())):

    @task
    def take(*, dag_run, triggering_asset_events):
        return {"of": dag_run.partition_key, "events": len(triggering_asset_events[PART])}

    take()
