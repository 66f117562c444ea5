"""Small words that texts share: one way to write a duration, a digest, a size, a count, a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo


def digest(value: str | None) -> str:
    """The first and last four digits of a SHA-256: `9f3a…c21e`."""
    return f"{value[:4]}…{value[-4:]}" if value else "not yet fixed"


def size(count: int) -> str:
    """Bytes as people read them, in decimal units: `18.4 MB`."""
    amount, units = float(count), ["kB", "MB", "GB", "TB"]
    if amount < 1000:
        return f"{count} B"
    unit = "B"
    while amount >= 1000 and units:
        amount, unit = amount / 1000, units.pop(0)
    return f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """`9 s`, `41 min`, `2 h 5 min`, `3 d`."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} d"


def clock(at: datetime, zone: str, now: datetime) -> str:
    """A time in the reader's zone: `14:02` today, `Tue 14:09` within a week, else the date."""
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    days = abs((local.date() - today.date()).days)
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if days < 7 else f"{local:%Y-%m-%d %H:%M}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], joint: str = "and") -> str:
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"
