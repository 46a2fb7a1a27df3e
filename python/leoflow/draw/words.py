"""Words of a drawing as Python values: durations, dates, times of day, assets, params, timetables."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

from leoflow.dagmodel.assets import Asset, AssetAlias, AssetAll, AssetAny, AssetRef
from leoflow.dagmodel.errors import AirflowTimetableInvalid
from leoflow.dagmodel.params import Param
from leoflow.dagmodel.timetables import (
    AssetOrTimeSchedule,
    AssetTriggeredTimetable,
    ContinuousTimetable,
    CronDataIntervalTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    Timetable,
    make_timetable,
)

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+\Z")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)\Z")
# A param's mapping with one of these describes it; any other is its default.
SPEC_KEYS = {"default", "type", "enum", "schema"}


def duration(value: Any) -> dt.timedelta:
    """A duration from seconds or a text such as 1h30m.

    Raises `ValueError`.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return dt.timedelta(seconds=value)
    if isinstance(value, str) and DURATION.match(value):
        total = dt.timedelta()
        for number, unit in _PART.findall(value):
            total += dt.timedelta(**{_UNITS[unit]: float(number)})
        return total
    raise ValueError(f"{value!r} is no duration: seconds, or a text such as 30s, 5m, 2h, 1h30m, 1d")


def zone(name: str) -> dt.tzinfo:
    """A time zone by its IANA name or as an offset such as +02:00.

    Raises `ValueError`.
    """
    if name == "UTC":
        return dt.timezone.utc
    offset = _OFFSET.match(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return dt.timezone(dt.timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None


def moment(value: Any, timezone: dt.tzinfo) -> dt.datetime:
    """A date or date-time in ISO's form; without an offset it is in `timezone`.

    Raises `ValueError`.
    """
    try:
        found = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no ISO date or date-time, such as 2026-01-31 or 2026-01-31T08:00:00+01:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone)


def time_of_day(value: Any) -> dt.time:
    """A time of the day in ISO's form.

    Raises `ValueError`.
    """
    try:
        return dt.time.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no time of the day, such as 08:30") from None


def asset(value: Any) -> Any:
    """An asset: its name as a text, {asset: uri, name?, group?, extra?}, {alias: name, group?}, or {ref: name} for one declared elsewhere.

    Raises `ValueError`.
    """
    if isinstance(value, str):
        return Asset(value)
    given = dict(value) if isinstance(value, dict) else {}
    keys = set(given)
    if "asset" in keys and keys <= {"asset", "name", "group", "extra"}:
        return Asset(given.pop("name", None), given.pop("asset"), **given)
    if "alias" in keys and keys <= {"alias", "group"}:
        return AssetAlias(given.pop("alias"), **given)
    if keys == {"ref"}:
        named = given["ref"]
        return AssetRef(**named) if isinstance(named, dict) else AssetRef(name=named)
    raise ValueError(f"{value!r} is no asset: a name, {{asset: uri}}, {{alias: name}} or {{ref: name}}")


def param(value: Any) -> Param:
    """A param from its default, or from {default, description, and JSON Schema's words}."""
    if not isinstance(value, dict) or not SPEC_KEYS & set(value):
        return Param(value)
    return Param(**value)


def schedule(value: Any, timezone: dt.tzinfo) -> Timetable:
    """The timetable of a `schedule`: cron, preset, or a duration."""
    if isinstance(value, str) and not DURATION.match(value):
        return make_timetable(value, timezone)
    return make_timetable(None if value is None else duration(value), timezone)


def timetable(spec: Any, timezone: dt.tzinfo) -> Timetable:
    """A timetable from dag.json's own words.

    Raises `AirflowTimetableInvalid`.
    """
    kind = spec.get("kind") if isinstance(spec, dict) else None
    build = _TIMETABLES.get(kind)
    if build is None:
        raise AirflowTimetableInvalid(f"a timetable is a mapping with a kind: {', '.join(_TIMETABLES)}")
    fields = {key: value for key, value in spec.items() if key != "kind"}
    try:
        return build(fields, timezone)
    except KeyError as error:
        raise AirflowTimetableInvalid(f"a timetable of kind {kind} needs {error.args[0]}") from None
    except TypeError as error:
        raise AirflowTimetableInvalid(f"a timetable of kind {kind}: {error}") from None


def _cron(fields: dict[str, Any], timezone: Any) -> Timetable:
    expressions = fields.pop("expressions", None) or [fields.pop("expression")]
    interval = duration(fields.pop("interval_seconds", 0))
    immediately = fields.pop("run_immediately", False)
    immediately = immediately if isinstance(immediately, bool) else duration(immediately)
    place = fields.pop("timezone", timezone)
    _nothing_left(fields)
    return MultipleCronTriggerTimetable(*expressions, timezone=place, interval=interval, run_immediately=immediately)


def _delta(fields: dict[str, Any], timezone: Any) -> Timetable:
    made = DeltaTriggerTimetable(duration(fields.pop("seconds")), interval=duration(fields.pop("interval_seconds", 0)))
    _nothing_left(fields)
    return made


def _events(fields: dict[str, Any], timezone: Any) -> Timetable:
    dates = [moment(date, timezone) for date in fields.pop("dates")]
    made = EventsTimetable(dates, fields.pop("restrict_to_events", False), True, fields.pop("description", None))
    _nothing_left(fields)
    return made


def _simple(build: Any) -> Any:
    def make(fields: dict[str, Any], timezone: Any) -> Timetable:
        made = build(fields, timezone)
        _nothing_left(fields)
        return made

    return make


def _nothing_left(fields: dict[str, Any]) -> None:
    if fields:
        raise TypeError(f"unknown {', '.join(fields)}")


def condition(spec: Any) -> Any:
    """A condition on assets: an asset, {any: [conditions]}, {all: [conditions]}, or dag.json's own words."""
    if isinstance(spec, list):
        return AssetAll(*map(condition, spec))
    if isinstance(spec, dict) and set(spec) == {"any"}:
        return AssetAny(*map(condition, spec["any"]))
    if isinstance(spec, dict) and set(spec) == {"all"}:
        return AssetAll(*map(condition, spec["all"]))
    kind = spec.get("__type") if isinstance(spec, dict) else None
    if kind in ("asset_any", "asset_all"):
        return (AssetAny if kind == "asset_any" else AssetAll)(*map(condition, spec["objects"]))
    if kind is None:
        return asset(spec)
    fields = {key: value for key, value in spec.items() if key != "__type"}
    if kind == "asset":
        return Asset(fields.pop("name", None), fields.pop("uri", None), group=fields.get("group"), extra=fields.get("extra"))
    return AssetAlias(**fields) if kind == "asset_alias" else AssetRef(**fields)


_TIMETABLES: dict[Any, Any] = {
    "none": _simple(lambda fields, timezone: NullTimetable()),
    "once": _simple(lambda fields, timezone: OnceTimetable()),
    "continuous": _simple(lambda fields, timezone: ContinuousTimetable()),
    "cron": _cron,
    "delta": _delta,
    "cron_interval": _simple(lambda fields, timezone: CronDataIntervalTimetable(fields.pop("expression"), fields.pop("timezone", timezone))),
    "delta_interval": _simple(lambda fields, timezone: DeltaDataIntervalTimetable(duration(fields.pop("seconds")))),
    "events": _events,
    "assets": _simple(lambda fields, timezone: AssetTriggeredTimetable(condition(fields.pop("condition")))),
    "asset_or_time": _simple(lambda fields, timezone: AssetOrTimeSchedule(
        assets=condition(fields.pop("condition")), timetable=timetable(fields.pop("timetable"), timezone))),
}
