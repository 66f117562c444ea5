"""Slack's rate limits: a bucket each, refilled by the peer's clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.slack.peer.refused import RateLimited

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
"""Slack's tiers: calls of one method, by one app, in one workspace."""
POSTS_PER_SECOND = 1.0
"""chat.postMessage, for each channel; short bursts are let through."""
BURST = 5


@dataclass
class Rates:
    now: Callable[[], float]
    on: bool = True
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def method(self, name: str, tier: int) -> None:
        """Raises RateLimited."""
        per_minute = PER_MINUTE[tier]
        self._take(name, per_minute / 60, float(per_minute))

    def post(self, channel: str) -> None:
        """Raises RateLimited."""
        self._take(f"post {channel}", POSTS_PER_SECOND, BURST)

    def _take(self, key: str, per_second: float, most: float) -> None:
        if not self.on:
            return
        now = self.now()
        left, at = self._left.get(key, (most, now))
        left = min(most, left + (now - at) * per_second)
        if left < 1:
            self._left[key] = (left, now)
            raise RateLimited(math.ceil((1 - left) / per_second))
        self._left[key] = (left - 1, now)
