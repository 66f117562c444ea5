"""What was tried, and what of it did not hold."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Tally:
    """One line of the table. `held` are those that converged, or were refused as they should be."""

    what: str
    tried: int = 0
    held: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""
    _began: float = field(default_factory=time.monotonic)

    def held_well(self, times: int = 1) -> None:
        self.tried += times
        self.held += times

    def fault(self, sentence: str) -> None:
        self.tried += 1
        self.faults.append(sentence)

    def ends(self, note: str = "") -> Tally:
        """The time is taken here."""
        self.seconds = time.monotonic() - self._began
        self.note = note
        return self

    def is_clean(self) -> None:
        """Raises AssertionError where anything did not hold, or nothing was tried."""
        assert not self.faults, f"{self.what}: {len(self.faults)} of {self.tried}: " + "\n".join(self.faults[:5])
        assert self.tried, f"{self.what}: nothing was tried"
