"""Schedules: what `schedule=` takes, as the timetables that dag.json names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from leoflow.dagmodel.assets import BaseAsset, as_condition
from leoflow.dagmodel.errors import AirflowTimetableInvalid, UnsupportedFeature
from leoflow.dagmodel.moments import instant, zone_name

PRESETS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@midnight": "0 0 * * *",
}


class Timetable:
    """When runs are created. Only the timetables of this module can be compiled."""

    can_be_scheduled = True
    active_runs_limit: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The timetable as dag.json writes it."""
        raise UnsupportedFeature(f"the timetable class {type(self).__name__} (a timetable of your own)")

    @property
    def summary(self) -> str:
        """One line for people."""
        return type(self).__name__


class NullTimetable(Timetable):
    """`schedule=None`: runs are made by hand only."""

    can_be_scheduled = False

    def to_json(self) -> dict[str, Any]:
        return {"kind": "none"}


class OnceTimetable(Timetable):
    """`@once`: one run."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": "once"}


class ContinuousTimetable(Timetable):
    """`@continuous`: the next run starts when one ends."""

    active_runs_limit = 1

    def to_json(self) -> dict[str, Any]:
        return {"kind": "continuous"}


def _cron(expression: Any) -> str:
    if not isinstance(expression, str):
        raise AirflowTimetableInvalid(f"a cron expression must be a string, got {expression!r}")
    text = PRESETS.get(expression, expression).strip()
    if len(text.split()) not in (5, 6, 7):
        raise AirflowTimetableInvalid(f"Exactly 5, 6, or 7 columns have to be specified for iterator expression, got {expression!r}")
    return text


def _seconds(value: Any) -> float | int:
    if not isinstance(value, timedelta):
        raise UnsupportedFeature(f"a schedule by {type(value).__name__}", "Use a timedelta or a cron expression.")
    seconds = value.total_seconds()
    return int(seconds) if seconds == int(seconds) else seconds


class CronTriggerTimetable(Timetable):
    """A cron expression; the run's logical date is the moment it is due."""

    def __init__(self, cron: str, *, timezone: Any, interval: Any = timedelta(), run_immediately: Any = False) -> None:
        self._expressions, self._timezone = [_cron(cron)], timezone
        self._interval, self._run_immediately = interval, run_immediately

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "kind": "cron", "expressions": self._expressions,
            "timezone": self._timezone if isinstance(self._timezone, str) else zone_name(self._timezone),
        }
        if self._interval:
            document["interval_seconds"] = _seconds(self._interval)
        if self._run_immediately is not False:
            immediately = self._run_immediately
            document["run_immediately"] = _seconds(immediately) if isinstance(immediately, timedelta) else bool(immediately)
        return document


class MultipleCronTriggerTimetable(CronTriggerTimetable):
    """Several cron expressions; a run for each moment one of them is due."""

    def __init__(self, *crons: str, timezone: Any, interval: Any = timedelta(), run_immediately: Any = False) -> None:
        if not crons:
            raise ValueError("cron expression required")
        super().__init__(crons[0], timezone=timezone, interval=interval, run_immediately=run_immediately)
        self._expressions = [_cron(cron) for cron in crons]


class DeltaTriggerTimetable(Timetable):
    """Every so often; the run's logical date is the moment it is due."""

    def __init__(self, delta: Any, *, interval: Any = timedelta()) -> None:
        self._delta, self._interval = delta, interval

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"kind": "delta", "seconds": _positive(self._delta)}
        if self._interval:
            document["interval_seconds"] = _seconds(self._interval)
        return document


class CronDataIntervalTimetable(Timetable):
    """A cron expression; a run covers the time between two moments and starts at its end."""

    def __init__(self, cron: str, timezone: Any) -> None:
        self._expression, self._timezone = _cron(cron), timezone

    def to_json(self) -> dict[str, Any]:
        zone = self._timezone if isinstance(self._timezone, str) else zone_name(self._timezone)
        return {"kind": "cron_interval", "expression": self._expression, "timezone": zone}


class DeltaDataIntervalTimetable(Timetable):
    """Every so often; a run covers the time since the last moment and starts at its end."""

    def __init__(self, delta: Any) -> None:
        self._delta = delta

    def to_json(self) -> dict[str, Any]:
        return {"kind": "delta_interval", "seconds": _positive(self._delta)}


class EventsTimetable(Timetable):
    """A list of dates."""

    def __init__(
        self, event_dates: Any, restrict_to_events: bool = False, presorted: bool = False, description: str | None = None
    ) -> None:
        self._dates = list(event_dates) if presorted else sorted(event_dates)
        self._restrict, self._description = restrict_to_events, description

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"kind": "events", "dates": [instant(date) for date in self._dates]}
        if self._restrict:
            document["restrict_to_events"] = True
        if self._description:
            document["description"] = self._description
        return document


class AssetTriggeredTimetable(Timetable):
    """A run whenever the condition on assets is fulfilled."""

    can_be_scheduled = False

    def __init__(self, assets: Any) -> None:
        self.asset_condition = as_condition(assets)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "assets", "condition": self.asset_condition.to_condition()}


class AssetOrTimeSchedule(Timetable):
    """A run when the condition on assets is fulfilled, and whenever the timetable is due."""

    def __init__(self, *, timetable: Timetable, assets: Any) -> None:
        self.timetable, self.asset_condition = timetable, as_condition(assets)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "asset_or_time", "condition": self.asset_condition.to_condition(), "timetable": self.timetable.to_json(),
        }


def _positive(delta: Any) -> float | int:
    seconds = _seconds(delta)
    if seconds <= 0:
        raise AirflowTimetableInvalid(f"schedule interval must be positive, not {delta!r}")
    return seconds


def make_timetable(schedule: Any, zone: Any) -> Timetable:
    """The timetable that a `schedule=` value means, in the DAG's time zone.

    Raises `AirflowTimetableInvalid`, or `UnsupportedFeature` for a class of the author's own.
    """
    if schedule is None:
        return NullTimetable()
    if isinstance(schedule, Timetable):
        schedule.to_json()
        return schedule
    if isinstance(schedule, BaseAsset):
        return AssetTriggeredTimetable(schedule)
    if isinstance(schedule, timedelta):
        return DeltaTriggerTimetable(schedule)
    if isinstance(schedule, str):
        return _from_text(schedule, zone)
    if isinstance(schedule, (list, tuple, set)):
        if not schedule:
            return NullTimetable()
        items = sorted(schedule, key=repr) if isinstance(schedule, set) else schedule
        if not all(isinstance(item, BaseAsset) for item in items):
            raise ValueError("All elements in 'schedule' should be either assets, asset references, or asset aliases")
        return AssetTriggeredTimetable(items)
    raise ValueError(f"{schedule!r} is not a valid schedule.")


def _from_text(schedule: str, zone: Any) -> Timetable:
    if schedule == "@once":
        return OnceTimetable()
    if schedule == "@continuous":
        return ContinuousTimetable()
    if schedule.startswith("@") and schedule not in PRESETS:
        raise AirflowTimetableInvalid(f"unknown schedule {schedule!r}; presets are {', '.join(sorted(PRESETS))}, @once, @continuous")
    return CronTriggerTimetable(schedule, timezone=zone)
