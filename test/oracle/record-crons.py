"""Records how Airflow's cron timetables move from one fire to the next, and which expressions they accept.

A move is [expression, zone, start, next fires, previous fires, aligned to next, aligned to previous], all in epoch milliseconds;
null where the expression finds no date. A check is [expression, accepted].
"""

from __future__ import annotations

import airflow_oracle  # noqa: I001  (sets the environment before Airflow is imported)

import datetime
import random

import pendulum
import tzdata
from airflow.exceptions import AirflowTimetableInvalid
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from croniter import CroniterBadDateError

CHAIN = 3
# Each zone with instants around its changes of offset.
ZONES = {
    "UTC": ["2026-02-27T23:59:30", "2024-02-28T12:00:00"],
    "Europe/Paris": ["2026-03-29T00:40:00", "2026-03-29T01:15:00", "2026-10-24T23:30:00", "2026-10-25T00:15:00", "2026-10-25T01:15:00"],
    "America/New_York": ["2026-03-08T06:30:00", "2026-03-08T07:15:00", "2026-11-01T04:30:00", "2026-11-01T05:30:00", "2026-11-01T06:30:00"],
    "Australia/Lord_Howe": ["2026-04-04T14:45:00", "2026-10-03T15:15:00", "2026-10-03T15:40:00"],
    "Asia/Kathmandu": ["2026-12-31T18:00:00"],
    "America/Sao_Paulo": ["2018-11-04T02:30:00", "2018-11-04T03:10:00"],
    "Pacific/Apia": ["2011-12-30T09:30:00", "2011-12-30T10:30:00"],
    "Africa/Casablanca": ["2025-02-23T01:30:00", "2025-04-06T01:30:00"],
    "Antarctica/Troll": ["2026-03-29T00:30:00", "2026-10-25T00:30:00"],
}
AROUND_CHANGES = [
    "* * * * *", "*/5 * * * *", "0 * * * *", "30 * * * *", "@hourly", "15 2 * * *", "30 2 * * *", "15 1 * * *", "*/15 1-3 * * *",
    "0 */2 * * *", "0 0 * * *", "0 0 1 * *", "0 * 1 * *", "45 2,3 * * *", "0-59/20 0-23 * * *", "* * * * * */20", "0 2 * * 0", "30 *,2 * * *",
]
CALENDAR = [
    "0 0 29 2 *", "0 0 30 2 *", "0 0 31 * *", "0 0 31 4 *", "0 0 l * *", "0 0 L 2 *", "0 12 15,L * *", "0 0 13 * 5", "0 0 1-31 * 1", "0 0 */2 * 1",
    "0 0 */2 * 0-6", "0 0 1-31/2 * 0-6", "0 0 * * 1#1", "0 0 * * 5#5", "0 0 * * mon#2,wed#3", "0 0 * * l5", "0 0 * * L0,6#1", "0 0 1 * 1#1",
    "0 0 31 * 1#1", "0 0 31 2 1#2", "0 0 15w * *", "0 0 w1 * *", "0 0 31w * *", "0 0 15w * 1", "0 0 6w * 0", "0 0 15w * 1#3", "0 0 * jan-mar,NOV *",
    "0 0 * nov-feb *", "0 0 * nov-feb/2 *", "0 0 * * fri-mon", "0 0 * * 5-7", "0 0 * * 0-7", "0 0 * * 1-7/2", "0 0 ? * mon", "0 0 1 * ?", "0 0 * * 7",
    "50-10 * * * *", "50-10/7 * * * *", "59/15 * * * *", "10/20 22-2 * * *", "0 22-2/3 * * *", "5-5 3 * * *", "0 0 1 */3 *", "@quarterly", "@weekly",
    "@monthly", "@yearly", "@annually", "@midnight", "@DAILY", "0 0 29 2 1", "0 0 29 2 * 30", "0 0 1 1 * 0 2030", "0 0 1 1 * 0 2030-2040/5", "0 0 1 1 * 0 2020",
    "*/7 */5 */9 */5 */3", "0 0 30,31 * *", "0 0 5,31 * *", "0 0 28-31 2 *", "0 0 * * *,2", "0 0 *,5 * 1", "13 4 * * 1-5 15,45", "0 0 1-31 2 0-6", "0 0 1-7 * 1",
]
MORE_CHECKS = [
    "", " ", "* * * *", "* * * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "* * * * * 60",
    "* * * * * * 1969", "* * * * * 0 2100", "* * * * * * 2099", "-1 * * * *", "1--5 * * * *", "1- * * * *", "*/0 * * * *", "*/-1 * * * *", "*/x * * * *", "1/2/3 * * * *",
    "1,,2 * * * *", "1, * * * *", ", * * * *", "a * * * *", "* jan * * *", "* * * foo *", "* * * * foo", "* * * * jan", "* * * mon *", "? * * * *", "* * ?,1 * *",
    "* * 1? * *", "* * l-3 * *", "* * 3-l * *", "* * 3-l/5 * *", "* * l,1 * *", "* * * * l", "* * * * 5l", "* * * * l7", "* * * * l8", "* * * * 1#0", "* * * * 1#6",
    "* * * * 1-5#2", "* * * * mon-fri#2", "* * * * 8#2", "* * * * 1,2#1", "* * * * *,1#1", "* * * * 0-6,1#1", "* * * * #1", "* * * * 1#", "* * * * jan#1",
    "* * 15w,1 * *", "* * 1,15w * *", "* * 0w * *", "* * 32w * *", "* * lw * *", "* * w * *", "h * * * *", "H/15 * * * *", "@reboot", "@every", "@hourly ", " @daily",
    "0-60 * * * *", "5-61/2 * * * *", "70/5 * * * *", "*/100 * * * *", "0-10/100 * * * *", "+5 * * * *", "1.5 * * * *", "0x1 * * * *", "١ * * * *", "*5 * * * *", "5* * * * *",
    "** * * * *", "*-5 * * * *", "0 0 0-5 * *", "0 0 * 0-5 *", "0 0 * JAN-dec *", "0 0 * * SUN", "0 0 * * sunday", "0\t0 * * *", "0\u00a00 * * *", "99999999999999999999 * * * *",
    "00 007 * * *", "0-99999999999999999999 * * * *", "99999999999999999999/2 * * * *", "* * 0-0 * *", "* * * 0/2 *", "* * * * mon/2", "* * * dec/3 *", "* * */31 * *", "* * */32 * *", "* * * * */7", "1-5-7 * * * *", "jan-jan * * * *", "* * * jan-jan *", "* * * * sat-sun",
]


def ms(moment: datetime.datetime) -> int:
    """Epoch milliseconds."""
    return round(moment.timestamp() * 1000)


def chain(step, start) -> list[int | None]:
    """The next CHAIN answers of `step`, each asked from the one before."""
    answers: list[int | None] = []
    for _ in range(CHAIN):
        try:
            start = step(start)
        except CroniterBadDateError:
            return [*answers, None]
        answers.append(ms(start))
    return answers


def move(kind, expression: str, zone: str, start: datetime.datetime) -> list:
    """One recorded move, asked of a timetable of class `kind`."""
    table, at = kind(expression, timezone=zone), pendulum.instance(start)
    aligned = [chain(step, at)[0] for step in (table._align_to_next, table._align_to_prev)]
    return [expression, zone, ms(start), chain(table._get_next, at), chain(table._get_prev, at), *aligned]


def random_field(rng: random.Random, low: int, high: int) -> str:
    """A field of a random expression, valid for croniter."""
    first, second = sorted((rng.randint(low, high), rng.randint(low, high)))
    shapes = ["*", "*", f"{first}", f"{first}-{second}", f"{first},{second}", f"*/{rng.randint(1, high)}", f"{first}/{rng.randint(1, 9)}", f"{second}-{first}/{rng.randint(1, 4)}"]
    return rng.choice(shapes)


def accepted(expression: str) -> bool:
    """Whether Airflow would take a DAG with this schedule."""
    try:
        CronTriggerTimetable(expression, timezone="UTC").validate()
    except AirflowTimetableInvalid:
        return False
    return True


def main() -> None:
    rng = random.Random(20260101)

    def instant(text: str) -> datetime.datetime:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)

    moves = [
        move(CronTriggerTimetable, expression, zone, instant(start))
        for number, (zone, start) in enumerate((zone, start) for zone, starts in ZONES.items() for start in starts)
        for expression in (AROUND_CHANGES if zone in ("Europe/Paris", "Australia/Lord_Howe") else AROUND_CHANGES[number % 3 :: 3])
    ]
    for number, expression in enumerate(CALENDAR):
        for start in ("2026-01-30T10:20:31.250", "2027-12-31T23:00:00", "2028-02-29T00:00:00")[number % 2 :: 2]:
            moves.append(move(CronDataIntervalTimetable, expression, "UTC", instant(start)))
    for _ in range(120):
        bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)] + [(0, 59)] * rng.randint(0, 1)
        expression = " ".join(random_field(rng, *bound) for bound in bounds)
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=rng.randint(0, 10 * 365 * 86400))
        zone = rng.choice([zone for zone in ZONES if zone != "Africa/Casablanca"])
        if accepted(expression):
            moves.append(move(CronTriggerTimetable, expression, zone, start))
    checks = [[expression, accepted(expression)] for expression in [*AROUND_CHANGES, *CALENDAR, *MORE_CHECKS]]
    head = {"versions": airflow_oracle.versions("apache-airflow-core", "croniter", "pendulum"), "tzdata": tzdata.IANA_VERSION, "checks": checks}
    airflow_oracle.write("crons.json", head, moves)


if __name__ == "__main__":
    main()
