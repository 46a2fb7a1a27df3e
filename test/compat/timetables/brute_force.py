"""Fires of random crons found by trying every second of the wall clock that an expression can mean: `brute_force.py SEED COUNT`, or cases on standard input.

A case is [expression, zone, instant]; a line adds [next, the one after it] and [previous, the one before it], in epoch milliseconds.
The rules: what a field allows is croniter's; a wall-clock time that was skipped is moved on and of a repeated one the second counts (Airflow's make_aware);
an hour field that is a star counts elapsed time instead (Airflow's _covers_every_hour).
"""

from __future__ import annotations

import calendar
import datetime
import json
import random
import sys
import zoneinfo
from functools import lru_cache

import random_crons

EPOCH = datetime.datetime(1970, 1, 1)
UTC = datetime.timezone.utc
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59)]
DAYS = 50 * 366


def number(text: str, place: int) -> int:
    names = {3: ["", *random_crons.MONTHS], 4: random_crons.WEEKDAYS}.get(place, [])
    value = names.index(text) if text in names else int(text)
    return 0 if place == 4 and value == 7 else value


def values(text: str, place: int) -> set[int]:
    """What a list of values, ranges and steps allows; a range may wrap around its end."""
    low, high = BOUNDS[place]
    allowed: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        elif "-" in span:
            first, last = (number(part, place) for part in span.split("-"))
        else:
            first = last = number(span, place)
        circle = list(range(low, high + 1))
        turned = circle[first - low :] + circle[: first - low]
        allowed |= set(turned[: turned.index(last) + 1 : int(step or 1)])
    return allowed


class Cron:
    """An expression as plain sets and one question about days."""

    def __init__(self, expression: str) -> None:
        texts = expression.lower().split()
        self.texts = texts
        self.minutes, self.hours, self.months = values(texts[0], 0), values(texts[1], 1), values(texts[3], 3)
        self.seconds = sorted(values(texts[5], 5)) if len(texts) > 5 else [0]
        # A field with a star and more is not a plain star; one that lists everything is.
        self.every_hour = len(self.hours) == 24 and ("*" not in texts[1].split(",") or texts[1] == "*")
        self.free_day, self.free_weekday = self.is_free(2, texts[4]), self.is_free(4, texts[2])

    def is_free(self, place: int, other: str) -> bool:
        """croniter: a star frees the field, and so does a list of all values if the other field has a star somewhere."""
        text = self.texts[place]
        if "*" in text.split(",") or text == "?":
            return True
        if any(mark in text for mark in "lw") if place == 2 else "#" in text or text[0] == "l":
            return False
        return "*" in other and len(self.plain(place)) == BOUNDS[place][1] - BOUNDS[place][0] + 1

    def plain(self, place: int) -> set[int]:
        return values(self.texts[place], place)

    def is_day(self, day: datetime.date) -> bool:
        if day.month not in self.months:
            return False
        on_day = self.free_day or any(self.is_day_item(item, day) for item in self.texts[2].split(","))
        on_weekday = self.free_weekday or any(self.is_weekday_item(item, day) for item in self.texts[4].split(","))
        if self.free_day or self.free_weekday:
            return on_day and on_weekday
        return on_day or on_weekday

    @staticmethod
    def is_day_item(item: str, day: datetime.date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        if item == "l":
            return day.day == length
        if item.endswith("w"):
            wanted = day.replace(day=min(int(item[:-1]), length))
            near = [wanted + datetime.timedelta(days=step) for step in (0, -1, 1, -2, 2)]
            return day == next(one for one in near if one.month == day.month and one.weekday() < 5)
        return day.day in values(item, 2)

    @staticmethod
    def is_weekday_item(item: str, day: datetime.date) -> bool:
        weekday = day.isoweekday() % 7
        if item[0] == "l":
            return weekday == int(item[1:]) and (day + datetime.timedelta(days=7)).month != day.month
        if "#" in item:
            which, nth = item.split("#")
            return weekday == number(which, 4) and (day.day - 1) // 7 + 1 == int(nth)
        return weekday in values(item, 4)

    def search(self, local: datetime.datetime, step: int) -> datetime.datetime | None:
        """The first time after (step 1) or before (step -1) a wall-clock time: every day, every minute, every second is tried."""
        day = local.date()
        for _ in range(DAYS):
            if self.is_day(day):
                for minute in range(1440)[::step]:
                    if minute // 60 not in self.hours or minute % 60 not in self.minutes:
                        continue
                    for second in self.seconds[::step]:
                        at = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60, second))
                        if (at > local) if step > 0 else (at < local):
                            return at
            day += datetime.timedelta(days=step)
        return None


@lru_cache(maxsize=100)
def read(expression: str) -> Cron:
    return Cron(expression)


def ms(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1000)


def fire(case: tuple[str, str, int], step: int) -> int | None:
    """The next fire (step 1) or the previous one (step -1)."""
    expression, name, at = case
    cron, zone = read(expression), zoneinfo.ZoneInfo(name)
    local = datetime.datetime.fromtimestamp(at // 1000, zone).replace(tzinfo=None, fold=0) + datetime.timedelta(milliseconds=at % 1000)
    found = cron.search(local, step)
    if found is None:
        return None
    if cron.every_hour:
        return at + round((found - local).total_seconds() * 1000)
    return max(ms(found.replace(tzinfo=zone, fold=0)), ms(found.replace(tzinfo=zone, fold=1)))


def chain(case: tuple[str, str, int], step: int) -> list[int | None]:
    first = fire(case, step)
    return [first, None if first is None else fire((case[0], case[1], first), step)]


def main() -> None:
    if len(sys.argv) > 2:
        rng = random.Random(sys.argv[1])
        cases = (random_crons.cron_case(rng) for _ in range(int(sys.argv[2])))
    else:
        cases = (tuple(json.loads(line)) for line in sys.stdin)
    for case in cases:
        print(json.dumps([*case, chain(case, 1), chain(case, -1)], separators=(",", ":")))


if __name__ == "__main__":
    main()
