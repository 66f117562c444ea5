"""Times as people type them: `02:00`, `tomorrow 09:00`, `Fri 18:00`, `2026-12-24 18:00`, in their own time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|today|tomorrow"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})"
_DATE = r"(?P<date>\d{4}-\d{2}-\d{2})"
_TYPED = re.compile(
    rf"{_CLOCK}|(?P<day>{_DAY})\s+(?P<h>\d{{1,2}}):(?P<m>\d{{2}})|{_DATE}(?:[t\s]+(?P<hh>\d{{1,2}}):(?P<mm>\d{{2}}))?",
    re.ASCII,
)
EXPECTED = "expected one like 02:00, Fri 18:00 or 2026-12-24 18:00"


class TimeProblem(ValueError):
    """The text is no time, or none that can be meant. `str(error)` is one sentence."""


def begins_time(text: str) -> bool:
    """Whether `text` is a day, so that the clock's time may follow as the next word."""
    return re.fullmatch(rf"{_DAY}|\d{{4}}-\d{{2}}-\d{{2}}", text.lower()) is not None


def is_clock(text: str) -> bool:
    return re.fullmatch(r"\d{1,2}:\d{2}", text) is not None


def check(text: str) -> str:
    """`text`, lower-case and with single spaces, where it has the form of a time. Raises TimeProblem."""
    tidy = " ".join(text.lower().split())
    match = _TYPED.fullmatch(tidy)
    if match is None:
        raise TimeProblem(f"`{text}` is not a time; {EXPECTED}.")
    _clock(match, text)
    _date(match, text)
    return tidy


def resolve(text: str, now: datetime, zone: str) -> datetime:
    """The moment that `text` means to somebody in `zone`, in UTC: a time of day is the next one.

    Raises TimeProblem where it has passed, and where clocks go forward over it.
    """
    match = _TYPED.fullmatch(check(text))
    assert match is not None
    local, clock = now.astimezone(ZoneInfo(zone)), _clock(match, text)
    day = _date(match, text) or _day(match["day"], local, clock)
    found = _at(day, clock, zone, text)
    if found <= now and match["day"] is None and match["date"] is None:
        found = _at(day + timedelta(days=1), clock, zone, text)
    if found <= now:
        raise TimeProblem(f"`{text}` has passed: it is {local:%Y-%m-%d %H:%M} in {zone}.")
    return found


def _clock(match: re.Match[str], text: str) -> time:
    hour = match["hour"] or match["h"] or match["hh"] or "0"
    minute = match["minute"] or match["m"] or match["mm"] or "0"
    if int(hour) > 23 or int(minute) > 59:
        raise TimeProblem(f"`{text}` is not a time of day: hours go from 00 to 23, minutes to 59.")
    return time(int(hour), int(minute))


def _date(match: re.Match[str], text: str) -> date | None:
    if match["date"] is None:
        return None
    try:
        return date.fromisoformat(match["date"])
    except ValueError as error:
        raise TimeProblem(f"`{text}` is no date of the calendar; {EXPECTED}.") from error


def _day(word: str | None, local: datetime, clock: time) -> date:
    """The day that a word means: a day of the week is the next one on which the time is still to come."""
    if word is None or word == "today":
        return local.date()
    if word == "tomorrow":
        return local.date() + timedelta(days=1)
    wanted = next(number for number, name in enumerate(_DAYS) if name.startswith(word[:3]))
    ahead = (wanted - local.weekday()) % 7
    return local.date() + timedelta(days=ahead or (0 if local.time() < clock else 7))


def _at(day: date, clock: time, zone: str, text: str) -> datetime:
    local = datetime.combine(day, clock, ZoneInfo(zone))
    found = local.astimezone(UTC)
    if found.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise TimeProblem(f"`{text}` does not exist on {day} in {zone}: clocks go forward over it.")
    return found
