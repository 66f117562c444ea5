"""What is remembered: messages in and out, deployments, lanes, the journal, and the right to work on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from core.cards import Card
from core.journal import Draft, Entry, Head
from core.ports.messages import Incoming, Reply
from core.state import Block, Deployment, Lane, Server, ServerRole


class Conflict(Exception):
    """Somebody else committed first: load again and decide again."""


class FenceLost(Exception):
    """The lease on this work was lost; what was observed is for its new owner to see."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one deployment until `until`; `fence` rises with each claim."""

    key: str
    owner: str
    fence: int
    until: datetime


Kind = Literal["milestone", "broadcast", "direct", "line", "reply"]


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to be sent. Those of one (channel, deployment) go out in order of their commit.

    milestone: into the deployment's thread in `channel`. broadcast: there and in the channel. direct: to `person`
    alone, as their platform allows. line: one line in `channel`. reply: to `person` in `channel`, seen by nobody else.
    """

    kind: Kind
    channel: str
    card: Card
    deployment: str | None = None
    person: str | None = None
    expires_at: datetime | None = None
    mentions: tuple[str, ...] = ()
    """milestone, broadcast: the people whom it pings."""
    vote: bool = False
    """Asks for votes: whoever's vote is no longer missing when its turn comes is left alone."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An outbox row with its number, as the notifier gets it."""

    number: int
    message: Outbound
    tries: int


@dataclass(frozen=True, slots=True)
class CardRow:
    """One deployment's card in one channel: where it is, which version it shows, which it should show."""

    channel: str
    deployment: str
    reference: str | None
    shown: int
    wanted: int
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """Marks an inbox row as done, with its reply, in the transaction of what it decided."""

    platform: str
    delivery: str
    reply: Reply
    message: Incoming | None = None
    """With it the row need not be there before: message, decision and reply become durable at once."""


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction: everything that a decision changes, or nothing.

    `deployment` is the state after, with the version it was loaded with (0: new); the store raises it by one. `lane`
    likewise. `follow` are channels that show the deployment's card from now on; every card of the deployment is
    marked as wanting the new version. `due` says when the reconciler looks at a deployment next: an earlier time wins,
    and None (not by itself) withdraws it unless somebody works on it.
    """

    deployment: Deployment | None = None
    lane: Lane | None = None
    servers: tuple[Server, ...] = ()
    removed: tuple[tuple[ServerRole, str], ...] = ()
    """Role and region of servers that are configured no more."""
    blocks: tuple[Block, ...] = ()
    """New ones. Raises Conflict where one with this id is there, unless it is among `lifted`."""
    lifted: tuple[str, ...] = ()
    """Ids of blocks that are there no more."""
    judged: frozenset[str] | None = None
    """Where a lane is taken: the ids of the blocks by which it was judged. Conflict where there are others now."""
    relied_on: tuple[Server, ...] | None = None
    """Where something is on its way to a server from now on: those by which it was judged. Conflict likewise."""
    redraw: tuple[str, ...] = ()
    """Deployments whose cards are drawn anew, though they did not change themselves."""
    entries: tuple[Draft, ...] = ()
    outbox: tuple[Outbound, ...] = ()
    follow: tuple[str, ...] = ()
    settled: Settled | None = None
    due: tuple[tuple[str, datetime | None], ...] = ()
    tested: tuple[tuple[str, str], ...] = ()
    """Update id and digest that passed the checks on ALPHA's machine."""
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the store knows at one instant, to decide by: about one deployment, or about production as a whole."""

    deployment: Deployment | None
    servers: tuple[Server, ...]
    """Public first, then OMEGA by region."""
    lane: Lane = field(default_factory=lambda: Lane("main"))
    """That of its component, or of the one that is meant; a fresh one where it has none yet."""
    siblings: tuple[Deployment, ...] = ()
    """Other deployments of that component that have not ended, oldest first."""
    blocks: tuple[Block, ...] = ()
    """Locks, freezes and the pause of everything, oldest first."""
    unfinished: tuple[Deployment, ...] = ()
    """About production as a whole, or where a component is meant: all that have not ended, oldest first."""
    lanes: tuple[Lane, ...] = ()
    """Likewise all lanes, by component."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of history, newest first; `before` continues it (None: no more)."""

    deployments: tuple[Deployment, ...]
    before: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An inbox row that is not settled."""

    message: Incoming
    received_at: datetime


class Store(Protocol):
    """Everything that is remembered. Each method is one transaction; reads see only what is committed."""

    async def accept(self, message: Incoming, at: datetime) -> bool:
        """Put `message` into the inbox. False where (platform, delivery) is there already."""

    async def settled(self, platform: str, delivery: str) -> Reply | None:
        """The reply of a message that was carried out."""

    async def unsettled(self, before: datetime, limit: int) -> Sequence[Waiting]:
        """Messages received before `before` that were not carried out, oldest first."""

    async def commit(self, change: Change) -> None:
        """All of `change` in one durable transaction.

        Raises Conflict where the deployment's or lane's version is not the stored one, where a new deployment's key
        exists, or where the inbox row is settled already; FenceLost where `lease` is no longer held. Then nothing of
        it is stored.
        """

    async def decide(
        self,
        id: str,  # noqa: A002
        attempt: int | None,
        decision: Callable[[Surroundings], Change | None],
        component: str | None = None,
    ) -> Change | None:
        """Look, decide and commit in one transaction; what was committed, None where nothing had to be.

        `component` is meant where a deployment is to be opened in it, whatever the latest attempt was of. Such
        decisions, and those about production as a whole (`id` is empty), rest on all there is: they are made one after
        the other, and each sees what the one before has changed. `decision` is pure: it may be called in another
        thread, and again. Raises what it raises and what `commit` does.
        """

    async def surroundings(self, id: str, attempt: int | None = None) -> Surroundings:  # noqa: A002
        """Of the attempt, or of the latest one, as one instant has it; of production as a whole where `id` is empty."""

    async def deployment(self, id: str, attempt: int | None = None) -> Deployment | None:  # noqa: A002
        """The attempt, or the latest one."""

    async def active(self, component: str | None = None) -> Sequence[Deployment]:
        """All that have not ended, oldest first."""

    async def history(self, limit: int, before: str | None = None, component: str | None = None) -> Page:
        """All deployments, newest first. Cost does not depend on how many there are."""

    async def lane(self, component: str) -> Lane:
        """The component's lane; a fresh one where it has none yet."""

    async def lanes(self) -> Sequence[Lane]: ...

    async def servers(self) -> Sequence[Server]:
        """Public first, then OMEGA by region."""

    async def blocks(self) -> Sequence[Block]:
        """Locks, freezes and the pause of everything, oldest first; those that have ended may be among them."""

    async def journal(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Entries of one chain in order, from the one after number `after`."""

    async def noted(self, chains: Sequence[str]) -> dict[str, list[str]]:
        """What people have noted on each of these deployments, oldest first."""

    async def heads(self) -> Sequence[Head]:
        """The last entry of every chain, by chain."""

    async def durations(self, component: str, limit: int = 20) -> dict[str, list[float]]:
        """Measured seconds of the last completed deployments' steps, by stage name, for estimates."""

    async def tested(self, id: str) -> Sequence[str]:  # noqa: A002
        """The digests of this update that passed the checks on ALPHA's machine."""

    async def add_checkpoint(
        self, envelope: dict[str, Any], at: datetime, number: int, outbox: Sequence[Outbound] = ()
    ) -> None:
        """With what is to be told of it, in one transaction.

        Raises Conflict where `number` is not the one after the last (the first is 1): another was signed first.
        """

    async def checkpoints(self, after: int = 0) -> Sequence[dict[str, Any]]:
        """Signed checkpoints, oldest first, from the one after number `after`."""

    async def claim(self, owner: str, now: datetime, lease: float, limit: int) -> Sequence[Lease]:
        """Claim up to `limit` deployments that are due and not leased; each lease ends after `lease` seconds.

        A claim takes the due time along; what is wished meanwhile is kept for `release`. Work whose lease ended
        without a release is due again at once.
        """

    async def extend(self, leases: Sequence[Lease], now: datetime, lease: float) -> Sequence[Lease]:
        """Extend those that are still held and give them back; the others are lost."""

    async def release(self, lease: Lease, due_at: datetime | None) -> None:
        """Give the work back, to be looked at again at `due_at` (None: when something changes). No-op where lost."""

    async def next_due(self) -> datetime | None:
        """When the earliest unclaimed work is due."""

    async def hold(self, duty: str, owner: str, now: datetime, lease: float) -> bool:
        """Take a duty that one process at a time has, or keep it, for `lease` seconds. False where another has it."""

    async def let_go(self, owner: str) -> None:
        """Give up all duties of `owner` now."""

    async def free_all(self, now: datetime) -> None:
        """End every lease and duty at `now`: whoever held them is surely gone, and need not be waited for."""

    async def outbox(self, channel: str, limit: int) -> Sequence[Queued]:
        """Unsent messages of `channel` in order of their commit."""

    async def channels_waiting(self) -> Sequence[str]:
        """Channels with unsent messages or cards to bring up to date, parked ones left out."""

    async def sent(self, numbers: Sequence[int], at: datetime) -> None:
        """Mark as sent (or expired): they are not given again."""

    async def stale_cards(self, channel: str, limit: int) -> Sequence[CardRow]: ...

    async def card(self, channel: str, deployment: str) -> CardRow | None: ...

    async def shown(self, channel: str, deployment: str, reference: str, version: int) -> None:
        """The card stands at `reference` and shows `version`."""

    async def park(self, channel: str, why: str, until: datetime | None) -> None:
        """Leave `channel` alone until then (None: until `unpark`); nothing of it is lost."""

    async def unpark(self, channel: str) -> None: ...

    async def close(self) -> None: ...
