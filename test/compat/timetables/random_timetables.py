"""Random timetables in the form of dag.json, and questions about their next run, from a seed."""

from __future__ import annotations

import datetime
import random

import random_crons

CONDITION = {"__type": "asset", "uri": "s3://bucket/key"}
HOUR_MS = 3_600_000
LENGTHS = [1, 30, 60, 90, 300, 3600, 5400, 18_000, 86_400, 90_000.5, 604_800, 0.75, 2_592_000]


def cron(rng: random.Random) -> str:
    """A random expression, or a usual one: those meet more changes of clocks."""
    usual = ["@hourly", "@daily", "@weekly", "@monthly", "30 2 * * *", "*/15 * * * *", "0 */2 * * *", "15 1 * * *", "0 3 * * 1-5", "* * * * *"]
    return rng.choice(usual) if rng.random() < 0.4 else random_crons.expression(rng)


def timetable(rng: random.Random, zone: str, near: int) -> dict:
    """Any kind that time moves; crons most often."""
    kind = rng.choice(("cron", "cron", "several", "cron_interval", "cron_interval", "delta", "delta_interval", "events", "continuous", "once", "asset_or_time"))
    if kind in ("cron", "several"):
        shape = {"kind": "cron", "expressions": [cron(rng) for _ in range(1 if kind == "cron" else rng.randint(2, 3))], "timezone": zone}
        if rng.random() < 0.3:
            shape["interval_seconds"] = rng.choice(LENGTHS)
        if rng.random() < 0.5:
            shape["run_immediately"] = rng.choice((True, False, 60, 3600, 86_400.5))
        return shape
    if kind == "cron_interval":
        return {"kind": kind, "expression": cron(rng), "timezone": zone}
    if kind == "delta":
        return {"kind": kind, "seconds": rng.choice(LENGTHS), **({"interval_seconds": rng.choice(LENGTHS)} if rng.random() < 0.3 else {})}
    if kind == "delta_interval":
        return {"kind": kind, "seconds": rng.choice(LENGTHS)}
    if kind == "events":
        dates = [iso(near + rng.randint(-100, 100) * HOUR_MS) for _ in range(rng.randint(0, 6))]
        return {"kind": kind, "dates": dates, "restrict_to_events": rng.random() < 0.5}
    if kind == "asset_or_time":
        return {"kind": kind, "condition": CONDITION, "timetable": {"kind": "cron_interval", "expression": cron(rng), "timezone": zone}}
    return {"kind": kind}


def iso(at: int) -> str:
    return datetime.datetime.fromtimestamp(at // 1000, datetime.timezone.utc).isoformat()


def first_case(rng: random.Random) -> tuple[dict, list]:
    """(timetable, [now, last interval or None, start, end, catchup])."""
    zone = random_crons.zone(rng)
    now = random_crons.instant(rng, zone)
    start = now + round(rng.uniform(-1500, 40) * HOUR_MS) if rng.random() < 0.7 else None
    end = now + round(rng.uniform(-40, 400) * HOUR_MS) if rng.random() < 0.2 else None
    last = None
    if rng.random() < 0.3:
        last_end = now + round(rng.uniform(-100, 3) * HOUR_MS)
        last = [last_end - round(rng.uniform(0, 48) * HOUR_MS), last_end]
    return timetable(rng, zone, now), [now, last, start, end, rng.random() < 0.5]


def following(rng: random.Random, query: list, answer: list) -> list:
    """The question after a run was created: usually when it was due or a little later, sometimes days later."""
    _, _, start, end, catchup = query
    now = max(query[0], answer[2]) + rng.choice((0, 1, 1000, rng.randint(0, 5 * 86_400_000)))
    return [now, answer[:2], start, end, catchup]
