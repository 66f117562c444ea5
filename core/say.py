"""Small words that texts share: one way to write a duration, a digest, a size, a count, a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from core.moments import Style, moment


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


_FORMATS: dict[Style, str] = {"time": "%H:%M", "day": "%a %H:%M", "date": "%Y-%m-%d %H:%M"}


def clock(at: datetime, zone: str, now: datetime, *, named: bool = False) -> str:
    """A moment (see core.moments), in words of `zone`: `14:02` today, `Tue 14:09` within a week, else the date.

    `named`: the words name the zone too, for a text that others read; who sees their own zone needs no name of it.
    """
    style = style_of(at, ZoneInfo(zone), now)
    name = f" {zone}" if named else ""
    return moment(at, style, f"{hands(at, ZoneInfo(zone), style)}{name}")


def style_of(at: datetime, zone: tzinfo, now: datetime) -> Style:
    days = abs((at.astimezone(zone).date() - now.astimezone(zone).date()).days)
    return "time" if days == 0 else "day" if days < 7 else "date"


def hands(at: datetime, zone: tzinfo, style: Style) -> str:
    """The time as it stands on a clock in `zone`."""
    return at.astimezone(zone).strftime(_FORMATS[style])


def count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], joint: str = "and") -> str:
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"
