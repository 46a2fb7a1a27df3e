"""Records every change of offset of some awkward time zones, 2000 to 2040, from Python's zoneinfo.

For changes between 2018 and 2032 it also records how Airflow places the wall-clock time in the middle of the gap or overlap.
"""

from __future__ import annotations

import airflow_oracle  # noqa: I001  (sets the environment before Airflow is imported)

import datetime
import zoneinfo

import pendulum
import tzdata
from airflow._shared.timezones.timezone import make_aware

ZONES = """UTC Europe/Paris Europe/London Europe/Dublin Europe/Lisbon Europe/Istanbul Europe/Moscow Europe/Volgograd Europe/Kaliningrad
Europe/Simferopol America/New_York America/Los_Angeles America/St_Johns America/Sao_Paulo America/Caracas America/Havana America/Asuncion
America/Santiago America/Scoresbysund America/Nuuk America/Argentina/San_Luis America/Port-au-Prince America/Cancun America/Mexico_City
Asia/Kolkata Asia/Kathmandu Asia/Tehran Asia/Gaza Asia/Amman Asia/Pyongyang Asia/Dhaka Asia/Almaty Asia/Yangon Africa/Cairo
Africa/Casablanca Africa/El_Aaiun Africa/Tripoli Africa/Khartoum Africa/Juba Africa/Monrovia Australia/Lord_Howe Australia/Sydney
Australia/Eucla Pacific/Apia Pacific/Fakaofo Pacific/Chatham Pacific/Norfolk Pacific/Kiritimati Antarctica/Troll Antarctica/Casey
Antarctica/Macquarie Etc/GMT+12""".split()
START = int(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC).timestamp())
END = int(datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC).timestamp())
PLACED = range(2018, 2033)
STEP = 6 * 3600
# Zones whose rules were changed by law lately: what tzdata says later than this depends on its release.
UNTIL = dict.fromkeys(["Africa/Casablanca", "Africa/El_Aaiun"], int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()))


def offset(zone: zoneinfo.ZoneInfo, at: int) -> int:
    """Seconds east of UTC."""
    return int(datetime.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def find_changes(zone: zoneinfo.ZoneInfo, until: int) -> list[tuple[int, int]]:
    """[(instant in epoch seconds, offset from then on)]."""
    changes = []
    for low in range(START, until, STEP):
        before, high = offset(zone, low), low + STEP
        if offset(zone, high) == before:
            continue
        start = low
        while high - start > 1:
            middle = (start + high) // 2
            start, high = (middle, high) if offset(zone, middle) == before else (start, middle)
        changes.append((high, offset(zone, high)))
    return changes


def place(name: str, at: int, before: int, after: int) -> list[int]:
    """[wall-clock seconds in the middle of the change, the instant Airflow takes, the first of two instants if it is repeated]."""
    wall = at + (before + after) // 2
    naive = datetime.datetime.fromtimestamp(wall, datetime.UTC).replace(tzinfo=None)
    placed = [wall, int(make_aware(naive, pendulum.timezone(name)).timestamp())]
    return placed + ([int(naive.replace(tzinfo=zoneinfo.ZoneInfo(name)).timestamp())] if after < before else [])


def main() -> None:
    rows = []
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        until = UNTIL.get(name, END)
        changes = find_changes(zone, until)
        befores = [offset(zone, START), *(after for _, after in changes)]
        placed = [
            place(name, at, before, after)
            for (at, after), before in zip(changes, befores, strict=False)
            if datetime.datetime.fromtimestamp(at, datetime.UTC).year in PLACED
        ]
        rows.append({"zone": name, "until": until, "first": befores[0], "changes": changes, "placed": placed})
    head = {"tzdata": tzdata.IANA_VERSION, "start": START}
    airflow_oracle.write("zones.json", head, rows)


if __name__ == "__main__":
    main()
