"""How much one page may ask for."""

from __future__ import annotations

from core.ports import Clock


class Bucket:
    """Holds `burst` tokens and gets `rate` new ones a second; each call takes one."""

    def __init__(self, clock: Clock, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = clock.now()

    def take(self) -> bool:
        """Whether there was one. A clock that goes back gives none."""
        now = self._clock.now()
        gained = max(0.0, (now - self._at).total_seconds()) * self._rate
        self._at = now
        self._tokens = min(self._burst, self._tokens + gained)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
