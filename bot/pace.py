"""How fast one person may give commands: so that nobody, and no script, keeps the others from being heard."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


class Pace:
    """Counts commands over the last minute, by person. What is refused is not counted, so that waiting always helps."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._given: dict[str, deque[datetime]] = {}

    def wait(self, who: str, now: datetime) -> float:
        """Count a command by `who`, and give 0; or give the seconds after which the next one is heard."""
        times = self._given.get(who)
        if times is None:
            self._forget(now)
            times = self._given[who] = deque()
        while times and not _of_late(times[0], now):
            times.popleft()
        if len(times) >= self.per_minute:
            return (times[0] + _MINUTE - now).total_seconds()
        times.append(now)
        return 0.0

    def _forget(self, now: datetime) -> None:
        """Drop whoever has been silent for a minute."""
        self._given = {who: times for who, times in self._given.items() if times and _of_late(times[-1], now)}


def _of_late(at: datetime, now: datetime) -> bool:
    """Within the last minute. What lies ahead is from before the clock was put back, and tells nothing."""
    return now - _MINUTE < at <= now
