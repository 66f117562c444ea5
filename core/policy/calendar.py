"""When production may change by the calendar: windows that open again and again, and holidays.

Windows open by a cron expression in a time zone. Where clocks go forward over an opening it comes right after the gap,
and where they go back it comes once (the rules of Debian's cron); how long it lasts is time that passes, whatever
clocks show meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_MINUTE = timedelta(minutes=1)
_LONGEST_HOLIDAY = 400
"""Days after which the end of a holiday is not looked for any further."""


@dataclass(frozen=True, slots=True)
class Window:
    """Open for `lasts` seconds from each time that `opens`, a cron expression, names in `time_zone`."""

    name: str
    opens: str
    lasts: float
    time_zone: str = "UTC"
    components: tuple[str, ...] = ()
    required: bool = True
    """Whether production of these components changes in such windows only; else people may choose it."""

    def concerns(self, component: str) -> bool:
        return not self.components or component in self.components

    def is_open(self, now: datetime) -> bool:
        """Whether the last opening until `now` still lasts."""
        before = CronSim(self.opens, (now + _MINUTE).astimezone(ZoneInfo(self.time_zone)), reverse=True)
        last = next((at for at in before if at <= now), None)
        return last is not None and now.astimezone(UTC) < last.astimezone(UTC) + timedelta(seconds=self.lasts)

    def opening(self, now: datetime) -> datetime:
        """When it is open next: now, or its next opening. Raises ValueError where it never opens again."""
        if self.is_open(now):
            return now
        found = next(CronSim(self.opens, now.astimezone(ZoneInfo(self.time_zone))), None)
        if found is None:
            raise ValueError(f"the window {self.name} never opens")
        return found.astimezone(UTC)


def cron_problem(expression: str, now: datetime) -> str | None:
    """What is wrong with a cron expression, or None."""
    try:
        found = next(CronSim(expression, now), None)
    except CronSimError as error:
        return str(error)
    return None if found else "never comes"


@dataclass(frozen=True, slots=True)
class Holiday:
    """Whole days in `time_zone` on which production does not change: `12-25` each year, `2026-12-24`, or from/to."""

    name: str
    days: tuple[str, ...]
    time_zone: str = "UTC"
    components: tuple[str, ...] = ()

    def concerns(self, component: str) -> bool:
        return not self.components or component in self.components

    def until(self, now: datetime) -> datetime | None:
        """The midnight at which it ends, where it is a holiday now."""
        zone = ZoneInfo(self.time_zone)
        day = now.astimezone(zone).date()
        if not self._has(day):
            return None
        for _ in range(_LONGEST_HOLIDAY):
            day += timedelta(days=1)
            if not self._has(day):
                break
        return datetime.combine(day, time.min, zone).astimezone(UTC)

    def _has(self, day: date) -> bool:
        return any(_within(day, text) for text in self.days)


def _within(day: date, text: str) -> bool:
    """Dates as text compare as dates do; without a year it is each year's."""
    first, _, last = text.partition("/")
    shown = day.isoformat() if len(first) == len("2026-12-24") else f"{day:%m-%d}"
    last = last or first
    return first <= shown <= last if first <= last else shown >= first or shown <= last


@dataclass(frozen=True, slots=True)
class Closure:
    """Production of a component does not change before `until`, because of this."""

    kind: Literal["window", "holiday"]
    name: str
    until: datetime


def closures(
    windows: tuple[Window, ...], holidays: tuple[Holiday, ...], component: str, now: datetime
) -> list[Closure]:
    """Everything in the calendar that forbids a change of `component` now."""
    found = [
        Closure("holiday", holiday.name, until)
        for holiday in holidays
        if holiday.concerns(component) and (until := holiday.until(now)) is not None
    ]
    required = [window for window in windows if window.required and window.concerns(component)]
    if required and not any(window.is_open(now) for window in required):
        at, name = min((window.opening(now), window.name) for window in required)
        found.append(Closure("window", name, at))
    return found
