"""Records the delays of TaskInstance.next_retry_datetime and the texts Airflow uses for dates.

Rows of delays: [delay s, multiplier, maximum s or null, try number, DAG, task, logical date as ISO or null, resulting delay s].
"""

from __future__ import annotations

import airflow_oracle  # noqa: I001  (sets the environment before Airflow is imported)

import datetime
import itertools
from types import SimpleNamespace

from airflow.models.taskinstance import TaskInstance

END = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DATES = [None, "2026-01-01T00:00:00+00:00", "2026-03-29T01:02:03.004005+00:00", "2026-03-29T01:02:03.120000+00:00"]
# [delay, multiplier, maximum]
SETTINGS = [
    (300, 0, None), (300, 1, None), (300, -2, None), (0, 2, None), (0.5, 2, None), (1.5, 2.5, None), (1, 2, None), (300, 2, None), (300, 2, 86400),
    (300, 2, 1000), (300, 2, 0), (300, 0, 100), (10, 1.1, None), (7, 3, 90.5), (86400, 2, None), (100000, 0, None), (60, 0.5, None), (3600, 1.5, 7200),
]
TRIES = [1, 2, 3, 5, 8, 13, 50, 1100, 100000]


def delay(setting: tuple, try_number: int, logical_date: str | None) -> float:
    """Asks the real method, on an object that has only what it reads."""
    seconds, multiplier, maximum = setting
    task = SimpleNamespace(
        retry_delay=datetime.timedelta(seconds=seconds),
        retry_exponential_backoff=multiplier,
        max_retry_delay=None if maximum is None else datetime.timedelta(seconds=maximum),
    )
    instance = SimpleNamespace(
        task=task,
        try_number=try_number,
        dag_id="dag_é",
        task_id="group.task",
        logical_date=None if logical_date is None else datetime.datetime.fromisoformat(logical_date),
        end_date=END,
        log=SimpleNamespace(warning=lambda *_: None),
    )
    return (TaskInstance.next_retry_datetime(instance) - END).total_seconds()


def main() -> None:
    rows = [
        [*setting, try_number, "dag_é", "group.task", date, delay(setting, try_number, date)]
        for number, (setting, try_number) in enumerate(itertools.product(SETTINGS, TRIES))
        for date in (DATES[number % 4],)
    ]
    eligible = []
    for state, try_number, max_tries, retries in itertools.product(["running"], [0, 1, 2, 3], [0, 1, 2], [0, 1, 2]):
        instance = SimpleNamespace(state=state, try_number=try_number, max_tries=max_tries, task=SimpleNamespace(retries=retries))
        eligible.append([try_number, max_tries, retries, TaskInstance.is_eligible_to_retry(instance)])
    head = {"versions": airflow_oracle.versions("apache-airflow-core"), "eligible": eligible}
    airflow_oracle.write("retries.json", head, rows)


if __name__ == "__main__":
    main()
