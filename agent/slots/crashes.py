"""Releases that were current and died: when each is started again, and for how long that is left alone."""

from __future__ import annotations

from dataclasses import dataclass

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 60.0
_STEADY = 60.0
"""Seconds of health after which a later crash counts as the first again."""


@dataclass
class _Fall:
    """`due` and `up_since` are seconds of the monotonic clock."""

    count: int
    due: float
    words: str
    up_since: float | None = None


class Crashes:
    """Exponential backoff per slot: 0.5 s, 1 s, 2 s … a minute. Times come from the caller."""

    def __init__(self) -> None:
        self._falls: dict[str, _Fall] = {}

    def down(self, slot: str) -> str | None:
        """What is known of a slot that is down; None for one that is not."""
        fall = self._falls.get(slot)
        return fall.words if fall is not None and fall.up_since is None else None

    def fell(self, slot: str, words: str, now: float, *, at_once: bool = False) -> None:
        """`slot` was found dead, or did not come up again. `at_once`: it did not crash, its host was restarted."""
        fall = self._falls.get(slot)
        steady = fall is not None and fall.up_since is not None and now - fall.up_since > _STEADY
        count = 1 if fall is None or steady else fall.count + 1
        delay = 0.0 if at_once else min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (count - 1))
        self._falls[slot] = _Fall(count, now + delay, words)

    def due(self, slot: str, now: float) -> bool:
        fall = self._falls.get(slot)
        return fall is not None and fall.up_since is None and now >= fall.due

    def rose(self, slot: str, now: float) -> None:
        if slot in self._falls:
            self._falls[slot].up_since = now

    def forget(self, slot: str) -> None:
        self._falls.pop(slot, None)
