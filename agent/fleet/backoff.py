"""How long to wait after a failure: longer each time, and never in step with ten thousand others."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random, SystemRandom


@dataclass
class Backoff:
    """Exponential with jitter: each delay lies between half of the step and all of it. Seconds."""

    first: float
    ceiling: float
    random: Random = field(default_factory=SystemRandom)
    _step: float = 0.0

    def delay(self) -> float:
        """The next delay."""
        self._step = min(self._step * 2, self.ceiling) if self._step else self.first
        return self.random.uniform(self._step / 2, self._step)

    def reset(self) -> None:
        """It worked: the next failure starts from the beginning."""
        self._step = 0.0
