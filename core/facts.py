"""What a decision is made from, and what it gives: facts in; events with an answer, or a refusal, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.events import CheckFinished, Event
from core.people import Person
from core.policy.roles import roles_in
from core.policy.rules import Policy
from core.ports import AlphaFile, Probe
from core.release.manifest import Manifest
from core.state import DEFAULT_COMPONENT, Block, Deployment, Lane, MainframeStatus, ManifestFacts, Server

ASHAT = "ashat"
"""Who acts where no person does: what was observed, and thresholds that trip."""


@dataclass(frozen=True, slots=True)
class AlphaFacts:
    """What ALPHA has for an id that is to be pushed."""

    files: tuple[AlphaFile, ...] = ()
    manifest: Manifest | None = None
    problem: str | None = None
    """Why there is no manifest, in a sentence."""
    nearest: tuple[str, ...] = ()
    tested: bool = False
    """Whether `ashat alpha test` ever recorded a pass of this update; the digest is compared once it is fixed."""
    mainframes: int | None = None
    durations: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistrySeen:
    """The mainframes that one OMEGA knows, by name; None: it did not answer."""

    region: str
    names: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that one decision may know. `deployment` is the attempt that the command means."""

    now: datetime
    policy: Policy
    people: tuple[Person, ...]
    servers: tuple[Server, ...] = ()
    asker: Person | None = None
    """None where the decision is about something observed."""
    channel: str = ""
    nonce: str = ""
    """Fresh randomness, for an act on servers that may follow."""
    deployment: Deployment | None = None
    lane: Lane = field(default_factory=lambda: Lane("main"))
    siblings: tuple[Deployment, ...] = ()
    """Other deployments of the component that have not ended."""
    blocks: tuple[Block, ...] = ()
    """Locks, freezes and the pause of everything; those that have ended may still be among them."""
    alpha: AlphaFacts | None = None
    probe: Probe | None = None
    unfinished: tuple[Deployment, ...] = ()
    """All deployments that have not ended, where the decision is about none of them alone, or opens one."""
    lanes: tuple[Lane, ...] = ()
    """Likewise all lanes, by component."""
    leaving_out: tuple[Deployment, ...] = ()
    """Ended ones whose distribution is their component's newest and leaves frozen mainframes out; likewise."""
    registries: tuple[RegistrySeen, ...] = ()
    """OMEGA's mainframes by region, where the decision is about one of them."""
    unsure: frozenset[str] = frozenset()
    """People whose groups could not be asked: what those give does not count, and is not taken away either."""

    @property
    def me(self) -> Person:
        if self.asker is None:
            raise ValueError("a command without an asker")
        return self.asker

    @property
    def regions(self) -> tuple[str, ...]:
        """OMEGA's configured regions."""
        return tuple(sorted(server.region for server in self.servers if server.role == "omega"))

    @property
    def components(self) -> tuple[str, ...]:
        """All that are known, where the decision is about production as a whole: deployed, on the way, or in settings.

        Those alone that the asker has any role for: the others are none of their business.
        """
        found = {lane.component for lane in self.lanes} | {d.component for d in self.unfinished} | {DEFAULT_COMPONENT}
        return tuple(name for name in sorted(found | self.policy.components) if roles_in(self.me, self.policy, name))

    @property
    def paused(self) -> Block | None:
        """The pause of everything, while it stands."""
        return next((block for block in self.blocks if block.kind == "pause" and block.stands(self.now)), None)

    @property
    def public(self) -> Server | None:
        return next((server for server in self.servers if server.role == "public"), None)

    def name_of(self, person: str) -> str:
        return next((known.name for known in self.people if known.id == person), person)


@dataclass(frozen=True, slots=True)
class Decided:
    """The events to commit, and what the asker is told. No events: nothing had to change."""

    events: tuple[Event, ...]
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changes. `why` is the sentence: what is missing, who holds it, which command comes next."""

    code: str
    why: str
    more: tuple[str, ...] = ()


Verdict = Decided | Refused


# -- outcomes: what was observed, to be decided like a command -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArtifactCopied:
    digest: str
    size: int
    manifest: ManifestFacts
    tested: bool


@dataclass(frozen=True, slots=True)
class SlotHealthy:
    url: str | None


@dataclass(frozen=True, slots=True)
class ChecksSeen:
    run: int
    results: tuple[CheckFinished, ...]


@dataclass(frozen=True, slots=True)
class RunTaken:
    """Public has a run of this number that it was asked for otherwise: its memory goes beyond the bot's."""

    run: int


@dataclass(frozen=True, slots=True)
class VotesStale:
    """Something that the votes cover has changed."""


@dataclass(frozen=True, slots=True)
class LaneFree:
    """It is first in the queue and nobody holds the component's lane."""


@dataclass(frozen=True, slots=True)
class HeldWithAll:
    """Everything is paused, and this is not yet; or everything goes on, and this was held with it."""


@dataclass(frozen=True, slots=True)
class PackageSigned:
    statement: str


@dataclass(frozen=True, slots=True)
class RegionReady:
    """A region answers and has the bytes: it would be asked to run them now."""

    region: str
    generation: int


@dataclass(frozen=True, slots=True)
class RegionHealthy:
    region: str
    generation: int
    url: str | None


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The step of the present stage failed for good."""

    why: str
    region: str | None = None
    newer: int = 0
    """The generation that OMEGA was given by another, where that is why; the next try has to be above it."""
    unseen: bool = False
    """Whether what it was to change cannot be seen there: the server does not answer, or what runs is another's."""


@dataclass(frozen=True, slots=True)
class FleetRow:
    name: str
    owner: str
    tier: str
    status: MainframeStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FleetSeen:
    region: str
    generation: int
    rows: tuple[FleetRow, ...]


@dataclass(frozen=True, slots=True)
class FreezeOver:
    """Mainframes that were left out are frozen no more, and nothing else forbids to bring them up."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Something newer is on its way to the mainframes that were being brought up."""


@dataclass(frozen=True, slots=True)
class SlotGone:
    pass


@dataclass(frozen=True, slots=True)
class BaselineRuns:
    pass


@dataclass(frozen=True, slots=True)
class HealthSeen:
    region: str
    well: bool
    why: str = ""
    silent: bool = False
    """Nobody answers there."""


@dataclass(frozen=True, slots=True)
class StatementSigned:
    """The statement of its completion: the envelope, its SHA-256, and the id of the key."""

    envelope: dict[str, Any]
    digest: str
    key: str


@dataclass(frozen=True, slots=True)
class Elapsed:
    """A deadline of the present stage has passed."""


Outcome = (
    ArtifactCopied | SlotHealthy | ChecksSeen | RunTaken | VotesStale | LaneFree | HeldWithAll | PackageSigned
    | RegionReady | RegionHealthy | StepFailed | FleetSeen | FreezeOver | Superseded | SlotGone | BaselineRuns
    | HealthSeen | StatementSigned | Elapsed
)  # fmt: skip
