"""Days of the week by name and ISO number."""

from __future__ import annotations

import enum
from typing import Any


@enum.unique
class WeekDay(enum.IntEnum):
    """Monday is 1, Sunday is 7."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def get_weekday_number(cls, week_day_str: str) -> WeekDay:
        """The day of a full English name.

        Raises `AttributeError` for another word.
        """
        name = week_day_str.upper()
        if name not in cls.__members__:
            raise AttributeError(f'Invalid Week Day passed: "{week_day_str}"')
        return cls[name]

    @classmethod
    def convert(cls, day: str | WeekDay) -> WeekDay:
        """The day of a name or of itself."""
        return day if isinstance(day, WeekDay) else cls.get_weekday_number(day)

    @classmethod
    def validate_week_day(cls, week_day: Any) -> set[WeekDay]:
        """The days of one name or day, or of several.

        Raises `TypeError` for anything else.
        """
        if isinstance(week_day, (str, WeekDay)):
            return {cls.convert(week_day)}
        if not hasattr(week_day, "__iter__"):
            raise TypeError(f"Unsupported Type for week_day parameter: {type(week_day)}.")
        return {cls.convert(day) for day in week_day}
