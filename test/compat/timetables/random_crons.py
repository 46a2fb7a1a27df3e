"""Random cron expressions, zones and instants from a seed: half of the instants lie around a change of the zone's offset."""

from __future__ import annotations

import datetime
import random

import zone_changes

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


def field(rng: random.Random, low: int, high: int, names: list[str]) -> str:
    """One field of values, ranges, steps and lists."""

    def value(number: int) -> str:
        if names and rng.random() < 0.4:
            name = names[(number - low) % len(names)]
            return name.upper() if rng.random() < 0.2 else name
        return str(number)

    def item() -> str:
        first, second = sorted(rng.sample(range(low, high + 1), 2))
        shapes = [value(first), value(first), f"{value(first)}-{value(second)}", f"{value(second)}-{value(first)}", f"*/{rng.randint(1, high)}", f"{value(first)}-{value(second)}/{rng.randint(1, 9)}"]
        return rng.choice(shapes)

    if rng.random() < 0.35:
        return "*"
    return ",".join(item() for _ in range(rng.choice((1, 1, 1, 2, 3))))


def expression(rng: random.Random) -> str:
    """Five fields, now and then six; sometimes with L, W or # in a field of days, beside a star in the other."""
    minute, hour = field(rng, 0, 59, []), field(rng, 0, 23, [])
    month = "*" if rng.random() < 0.6 else field(rng, 1, 12, MONTHS)
    day, weekday = (field(rng, 1, 31, []) if rng.random() < 0.5 else "*"), (field(rng, 0, 6, WEEKDAYS) if rng.random() < 0.5 else "*")
    shape = rng.random()
    if shape < 0.06:
        day, weekday = rng.choice(("l", "L", f"{rng.randint(1, 28)},l")), rng.choice(("*", weekday))
    elif shape < 0.12:
        day, weekday = "*", rng.choice((f"{rng.randint(0, 6)}#{rng.randint(1, 5)}", f"{rng.choice(WEEKDAYS)}#{rng.randint(1, 4)}", f"l{rng.randint(0, 6)}"))
    elif shape < 0.16:
        day, weekday = f"{rng.randint(1, 31)}w", "*"
    elif shape < 0.18:
        day, weekday = rng.choice((("?", weekday), (day, "?")))
    seconds = f" {field(rng, 0, 59, [])}" if rng.random() < 0.08 else ""
    return f"{minute} {hour} {day} {month} {weekday}{seconds}"


def zone(rng: random.Random) -> str:
    """Any zone; a third of them among those that still change their clocks."""
    return rng.choice(CHANGING if rng.random() < 0.33 else ZONES)


def instant(rng: random.Random, name: str) -> int:
    """Epoch milliseconds between 2000 and 2038."""
    changes = [at for at, _ in zone_changes.list_changes(name) if at < LATEST]
    if changes and rng.random() < 0.6:
        seconds = rng.choice(changes) + rng.choice((rng.randint(-200, 200) * 60, rng.randint(-172_800, 172_800)))
    else:
        seconds = rng.randint(zone_changes.START + 86_400, LATEST)
    return seconds * 1000 + rng.choice((0, 0, 0, 250, 999))


LATEST = int(datetime.datetime(2038, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
# What ICU does not know is no zone of ours.
ZONES = [name for name in zone_changes.list_zones() if name not in ("Factory", "localtime")]
CHANGING = [name for name in ZONES if b"," in zone_changes.read_zone(name).rstrip(b"\n").rpartition(b"\n")[2]]


def cron_case(rng: random.Random) -> tuple[str, str, int]:
    """(expression, zone, instant in epoch milliseconds)."""
    name = zone(rng)
    return expression(rng), name, instant(rng, name)
