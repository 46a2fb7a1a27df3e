"""Runs that a timetable makes: which slots, which intervals, in which order."""

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, CronTriggerTimetable, DeltaDataIntervalTimetable, MultipleCronTriggerTimetable, task

FROM = datetime(2026, 1, 1, tzinfo=timezone.utc)
TO = datetime(2026, 1, 3, tzinfo=timezone.utc)
WINDOW = {"start_date": FROM, "end_date": TO, "catchup": True}

TIMETABLES = {
    "cron": "0 3 * * *", "preset": "@daily", "delta": timedelta(days=1), "once": "@once",
    "cron_interval": CronDataIntervalTimetable("0 3 * * *", timezone="UTC"),
    "delta_interval": DeltaDataIntervalTimetable(timedelta(days=1)),
    "cron_trigger_interval": CronTriggerTimetable("0 3 * * *", timezone="UTC", interval=timedelta(hours=6)),
    "multiple_cron": MultipleCronTriggerTimetable("0 3 * * *", "30 15 * * *", timezone="UTC"),
    "zone": CronTriggerTimetable("0 3 * * *", timezone="Europe/Berlin"),
}
for name, timetable in TIMETABLES.items():
    with DAG(f"catchup_{name}", schedule=timetable, **WINDOW):
        EmptyOperator(task_id="t")

with DAG("catchup_sequential", schedule="@daily", max_active_runs=1, **WINDOW):
    task(task_id="t")(lambda: None)()

with DAG("catchup_depends_on_past", schedule="@daily", max_active_runs=3, **WINDOW):
    @task(depends_on_past=True)
    def t(logical_date=None):
        if logical_date.day == 2:
            raise ValueError("by design")

    t()

with DAG("catchup_latest_only", schedule="@daily", **WINDOW):
    LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="below") >> EmptyOperator(task_id="done", trigger_rule="all_done")

with DAG("catchup_task_start_date", schedule="@daily", **WINDOW):
    EmptyOperator(task_id="always_there")
    EmptyOperator(task_id="later", start_date=datetime(2026, 1, 2, tzinfo=timezone.utc), depends_on_past=True)

with DAG("no_catchup_after_the_end", schedule="@daily", start_date=FROM, end_date=TO, catchup=False):
    EmptyOperator(task_id="t")

with DAG("manual_interval_of_cron", schedule="0 3 * * *", start_date=FROM, catchup=False):
    EmptyOperator(task_id="t")

with DAG("manual_interval_of_cron_interval", schedule=CronDataIntervalTimetable("0 3 * * *", timezone="UTC"), start_date=FROM, catchup=False):
    EmptyOperator(task_id="t")

# Who comes after a task that is not of the run's time waits for ever.
with DAG("catchup_below_task_of_another_time", schedule="@daily", start_date=FROM, end_date=FROM, catchup=True):
    EmptyOperator(task_id="later", start_date=datetime(2026, 1, 2, tzinfo=timezone.utc)) >> EmptyOperator(task_id="below")
    EmptyOperator(task_id="beside")
