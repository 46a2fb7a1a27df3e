"""Moments as text, the way logs and reports write them: UTC, with microseconds and a Z."""

from __future__ import annotations

import time

_DAY_SECONDS = 86_400
# First second and date of the day written last, as one value for the sake of threads. Known before a fork, it saves each child
# gmtime and strftime.
_day = (-1, "")


def text_of(seconds: float) -> str:
    """The text of a moment, given in seconds since 1970."""
    global _day
    whole = int(seconds)
    of_day = whole % _DAY_SECONDS
    start, date = _day
    if whole - of_day != start:
        date = time.strftime("%Y-%m-%d", time.gmtime(whole))
        _day = (whole - of_day, date)
    micros = int((seconds - whole) * 1e6)
    return "%sT%02d:%02d:%02d.%06dZ" % (date, of_day // 3600, of_day // 60 % 60, of_day % 60, micros)
