"""What is known of deployments, lanes and servers: plain immutable facts, folded from events by core.evolve."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.stages import ENDED, Stage

PUBLIC = "public"
"""The name of the Public server in placements; OMEGA's regions are `omega/<region>`."""
DEFAULT_REGION = "main"
DEFAULT_COMPONENT = "main"
"""Of an update whose manifest names none."""


def omega(region: str) -> str:
    return f"omega/{region}"


Level = Literal["standard", "server-owner"]


@dataclass(frozen=True, slots=True)
class ReleaseRef:
    """A release that a component ran or runs: whose it is, its digest, and the generation that made it current."""

    id: str
    attempt: int
    digest: str
    generation: int
    level: Level = "standard"
    others: ReleaseRef | None = None
    """Where the level is an owner's: what the mainframes run that it does not reach."""

    @property
    def name(self) -> str:
        return label(self.id, self.attempt)

    @property
    def key(self) -> str:
        return f"{self.id}#{self.attempt}"

    @property
    def for_all(self) -> ReleaseRef | None:
        """What ordinary mainframes run while this is production's release."""
        return self if self.level == "standard" else self.others


def label(id: str, attempt: int) -> str:  # noqa: A002 - `id` is the word people use for it
    """How people name an attempt: `v1`, and `v1#2` from the second on."""
    return id if attempt == 1 else f"{id}#{attempt}"


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What the workflow needs of an artifact's manifest."""

    component: str
    level: Level = "standard"
    irreversible: bool = False
    contains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The action plan, computed at push: its steps in order, and the estimate of each that has been measured."""

    regions: tuple[str, ...]
    checks: tuple[str, ...]
    quorum: int
    mainframes: int | None
    """None where no OMEGA could be asked."""
    replaces: tuple[tuple[str, str | None], ...]
    """Region to the name of the release that production ran at push."""
    estimate: float | None = None
    """Seconds without approvals, from medians of measured steps; None without history."""


CheckResult = Literal["waiting", "running", "passed", "failed", "timed_out", "skipped", "not_applicable"]
FINAL = frozenset({"passed", "failed", "timed_out", "skipped", "not_applicable"})


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a run: what was asked, and what came of it."""

    name: str
    kind: str
    timeout: float
    options: dict[str, Any] = field(default_factory=dict)
    required: bool = True
    """A minimum of the component: it must have run and passed."""
    state: CheckResult = "waiting"
    expected: str | None = None
    seen: str | None = None
    where: str | None = None
    warning: str | None = None
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def bad(self) -> bool:
        return self.state in ("failed", "timed_out") or (self.required and self.final and self.state != "passed")


@dataclass(frozen=True, slots=True)
class Verification:
    """One run of all checks on one digest."""

    run: int
    nonce: str
    digest: str
    started_at: datetime
    deadline: datetime
    requested_by: str
    checks: tuple[Check, ...]
    passed: bool | None = None
    """None while it runs."""
    finished_at: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes to exactly what the card said; `covers` is the fingerprint of those facts."""

    person: str
    at: datetime
    digest: str
    run: int
    covers: str


Desired = Literal["running", "withdrawn"]
Observed = Literal["absent", "starting", "healthy", "failed", "withdrawn", "restored"]


@dataclass(frozen=True, slots=True)
class Placement:
    """What is where: one row per (deployment, attempt, server)."""

    server: str
    desired: Desired
    observed: Observed = "absent"
    digest: str | None = None
    replaced: ReleaseRef | None = None
    """OMEGA: what this deployment's switch replaced there; a rollback returns to it."""
    unasked: bool = False
    """OMEGA: nothing was asked of it yet, so nothing of this deployment can be there, whether it answers or not."""
    distributing: int = 0
    """OMEGA: the generation of the distribution that it has taken on."""
    url: str | None = None
    error: str | None = None
    since: datetime | None = None


MainframeStatus = Literal["healthy", "waiting", "failed", "asleep", "unlicensed", "not_included", "frozen"]


@dataclass(frozen=True, slots=True)
class Mainframe:
    """A mainframe in this deployment's distribution, as OMEGA last told."""

    region: str
    name: str
    owner: str
    tier: str
    status: MainframeStatus
    since: datetime
    error: str | None = None

    @property
    def included(self) -> bool:
        return self.status not in ("unlicensed", "not_included", "frozen")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A mainframe that was frozen when it was decided what mainframes get: by whom, why and until when, as it was then.

    It keeps what it runs until its freeze has ended.
    """

    region: str
    name: str
    by: str
    why: str
    until: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.region, self.name


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold beside the stage: by a person, or by itself (`person` None) when a threshold tripped."""

    person: str | None
    why: str
    at: datetime
    wide: bool = False
    """With everything else: it ends when that pause does."""


@dataclass(frozen=True, slots=True)
class Start:
    """When it may take the lane, as an approver asked. `at` None: its time has come, and the window still counts."""

    by: str
    at: datetime | None
    window: str | None = None


@dataclass(frozen=True, slots=True)
class Emergency:
    """An admin's word in place of the votes, for exactly what `covers` says; another has to countersign it."""

    person: str
    why: str
    at: datetime
    covers: str
    countersign_by: datetime
    countersigned_by: str | None = None
    overdue: bool = False
    """That nobody did in time was told."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The first of two who have to agree."""

    person: str
    at: datetime
    why: str | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The journey of one update: everything that cards, policy and the next step need."""

    id: str
    attempt: int
    version: int
    stage: Stage
    stage_since: datetime
    component: str
    description: str
    pusher: str
    pushed_at: datetime
    home: str
    """The channel it began in, `<platform>:<channel>`."""
    source: str
    """ALPHA's file."""
    size: int
    manifest: ManifestFacts
    plan: Plan
    info: str | None = None
    tasks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """The last few that people added: approvers read them before they vote."""
    warnings: tuple[str, ...] = ()
    digest: str | None = None
    tested: bool = False
    """Whether exactly this digest passed the checks on ALPHA's machine."""
    nonce: str = ""
    """Fresh for each act on servers; statements and receipts carry it."""
    verify_by: str | None = None
    """Who typed verify while it was being staged; it starts once staged."""
    verification: Verification | None = None
    runs: int = 0
    votes: tuple[Vote, ...] = ()
    escalated: int = 0
    """How many groups were asked, one after another, because it waited for long."""
    reminded: bool = False
    """Whether those whose vote is missing were asked a second time since the checks passed."""
    placements: tuple[Placement, ...] = ()
    generation: int = 0
    """Of its latest act on production, issued by the lane; 0 before OMEGA was touched."""
    packaged: bool = False
    restore: tuple[tuple[str, ReleaseRef | None], ...] = ()
    """Rolling back: region to what it returns to; None is offline."""
    mainframes: tuple[Mainframe, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    """Frozen mainframes that its latest distribution does not reach."""
    letting_in: tuple[tuple[str, str], ...] = ()
    """Region and name of those whose freeze has ended, until they have come to what their peers run."""
    start: Start | None = None
    emergency: Emergency | None = None
    rollback_asked: Asked | None = None
    """Irreversible: who asked to roll it back, and waits for a second person."""
    hold: Hold | None = None
    order: int = 0
    """Rises with each hold and resume; OMEGA refuses a lower one."""
    resumed_at: datetime | None = None
    """When its last hold ended: what was held is late only from then on."""
    failed_in: Stage | None = None
    failure: str | None = None
    ended_why: str | None = None
    ended_by: str | None = None
    waited: float = 0.0
    """Seconds that it has waited for approval."""
    watch_until: datetime | None = None
    unwell: tuple[str, ...] = ()
    """Regions whose health worsened since completion."""
    baseline_due: bool = False
    """Public's baseline does not yet run what production runs."""
    unattested: dict[str, Any] | None = None
    """What its completion's statement says (core.attestation, as JSON values), until that is signed."""

    @property
    def key(self) -> str:
        return f"{self.id}#{self.attempt}"

    @property
    def name(self) -> str:
        return label(self.id, self.attempt)

    @property
    def slot(self) -> str:
        return f"{self.id}.{self.attempt}"

    @property
    def ended(self) -> bool:
        return self.stage in ENDED

    @property
    def touched(self) -> bool:
        """Whether it took its component's lane, after which any OMEGA may have been asked to run it."""
        return any(place.server != PUBLIC for place in self.placements)

    @property
    def waits(self) -> bool:
        """Whether it lets others pass in the queue: it is held, or its time has not come."""
        return self.hold is not None or (self.start is not None and self.start.at is not None)

    @property
    def owing(self) -> bool:
        """Whether it went to production in an emergency that nobody has countersigned."""
        return self.emergency is not None and self.touched and self.emergency.countersigned_by is None

    @property
    def moving_since(self) -> datetime:
        """Since when the present stage goes on without a hold: its deadlines count from here."""
        return max(self.stage_since, self.resumed_at or self.stage_since)

    def placement(self, server: str) -> Placement | None:
        return next((place for place in self.placements if place.server == server), None)

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(place.server.removeprefix("omega/") for place in self.placements if place.server != PUBLIC)

    @property
    def unasked(self) -> tuple[str, ...]:
        """The regions where nothing of it can be."""
        return tuple(place.server.removeprefix("omega/") for place in self.placements if place.unasked)


@dataclass(frozen=True, slots=True)
class Debt:
    """An emergency that awaits its countersignature: until then the component takes nothing but rollbacks."""

    deployment: str
    name: str
    pusher: str
    person: str
    why: str
    countersign_by: datetime


@dataclass(frozen=True, slots=True)
class Lane:
    """The right to change one component's production, and what production runs of it."""

    component: str
    version: int = 0
    holder: str | None = None
    """Key of the deployment that holds it."""
    generation: int = 0
    """The highest ever issued."""
    current: tuple[tuple[str, ReleaseRef | None], ...] = ()
    """Region to what production runs there, as far as acts of Ashat have completed."""
    voided_at: datetime | None = None
    """When a rollback last voided the component's approvals: votes until then do not count."""
    debts: tuple[Debt, ...] = ()
    leaves_out: str | None = None
    """Key of the deployment whose distribution, the newest, leaves frozen mainframes out."""

    def running(self, region: str) -> ReleaseRef | None:
        return dict(self.current).get(region)

    @property
    def releases(self) -> tuple[ReleaseRef, ...]:
        """What production runs, each once."""
        return tuple({(ref.id, ref.attempt): ref for _, ref in self.current if ref}.values())


BlockKind = Literal["lock", "freeze", "pause"]


@dataclass(frozen=True, slots=True)
class Block:
    """What keeps production as it is until it is lifted or ends: a lock, a freeze, or the pause of everything.

    It belongs to what it is about, not to the session or the role of the person who asked for it. None of them ever
    blocks a rollback.
    """

    id: str
    kind: BlockKind
    by: str
    why: str
    at: datetime
    until: datetime | None = None
    component: str | None = None
    """None: every component."""
    region: str | None = None
    """A freeze: this region of OMEGA alone; None: every region."""
    mainframe: str | None = None
    """A freeze: this mainframe alone, which is left out while all else goes on."""

    def stands(self, now: datetime) -> bool:
        return self.until is None or now < self.until

    @property
    def where(self) -> str:
        """`main on OMEGA eu`, `everything`, `mainframe m1 of OMEGA eu`, `main on mainframe m1`."""
        if self.mainframe:
            what = (
                f"{self.component} on mainframe {self.mainframe}" if self.component else f"mainframe {self.mainframe}"
            )
            return f"{what} of OMEGA {self.region}" if self.region else what
        what = self.component or "everything"
        return f"{what} on OMEGA {self.region}" if self.region else what


ServerRole = Literal["public", "omega"]


@dataclass(frozen=True, slots=True)
class Server:
    """A configured server; ALPHA is none of these."""

    role: ServerRole
    region: str
    """`main` where none was named; Public has it too."""
    name: str
    url: str
    configured_by: str
    configured_at: datetime
    public_key: str | None = None
    """The agent's key as it answered when configured, or as settings pin it; reports must be signed with it."""

    @property
    def place(self) -> str:
        return PUBLIC if self.role == "public" else omega(self.region)
