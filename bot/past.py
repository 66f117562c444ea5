"""A clock that was put back: what was to be looked at shortly would otherwise wait until the time has come again."""

from __future__ import annotations

from datetime import timedelta

from core.ports import Clock

_SLEW = timedelta(seconds=1)
"""Less than this is the time service's ordinary correction; it delays nothing by more than itself."""


class Past:
    """Notices it. Each that remembers times of its own has one of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()

    def has_come_back(self) -> bool:
        """Whether the clock has been put back since the last question."""
        before, self._last = self._last, self._clock.now()
        return before - self._last > _SLEW
