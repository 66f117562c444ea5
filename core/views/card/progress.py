"""What shows how far something is that is under way."""

from __future__ import annotations

from dataclasses import dataclass

from core.cards import Bar


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of an upload that is under way; shown, never journaled."""

    what: str
    done: int
    total: int

    def bar(self, after: str) -> Bar:
        share = self.done / self.total if self.total else 1.0
        return Bar(self.done, self.total, f"{self.what} {share:.0%}", after)
