"""Moves the clock that a DAG file sees at import, so that a file whose DAG depends on the time of day gives itself away."""

from __future__ import annotations

import datetime as dt
import importlib
import time


def shift_clock(seconds: float) -> None:
    """Shift `time.time`, `datetime.now`, `utcnow`, `today` and pendulum's now by some seconds, for the rest of the process."""
    _load_before_shifting()
    real_time, real_time_ns = time.time, time.time_ns
    offset = dt.timedelta(seconds=seconds)
    real_datetime, real_date = dt.datetime, dt.date

    class ShiftedDatetimeType(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_datetime)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real_datetime)

    class ShiftedDateType(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_date)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real_date)

    class ShiftedDatetime(real_datetime, metaclass=ShiftedDatetimeType):
        """datetime.datetime with another now."""

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            """The shifted moment."""
            return real_datetime.now(tz) + offset

        @classmethod
        def utcnow(cls) -> dt.datetime:
            """The shifted moment in UTC, without a zone."""
            return real_datetime.now(dt.timezone.utc).replace(tzinfo=None) + offset

        @classmethod
        def today(cls) -> dt.datetime:
            """The shifted moment, without a zone."""
            return real_datetime.now() + offset

    class ShiftedDate(real_date, metaclass=ShiftedDateType):
        """datetime.date with another today."""

        @classmethod
        def today(cls) -> dt.date:
            """The day of the shifted moment."""
            return (real_datetime.now() + offset).date()

    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + int(seconds * 1e9)
    dt.datetime, dt.date = ShiftedDatetime, ShiftedDate


def _load_before_shifting() -> None:
    # pendulum derives from both datetime and date, which must still be the real ones; its now() asks the shifted ones.
    for name in ("pendulum", "zoneinfo"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
