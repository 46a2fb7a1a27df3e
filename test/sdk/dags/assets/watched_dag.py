"""What a watcher of an asset sees outside triggers a run."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetWatcher, task

from inbox import InboxTrigger

INBOX = Asset("inbox", watchers=[AssetWatcher(name="files", trigger=InboxTrigger(folder="@INBOX@"))])

with DAG("take_files", schedule=[INBOX], max_active_runs=1):

    @task
    def take(*, triggering_asset_events):
        return [event.extra for of in triggering_asset_events.values() for event in of]

    take()
