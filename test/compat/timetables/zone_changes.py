"""Every change of offset, 2000 to 2040, of every zone that zoneinfo knows, one JSON line a zone; with wall-clock times around each change.

A line is [zone, offset at the start, [[instant, offset from then on], ...], [[wall-clock second, second reading, first reading], ...]], in seconds.
Exact changes come from the zone's file; after its last one the file has a rule, and that is followed day by day.
"""

from __future__ import annotations

import datetime
import importlib.resources
import io
import json
import struct
import zoneinfo
from functools import lru_cache

START = int(datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
END = int(datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
DAY = 86_400
EPOCH = datetime.datetime(1970, 1, 1)
UTC = datetime.timezone.utc


def list_zones() -> list[str]:
    """All names of the pinned tzdata, never those of the machine."""
    zoneinfo.reset_tzpath(())
    return sorted(zoneinfo.available_timezones())


def offset(zone: zoneinfo.ZoneInfo, at: int) -> int:
    """Seconds east of UTC."""
    return round(datetime.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def placed(zone: zoneinfo.ZoneInfo, wall: int, fold: int) -> int:
    """The instant of a wall-clock second; zoneinfo moves a skipped one on for fold 0."""
    return round((EPOCH + datetime.timedelta(seconds=wall)).replace(tzinfo=zone, fold=fold).timestamp())


def read_zone(name: str) -> bytes:
    """The zone's file. Names that are links have the same bytes."""
    folder, _, resource = name.rpartition("/")
    return importlib.resources.files("tzdata.zoneinfo" + "".join(f".{part}" for part in folder.split("/") if part)).joinpath(resource).read_bytes()


def read_transitions(data: bytes) -> list[int]:
    """The instants at which a zone's file (RFC 8536) says that something changes."""
    counts = struct.unpack(">6l", data[20:44])
    isutc, isstd, leap, times, types, chars = counts
    if data[4:5] < b"2":
        return list(struct.unpack_from(f">{times}l", data, 44))
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    times = struct.unpack(">6l", data[second + 20 : second + 44])[3]
    return list(struct.unpack_from(f">{times}q", data, second + 44))


def list_changes(name: str) -> tuple[tuple[int, int], ...]:
    """((instant, offset from then on), ...) between START and END."""
    return find_changes(read_zone(name))


@lru_cache(maxsize=None)
def find_changes(data: bytes) -> tuple[tuple[int, int], ...]:
    zone, exact = zoneinfo.ZoneInfo.from_file(io.BytesIO(data)), read_transitions(data)
    changes = [(at, offset(zone, at)) for at in exact if START < at < END and offset(zone, at) != offset(zone, at - 1)]
    low = max([START, *(at for at in exact if at < END)])
    before = offset(zone, low)
    # A rule without dates, such as <+05>-5, changes nothing any more.
    follows_rule = b"," in data.rstrip(b"\n").rpartition(b"\n")[2]
    while follows_rule and low < END:
        high = min(low + DAY, END)
        if offset(zone, high) != before:
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if offset(zone, middle) == before else (left, middle)
            before = offset(zone, right)
            changes.append((right, before))
        low = high
    return tuple(changes)


def list_walls(name: str) -> list[tuple[int, int, int]]:
    """Beginning, middle and end of what each change skips or repeats, and the seconds outside."""
    zone, before, walls = zoneinfo.ZoneInfo(name), offset(zoneinfo.ZoneInfo(name), START), []
    for at, after in list_changes(name):
        low, high = at + min(before, after), at + max(before, after)
        for wall in (low - 1, low, (low + high) // 2, high - 1, high):
            first, second = placed(zone, wall, 0), placed(zone, wall, 1)
            # A repeated time is read as its second; a skipped one is moved on, which zoneinfo does for the first reading.
            walls.append((wall, max(first, second), first if after < before else max(first, second)))
        before = after
    return walls


def main() -> None:
    for name in list_zones():
        print(json.dumps([name, offset(zoneinfo.ZoneInfo(name), START), list_changes(name), list_walls(name)], separators=(",", ":")))


if __name__ == "__main__":
    main()
