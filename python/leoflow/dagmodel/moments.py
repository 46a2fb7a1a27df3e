"""Dates with time zones: Airflow's `timezone` functions, and the names of zones as dag.json spells them."""

from __future__ import annotations

import datetime as dt
from typing import Any

utc = dt.timezone.utc


def utcnow() -> dt.datetime:
    """Now, in UTC."""
    return dt.datetime.now(tz=utc)


def is_localized(value: dt.datetime) -> bool:
    """True when the date has a time zone."""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime) -> bool:
    """True when the date has no time zone."""
    return value.utcoffset() is None


def make_aware(value: dt.datetime | None, timezone: Any = None) -> dt.datetime | None:
    """A naive date put into `timezone` (UTC when not given).

    Raises `ValueError` for a date that has a zone.
    """
    if value is None:
        return None
    if is_localized(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    return value.replace(tzinfo=timezone or utc)


def make_naive(value: dt.datetime, timezone: Any = None) -> dt.datetime:
    """The wall clock of a date in `timezone` (UTC when not given), without a zone."""
    return value.astimezone(timezone or utc).replace(tzinfo=None)


def convert_to_utc(value: dt.datetime | None) -> dt.datetime | None:
    """The same instant in UTC; a naive date counts as UTC."""
    if value is None:
        return None
    return value.replace(tzinfo=utc) if is_naive(value) else value.astimezone(utc)


def datetime(*args: Any, **kwargs: Any) -> dt.datetime:
    """A date in UTC unless a zone is given."""
    if "tzinfo" not in kwargs:
        kwargs["tzinfo"] = utc
    return dt.datetime(*args, **kwargs)


def as_pendulum(value: Any) -> Any:
    """A date as pendulum's type, which is what Airflow puts into contexts; pendulum is loaded on first use."""
    if value is None:
        return None
    import pendulum

    if isinstance(value, str):
        return pendulum.instance(dt.datetime.fromisoformat(value.replace("Z", "+00:00"))).in_timezone("UTC")
    return pendulum.instance(value)


def coerce_datetime(value: dt.datetime | None, tz: Any = None) -> Any:
    """A date as pendulum's type; a naive one is put into `tz` (UTC when not given)."""
    if value is None:
        return None
    return as_pendulum(value if is_localized(value) else make_aware(value, tz))


def parse(text: str, timezone: Any = None, *, strict: bool = False) -> Any:
    """A date from text, as pendulum reads it."""
    import pendulum

    return pendulum.parse(text, tz=timezone or "UTC", strict=strict)


def parse_timezone(name: str | int) -> Any:
    """A time zone from its name or its offset in seconds."""
    import pendulum

    return pendulum.timezone(name)


def zone_name(zone: Any) -> str:
    """How a time zone is written into dag.json: an IANA name, or an offset such as +02:00."""
    for attribute in ("name", "key", "zone"):
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return "UTC" if name == "+00:00" else name
    offset = zone.utcoffset(None) if zone is not None else None
    if not offset:
        return "UTC"
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def instant(value: dt.datetime) -> str:
    """A date as dag.json writes it: ISO 8601 with an offset."""
    return (value.replace(tzinfo=utc) if is_naive(value) else value).isoformat()


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> dt.datetime:
    """Midnight (or another time of day) in UTC some days ago; a moving start_date makes every parse differ."""
    today = utcnow().replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return today - dt.timedelta(days=n)
