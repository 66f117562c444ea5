"""What every check gets, and the three ways in which it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.checks.target import Target
from agent.processes.kept import User
from agent.settings import CheckSettings


@dataclass
class Place:
    """Where a check is just now, so that the report of a time-out can say what it was waiting for."""

    where: str = "before the first request"
    seen: str = "no answer"


@dataclass(frozen=True)
class CheckContext:
    """One check's surroundings. `address` is Public's URL as the bot calls it; `baseline` is production's release."""

    target: Target
    baseline: Target | None
    address: str
    settings: CheckSettings
    clock: Callable[[], datetime]
    run_as: User | None = None
    """Whom the settings' commands run as: they handle what the release wrote. None is the agent's own user."""
    place: Place = field(default_factory=Place)


@dataclass(frozen=True)
class Passed:
    warning: str | None = None
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NotApplicable:
    """The release does not declare what this check needs. It is not a pass; `reason` is one sentence."""

    reason: str


Finding = Passed | NotApplicable


class Unmet(Exception):
    """An expectation that the release, or its host, did not meet. Texts may be raw: the report cleans and caps them."""

    def __init__(
        self,
        expected: str,
        seen: str,
        where: str,
        *,
        warning: str | None = None,
        measured: Mapping[str, float] | None = None,
        timed_out: bool = False,
    ) -> None:
        super().__init__(f"expected {expected}, got {seen} at {where}")
        self.expected = expected
        self.seen = seen
        self.where = where
        self.warning = warning
        self.measured = measured or {}
        self.timed_out = timed_out


def all_of(failures: Sequence[Unmet], warnings: Sequence[str] = ()) -> Unmet:
    """One report of several failures: the first in full, the others named in its warning."""
    first, *others = failures
    notes = [f"also {other.where}: {other.seen}" for other in others] + list(warnings)
    return Unmet(
        first.expected,
        first.seen,
        first.where,
        warning=joined(notes),
        measured=first.measured,
        timed_out=first.timed_out,
    )


def joined(notes: Sequence[str]) -> str | None:
    """Several sentences as one warning, or None where there is none."""
    return "; ".join(notes) or None
