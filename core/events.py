"""What happened, in the past tense: the closed union of facts that the journal holds and that state is folded from.

Each is written in the transaction that changes the state. Who, when and the hash chain are core.journal's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from core.stages import Stage
from core.state import (
    Block,
    BlockKind,
    Check,
    CheckResult,
    LeftOut,
    MainframeStatus,
    ManifestFacts,
    Plan,
    ReleaseRef,
    ServerRole,
)


@dataclass(frozen=True, slots=True)
class Pushed:
    id: str
    attempt: int
    component: str
    description: str
    info: str | None
    tasks: tuple[str, ...]
    source: str
    size: int
    home: str
    manifest: ManifestFacts
    plan: Plan
    warnings: tuple[str, ...]
    nonce: str


@dataclass(frozen=True, slots=True)
class ArtifactFixed:
    """ALPHA's file was copied into the store; from here on only this digest counts. Staging begins."""

    digest: str
    size: int
    manifest: ManifestFacts
    tested: bool
    """Whether the checks passed on exactly this digest on ALPHA's machine."""


@dataclass(frozen=True, slots=True)
class Staged:
    url: str | None


@dataclass(frozen=True, slots=True)
class VerificationQueued:
    """Typed while it was being staged."""


@dataclass(frozen=True, slots=True)
class VerificationStarted:
    run: int
    nonce: str
    digest: str
    deadline: datetime
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class CheckFinished:
    run: int
    name: str
    state: CheckResult
    expected: str | None = None
    seen: str | None = None
    where: str | None = None
    warning: str | None = None
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerificationPassed:
    run: int
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class VerificationFailed:
    run: int
    checks: tuple[str, ...]
    """The names of those that failed."""


@dataclass(frozen=True, slots=True)
class Voted:
    person: str
    digest: str
    run: int
    covers: str
    says: str
    """What the vote was for, in words."""


@dataclass(frozen=True, slots=True)
class VotesFell:
    people: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class VoteWithdrawn:
    """By the voter. `short`: the quorum that there was is lost by it."""

    person: str
    short: bool


@dataclass(frozen=True, slots=True)
class ApproversReminded:
    """Nobody settled it for long: those whose vote was missing were asked again, the one time."""

    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Escalated:
    """It has waited for long: the next group is asked, those of it whose vote would count."""

    group: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approved:
    """The quorum is there; it takes its component's lane, or waits behind another deployment."""

    people: tuple[str, ...]
    behind: str | None


@dataclass(frozen=True, slots=True)
class StartSet:
    """It takes the lane from then on, and in the window where there is one."""

    at: datetime
    window: str | None
    person: str


@dataclass(frozen=True, slots=True)
class StartDue:
    """Its time has come."""


@dataclass(frozen=True, slots=True)
class EmergencyDeclared:
    """In place of the votes, and whatever the calendar, freezes and locks say; never of a passed verification."""

    person: str
    why: str
    digest: str
    run: int
    covers: str
    says: str
    countersign_by: datetime


@dataclass(frozen=True, slots=True)
class Countersigned:
    person: str


@dataclass(frozen=True, slots=True)
class CountersignOverdue:
    """Nobody countersigned in time. The component stays closed to everything but rollbacks until somebody does."""


@dataclass(frozen=True, slots=True)
class LaneTaken:
    """The right to change production, with the generation under which it will; what each region ran before."""

    generation: int
    nonce: str
    replaces: tuple[tuple[str, ReleaseRef | None], ...]
    left_out: tuple[LeftOut, ...] = ()
    """Mainframes that are frozen at this moment: nothing of it reaches them."""
    asks: bool = False
    """Whether each region is recorded before it is asked. In journals of earlier versions none is."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """The stored artifact was hashed again and the statement for OMEGA signed."""

    statement: str
    """SHA-256 of the signed statement."""


@dataclass(frozen=True, slots=True)
class RegionAsked:
    """It is asked to run the release, or rolling back what stood there before, from here on; so it may."""

    region: str


@dataclass(frozen=True, slots=True)
class RegionSwitched:
    region: str
    url: str | None


@dataclass(frozen=True, slots=True)
class DistributionStarted:
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DistributionTaken:
    """OMEGA has taken the distribution on, and told how many mainframes it knows."""

    region: str
    generation: int
    mainframes: int


@dataclass(frozen=True, slots=True)
class MainframeChanged:
    region: str
    name: str
    owner: str
    tier: str
    status: MainframeStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class MainframesLetIn:
    """Their freeze has ended: they are brought to what their peers run. Region and name of each."""

    mainframes: tuple[tuple[str, str], ...]
    order: int


@dataclass(frozen=True, slots=True)
class MainframesSettled:
    """They have come there, or sleep, or failed, or something newer is on its way to them."""

    mainframes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Completed:
    watch_until: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    why: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    touched: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """`newer` is the generation that OMEGA was given by another, where that is why; else 0."""

    failed_in: Stage
    why: str
    region: str | None = None
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Retried:
    """The stage it failed in begins again; `generation` is new where OMEGA is concerned, else 0."""

    stage: Stage
    generation: int
    nonce: str
    left_out: tuple[LeftOut, ...] = ()
    """Those of before that are frozen still."""


@dataclass(frozen=True, slots=True)
class Paused:
    why: str
    automatic: bool
    order: int
    wide: bool = False
    """Because everything is paused."""


@dataclass(frozen=True, slots=True)
class Resumed:
    order: int


@dataclass(frozen=True, slots=True)
class RollbackAsked:
    """Of an irreversible update: a second person has to agree."""

    person: str
    why: str | None


@dataclass(frozen=True, slots=True)
class RollbackStarted:
    """`generation` is 0 and `restore` empty where OMEGA was not touched: only the slot on Public is withdrawn."""

    why: str | None
    generation: int
    nonce: str
    restore: tuple[tuple[str, ReleaseRef | None], ...]
    left_out: tuple[LeftOut, ...] = ()
    """Those that never took what is rolled back, and are frozen still: there is nothing to undo on them."""


@dataclass(frozen=True, slots=True)
class RegionRestored:
    region: str


@dataclass(frozen=True, slots=True)
class RegionLeftAlone:
    """Rolling back: it never was asked for anything, and cannot be asked, or runs what another gave it. So there is
    nothing to undo there."""

    region: str
    why: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    touched: bool


@dataclass(frozen=True, slots=True)
class SlotWithdrawn:
    """The slot on Public is gone."""


@dataclass(frozen=True, slots=True)
class BaselineSet:
    """Public's baseline runs what production runs."""


@dataclass(frozen=True, slots=True)
class HealthWorsened:
    region: str
    why: str
    silent: bool = False
    """It does not answer: what it serves need not be worse."""


@dataclass(frozen=True, slots=True)
class HealthRecovered:
    region: str


@dataclass(frozen=True, slots=True)
class Attested:
    """The bot signed what it states of the completed deployment: a DSSE envelope with an in-toto statement."""

    statement: str
    """SHA-256 of the envelope."""
    key: str
    """The id of the key that signed it."""
    envelope: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Noted:
    text: str


@dataclass(frozen=True, slots=True)
class OutcomeStale:
    """Something was observed that no longer fits the state; kept, and without effect."""

    outcome: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Opened:
    """A deployment was pushed: noted in the system chain too, so that one which vanishes altogether is missed."""

    deployment: str


@dataclass(frozen=True, slots=True)
class ServerConfigured:
    role: ServerRole
    region: str
    name: str
    url: str
    public_key: str | None
    replaced: str | None
    """The URL that stood there before."""


@dataclass(frozen=True, slots=True)
class ServerUnconfigured:
    """A region was taken out, where nothing ran."""

    role: ServerRole
    region: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Production was locked or frozen, or everything paused; see core.state.Block."""

    id: str
    kind: BlockKind
    why: str
    until: datetime | None
    component: str | None
    region: str | None
    mainframe: str | None = None

    def block(self, by: str, at: datetime) -> Block:
        """What stands from then on."""
        return Block(self.id, self.kind, by, self.why, at, self.until, self.component, self.region, self.mainframe)


@dataclass(frozen=True, slots=True)
class Unblocked:
    """Lifted before its end. `why` is there where somebody else than its holder broke a lock."""

    id: str
    kind: BlockKind
    holder: str
    where: str
    why: str | None


@dataclass(frozen=True, slots=True)
class TestedOnAlpha:
    """`ashat alpha test` ran the checks on this machine, and this digest passed."""

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Exported:
    """Somebody wrote the journal to a file. What is in the file must agree with this."""

    nonce: str
    """The file has it too, so a file that was cut before its end shows."""
    since: str | None
    begins: str
    """SHA-256 of the chains that the file does not hold from their first event on, and where each begins there."""


@dataclass(frozen=True, slots=True)
class PeopleChanged:
    """What a start found different in people, roles and quorum since the last."""

    differences: tuple[str, ...]
    roster: dict[str, Any] = field(default_factory=dict)
    """People and rules as they are now, in JSON values: what the next start compares with."""


DeploymentEvent = (
    Pushed | ArtifactFixed | Staged | VerificationQueued | VerificationStarted | CheckFinished | VerificationPassed
    | VerificationFailed | Voted | VotesFell | VoteWithdrawn | ApproversReminded | Escalated | Approved | StartSet
    | StartDue | EmergencyDeclared | Countersigned | CountersignOverdue | RollbackAsked | LaneTaken | Packaged
    | RegionAsked | RegionSwitched | DistributionStarted | DistributionTaken | MainframeChanged | MainframesLetIn
    | MainframesSettled | Completed | Rejected | Cancelled
    | Failed | Retried | Paused | Resumed | RollbackStarted | RegionRestored | RegionLeftAlone | RolledBack
    | SlotWithdrawn | BaselineSet | HealthWorsened | HealthRecovered | Attested | Noted | OutcomeStale
)  # fmt: skip
SystemEvent = (
    Opened | ServerConfigured | ServerUnconfigured | Blocked | Unblocked | TestedOnAlpha | PeopleChanged | Exported
)
Event = DeploymentEvent | SystemEvent

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in (*get_args(DeploymentEvent), *get_args(SystemEvent))}
"""The name in the journal's `kind` column, and the type that it is read back as."""

SYSTEM = "system"
"""The chain of what belongs to no deployment."""


def kind(event: Event) -> str:
    return type(event).__name__
