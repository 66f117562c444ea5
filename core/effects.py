"""What can be done on servers, and what one pass has seen of them.

Each effect is idempotent, and is asked for again until what it leads to is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.facts import ArtifactCopied, Outcome, PackageSigned, StatementSigned
from core.release.wire import ComponentState, DistributionState, Release, Report, SlotState, State, VerificationWanted


@dataclass(frozen=True, slots=True)
class Look:
    """Ask a server for its whole state."""

    place: str


@dataclass(frozen=True, slots=True)
class Copy:
    """ALPHA's file into the artifact store; fixes the digest."""

    id: str
    file: str


@dataclass(frozen=True, slots=True)
class Upload:
    """The stored artifact to a server."""

    place: str
    digest: str


@dataclass(frozen=True, slots=True)
class PutSlot:
    place: str
    slot: str
    release: Release


@dataclass(frozen=True, slots=True)
class Withdraw:
    place: str
    slot: str


@dataclass(frozen=True, slots=True)
class StartChecks:
    place: str
    slot: str
    wanted: VerificationWanted


@dataclass(frozen=True, slots=True)
class LookReport:
    place: str
    slot: str
    run: int


@dataclass(frozen=True, slots=True)
class Package:
    """Hash the stored artifact again, and sign the statement that OMEGA will get."""

    place: str
    release: Release


@dataclass(frozen=True, slots=True)
class Desire:
    place: str
    release: Release


@dataclass(frozen=True, slots=True)
class Distribute:
    place: str
    release: Release
    hold: bool
    order: int
    otherwise: Release | None = None
    """For the mainframes that the level of `release` does not reach; None: they keep what they have."""
    left_out: tuple[str, ...] | None = None
    """The frozen ones, which keep what they have too; None where nobody is left out, and nobody was."""


@dataclass(frozen=True, slots=True)
class Attest:
    """Sign what is to be stated of a completed deployment."""

    unattested: Mapping[str, Any]


Effect = Look | Copy | Upload | PutSlot | Withdraw | StartChecks | LookReport | Package | Desire | Distribute | Attest


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `seconds` have passed; None: before something else changes."""

    seconds: float | None
    why: str = ""


Step = Effect | Outcome | Wait


@dataclass(frozen=True, slots=True)
class Observed:
    """What this pass has seen so far. A place that is missing has not been looked at."""

    states: Mapping[str, State] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)
    """Places that did not answer, and why."""
    missed: frozenset[str] = frozenset()
    """Places that did not answer in the pass before either: one broken connection is no news yet."""
    uploaded: frozenset[tuple[str, str]] = frozenset()
    slots: Mapping[str, SlotState | None] = field(default_factory=dict)
    """By place, as an effect of this pass has answered; stands above `states`."""
    components: Mapping[str, ComponentState] = field(default_factory=dict)
    reports: Mapping[int, Report | None] = field(default_factory=dict)
    distributions: Mapping[str, DistributionState] = field(default_factory=dict)
    withdrawn: bool = False
    copied: ArtifactCopied | None = None
    package: PackageSigned | None = None
    statement: StatementSigned | None = None
    fruitless: tuple[Outcome, ...] = ()
    """Outcomes of this pass that led to nothing: what else was seen comes next."""
