"""The I/O that the workflow needs, as narrow protocols; each docstring is the contract that every adapter keeps.

Each port has an in-memory twin that ships beside the real one, and one contract suite runs on both. All methods may be
called from one event loop. Times are aware UTC datetimes, durations seconds, digests lower-case SHA-256 hexadecimal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal, Protocol

from core.cards import Card
from core.commands import Seen
from core.journal import Draft, Entry, Head
from core.people import Account, Person
from core.release.manifest import Manifest
from core.release.wire import (
    About,
    ComponentState,
    DistributionState,
    Registered,
    Release,
    Report,
    SlotState,
    State,
    VerificationWanted,
)
from core.state import Block, Deployment, Lane, Server


class Clock(Protocol):
    """The only source of the time."""

    def now(self) -> datetime: ...


class People(Protocol):
    """Who is who. Asked when it counts, never remembered across commands."""

    def find(self, account: Account) -> Person | None:
        """The person that owns `account`, or None for a stranger."""

    def get(self, id: str) -> Person | None:  # noqa: A002 - the word of the domain
        """The person with this id, or None."""

    def all(self) -> Sequence[Person]: ...


class Memberships(Protocol):
    """The groups of one platform. Asked when it counts; what is not known for sure gives nobody a role.

    Groups and accounts are named by the platform's own ids. Both methods raise ChannelDown where nobody can say.
    """

    @property
    def platform(self) -> str: ...

    async def of(self, account: Account) -> frozenset[str]:
        """The groups that `account` is in now; none for a stranger."""

    async def members(self, group: str) -> frozenset[str] | None:
        """The ids of the accounts in it, none where there is no such group; None where the platform lists nobody."""


# -- messages in -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a person typed or clicked, translated by an adapter. A click is the text it stands for, with what it saw."""

    platform: str
    delivery: str
    """The platform's id of this delivery: the same one twice acts once."""
    account: Account
    channel: str
    """`<platform>:<channel>`: where it was said."""
    text: str
    seen: Seen | None = None
    shell: bool = False


Outcome = Literal["done", "refused", "usage", "ignored", "failed"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the asker alone is told. `id` names the deployment that the command was about, where there is one."""

    outcome: Outcome
    card: Card
    id: str | None = None


class Door(Protocol):
    """The driving port: how adapters hand in what people say."""

    async def submit(self, message: Incoming) -> bool:
        """Make `message` durable; to be awaited before the platform is acknowledged. False: it had come before."""

    async def answer(self, message: Incoming) -> Reply:
        """Carry `message` out (or find that it was) and give its reply.

        Without a `submit` before, it becomes durable together with what it decided: for those who wait for the reply
        and need not acknowledge earlier. What is cut off then has not happened.
        """


# -- store -------------------------------------------------------------------------------------------------------------


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
    blocks: tuple[Block, ...] = ()
    """New ones. Raises Conflict where one with this id is there, unless it is among `lifted`."""
    lifted: tuple[str, ...] = ()
    """Ids of blocks that are there no more."""
    judged: frozenset[str] | None = None
    """Where a lane is taken: the ids of the blocks by which it was judged. Conflict where there are others now."""
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
    """What the store knows about one deployment at one instant, to decide by."""

    deployment: Deployment | None
    servers: tuple[Server, ...]
    """Public first, then OMEGA by region."""
    lane: Lane = field(default_factory=lambda: Lane("main"))
    """That of its component; a fresh one where it has none yet."""
    siblings: tuple[Deployment, ...] = ()
    """Other deployments of its component that have not ended, oldest first."""
    blocks: tuple[Block, ...] = ()
    """Locks, freezes and the pause of everything, oldest first."""


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
    ) -> Change | None:
        """Look, decide and commit in one transaction; what was committed, None where nothing had to be.

        `decision` is pure: it may be called in another thread, and again. Raises what it raises and what `commit` does.
        """

    async def surroundings(self, id: str, attempt: int | None = None) -> Surroundings:  # noqa: A002
        """Of the attempt, or of the latest one, as one instant has it."""

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


# -- artifacts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AlphaFile:
    """A file of ALPHA that holds an update."""

    id: str
    name: str
    size: int
    modified_at: datetime


class ArtifactProblem(Exception):
    """The update cannot be had. `str(error)` is one sentence for a person."""


class ArtifactSource(Protocol):
    """ALPHA: where updates come from."""

    async def updates(self) -> Sequence[AlphaFile]:
        """All updates, newest first. Raises ArtifactProblem where ALPHA cannot be read."""

    async def find(self, id: str) -> Sequence[AlphaFile]:  # noqa: A002
        """The files for this id: none, one, or more than one format."""

    async def manifest(self, file: AlphaFile) -> Manifest:
        """Read from inside it. Raises ArtifactProblem with the line."""

    def read(self, file: AlphaFile) -> AsyncIterator[bytes]:
        """Its bytes in blocks of at most 1 MiB. Raises ArtifactProblem where it vanishes."""


class ArtifactStore(Protocol):
    """Artifacts by digest; what is in it never changes."""

    async def add(self, blocks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Store the stream; digest and size. Raises ArtifactProblem above `limit` bytes. A cut leaves nothing."""

    async def verify(self, digest: str) -> bool:
        """Hash the stored bytes again: whether they are still what their name says."""

    def path(self, digest: str) -> PurePath:
        """Where the file is. Raises ArtifactProblem where it is not stored."""

    async def manifest(self, digest: str) -> Manifest: ...


# -- servers -----------------------------------------------------------------------------------------------------------


class ServerFault(Exception):
    """A server did not do what was asked. `str(error)` is one sentence; `temporary`: asking again may help."""

    def __init__(self, sentence: str, *, temporary: bool) -> None:
        super().__init__(sentence)
        self.temporary = temporary


Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Agent(Protocol):
    """One configured server. Every method may raise ServerFault; every change is idempotent."""

    async def about(self) -> About: ...

    async def state(self) -> State: ...

    async def upload(self, digest: str, progress: Progress) -> None:
        """Bring the stored artifact there; continues where a cut one stopped, and returns at once where it is there."""

    async def stage(self, slot: str, release: Release) -> SlotState: ...

    async def withdraw(self, slot: str) -> None: ...

    async def desire(self, release: Release) -> ComponentState: ...

    async def verify(self, slot: str, wanted: VerificationWanted) -> Report:
        """Start the run, or find how it stands. The report's signature was checked with the server's key."""

    async def report(self, slot: str, run: int) -> Report | None: ...

    async def distribute(
        self, release: Release, *, hold: bool, order: int, otherwise: Release | None = None
    ) -> DistributionState:
        """`otherwise` is for mainframes that the level of `release` does not reach; None: they keep what they have."""

    async def distribution(self, component: str) -> DistributionState | None: ...

    async def mainframes(self) -> Sequence[Registered]: ...

    def statement(self, release: Release) -> dict[str, Any]:
        """The signed statement that `stage`, `desire` and `distribute` send."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What answered at a URL: an agent, something else, or nothing."""

    kind: Literal["agent", "other", "nothing"]
    about: About | None = None
    detail: str = ""


class Agents(Protocol):
    """Clients of servers, one per URL, with the token and key that settings hold for its origin."""

    def at(self, server: Server) -> Agent: ...

    async def probe(self, url: str) -> Probe:
        """Ask what answers there. A response body is never passed on."""

    async def close(self) -> None: ...


# -- channels ----------------------------------------------------------------------------------------------------------


class ChannelGone(Exception):
    """The channel refuses for good (deleted, archived, not a member): park it."""


class ChannelDown(Exception):
    """The platform cannot be reached, or asks for patience; `retry_after` seconds where it says so."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Form:
    """Questions to a person, as a dialog where the platform has one. `command` is completed by the answers."""

    title: str
    command: str
    fields: tuple[tuple[str, str, bool], ...] = field(default=())
    """Name, label, required."""


class Channel(Protocol):
    """A chat platform. `reference` is the platform's own name of a message. All raise ChannelGone or ChannelDown."""

    @property
    def platform(self) -> str: ...

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        """Post and give the reference. Where the platform can, the same `nonce` again gives the same message.

        It then shows this `card`: the program may have ended before it had the reference.
        """

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """Bring it up to date; the reference may be a new one where the old message is gone."""

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        """One message in the channel."""

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """One message in the thread of `reference`; `broadcast` shows it in the channel too.

        `mentions` are told of it, as the platform does that; it names whoever it cannot tell.
        """

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        """A message that only `person` sees, in `channel`, or directly where the platform has no such thing."""

    async def direct(self, person: Person, card: Card, nonce: str) -> None: ...

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        """Open a form. Its answer comes back as an Incoming."""


class TaskTracker(Protocol):
    """Where linked tasks live. Names are as people typed them."""

    async def note(self, task: str, text: str) -> None:
        """Tell the task what happened. Raises ChannelDown."""
