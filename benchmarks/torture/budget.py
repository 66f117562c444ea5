"""How long the torture may take, and what that means for each part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """`seconds` for a part that takes `share` of all."""

    minutes: float
    seed: int

    def seconds(self, share: float) -> float:
        return self.minutes * 60 * share

    def times(self, each: int) -> int:
        """So often, where `each` is right for the 8 minutes that there are by default."""
        return max(1, round(each * self.minutes / 8))
