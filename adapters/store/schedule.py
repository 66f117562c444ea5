"""When a deployment is looked at, and by whom: the rules of due times, leases and fences, the same for every store.

- An earlier due time wins against a later one, since a wish to look soon may come from somewhere that the later wish
  knows nothing of. No due time (None) withdraws the wish, unless somebody is at work: then their release decides.
- A claim takes the due time along. What is wished while somebody works is kept for their release, so that a kick in
  the middle of a look is never lost. A lease that ends without a release is due again at its end.
- A lease is lost when it was released or claimed again, not by the clock alone: its fence then no longer matches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from core.ports import Lease


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of one key. `fence` counts its claims."""

    key: str
    due_at: datetime | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None
    fence: int = 0

    @property
    def ready_at(self) -> datetime | None:
        """From when it may be claimed."""
        return self.due_at if self.lease_owner is None else self.lease_until

    def holds(self, lease: Lease) -> bool:
        return self.lease_owner == lease.owner and self.fence == lease.fence

    def wished(self, at: datetime | None) -> Work:
        withdrawn = at is None and self.lease_owner is None
        due_at = None if withdrawn else _earlier(self.due_at, at)
        return self if due_at == self.due_at else replace(self, due_at=due_at)

    def claimed(self, owner: str, until: datetime) -> Work:
        return Work(self.key, None, owner, until, self.fence + 1)

    def ended(self, now: datetime) -> Work:
        """As if the lease, where there is one, ended now."""
        return self if self.lease_owner is None else replace(self, lease_until=now)

    def released(self, due_at: datetime | None) -> Work:
        return Work(self.key, _earlier(self.due_at, due_at), None, None, self.fence)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
