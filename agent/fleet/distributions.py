"""Distributions: which release each mainframe is to run, decided from what the bot signed and who is licensed now.

Everything here is a decision in memory, without I/O: agent.fleet.omega makes it durable and wakes who waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agent.errors import Refused
from agent.fleet.registry import CountedReceipt, Grant, Registration
from core.release.wire import DistributionState, MainframeReport, MainframeState, MainframeStatus, Receipt, Release

SERVER_OWNER = "server-owner"
"""The level that reaches only mainframes of owners with the tier of this name."""

KEPT_GENERATIONS = 10
"""Of superseded distributions and of receipts, per component and per mainframe."""


@dataclass(frozen=True)
class Signed:
    """A release, and the envelope in which the bot signed it."""

    release: Release
    envelope: dict[str, Any]


@dataclass(frozen=True)
class SignedLeftOut:
    """Mainframes that are left out, and the envelope in which the bot signed them."""

    names: frozenset[str]
    envelope: dict[str, Any]


@dataclass(frozen=True)
class Distribution:
    """One generation of a component on its way to the mainframes. `order` counts the changes of `hold`."""

    release: Release
    envelope: dict[str, Any]
    hold: bool
    order: int
    otherwise: Signed | None = None
    """For tiers that the release's level does not reach; None: they keep what they have."""
    left_out: SignedLeftOut | None = None
    """The frozen mainframes, which keep what they have as long as this is the newest; None where nobody ever was."""

    @property
    def generation(self) -> int:
        return self.release.generation

    @property
    def releases(self) -> tuple[Release, ...]:
        return (self.release, self.otherwise.release) if self.otherwise else (self.release,)

    def for_tier(self, tier: str) -> Signed | None:
        """What mainframes of this tier are to run; None where this is not about them."""
        if self.release.level != SERVER_OWNER or tier == SERVER_OWNER:
            return Signed(self.release, self.envelope)
        return self.otherwise

    def leaves_out(self, name: str) -> bool:
        return self.left_out is not None and name in self.left_out.names


@dataclass(frozen=True)
class Patience:
    """How long OMEGA goes without a word before it says so."""

    online_within: timedelta
    receipt_timeout: timedelta


class Ledger:
    """The distributions that still matter: per component the newest, and the newest that reaches every tier."""

    def __init__(self, distributions: Iterable[Distribution] = ()) -> None:
        self._by_component: dict[str, dict[int, Distribution]] = {}
        for distribution in distributions:
            self.put(distribution)

    def put(self, distribution: Distribution) -> None:
        self._by_component.setdefault(distribution.release.component, {})[distribution.generation] = distribution

    def get(self, component: str, generation: int) -> Distribution | None:
        return self._by_component.get(component, {}).get(generation)

    def components(self) -> Iterator[str]:
        return iter(sorted(self._by_component))

    def newest(self, component: str, tier: str = SERVER_OWNER) -> Distribution | None:
        """The newest distribution of `component` that reaches `tier`."""
        reaching = [one for one in self._by_component.get(component, {}).values() if one.for_tier(tier)]
        return max(reaching, key=lambda one: one.generation, default=None)

    def forget(self, component: str, given: Iterable[int]) -> list[int]:
        """Drop and return the generations that nobody can be given any more and nobody has.

        The last few are kept whatever happens: one of them may be on its way to a mainframe at this moment.
        """
        needed = {one.generation for tier in ("", SERVER_OWNER) if (one := self.newest(component, tier))}
        needed.update(given)
        generations = self._by_component.get(component, {})
        recent = max(generations, default=0) - KEPT_GENERATIONS
        gone = [generation for generation in generations if generation <= recent and generation not in needed]
        for generation in gone:
            del generations[generation]
        return gone


def judge(current: Distribution | None, offered: Distribution) -> Distribution | None:
    """What becomes of `offered`: what to store from now on, or None where it is already so.

    Raises Refused: `older_generation`, or `conflict` where it contradicts what was accepted under the same number.
    """
    if current is None or offered.generation > current.generation:
        return offered
    component = offered.release.component
    if offered.generation < current.generation:
        raise Refused(
            "older_generation",
            f"generation {offered.generation} of {component} is older than {current.generation}, which is being "
            "distributed; read the distribution and sign a newer generation",
        )
    if not _same_statements(current, offered):
        raise Refused(
            "conflict",
            f"generation {offered.generation} of {component} was already given to {current.release.deployment} "
            f"({_short(current.release.digest)}); sign this release under a newer generation",
        )
    return _judge_hold(current, offered)


def _judge_hold(current: Distribution, offered: Distribution) -> Distribution | None:
    """A change of hold, or of who is left out. Whom the bot has signed to leave out, only the bot lets in again."""
    component = current.release.component
    if current.left_out is not None and offered.left_out is None:
        raise Refused(
            "refused",
            f"mainframes are left out of generation {current.generation} of {component}; "
            "each change of it needs a signed statement of who still is",
        )
    if offered.order > current.order:
        return replace(current, hold=offered.hold, order=offered.order, left_out=offered.left_out)
    if offered.order == current.order and offered.hold == current.hold and _names(offered) == _names(current):
        return None
    raise Refused(
        "conflict",
        f"the hold of {component} and who is left out were last changed by order {current.order}; "
        f"send an order above it, not {offered.order}",
    )


def _names(distribution: Distribution) -> frozenset[str]:
    return distribution.left_out.names if distribution.left_out else frozenset()


def _same_statements(one: Distribution, other: Distribution) -> bool:
    """Whether both say the same, whenever they were signed."""
    return _undated(one) == _undated(other)


def _undated(one: Distribution) -> list[dict[str, Any]]:
    return [release.model_dump(exclude={"issued_at"}) for release in one.releases]


def due(ledger: Ledger, mainframe: Registration, now: datetime) -> tuple[Distribution, ...]:
    """What is to be given to `mainframe` and has not been: nothing to the unlicensed, nothing that is on hold.

    Whom the newest distribution leaves out gets nothing of the component, also not what came before it; whom it does
    not leave out gets what its tier should have, whatever passed it by in the meantime.
    """
    if not mainframe.licence.valid(now):
        return ()
    found = (_due_of(ledger, component, mainframe) for component in ledger.components())
    return tuple(one for one in found if one is not None)


def _due_of(ledger: Ledger, component: str, mainframe: Registration) -> Distribution | None:
    newest = ledger.newest(component)
    if newest is None or newest.leaves_out(mainframe.name):
        return None
    target = ledger.newest(component, mainframe.licence.tier)
    if target is None or target.hold:
        return None
    given = mainframe.grants.get(component)
    return target if given is None or target.generation > given.release.generation else None


def check_receipt(receipt: Receipt, mainframe: Registration) -> bool:
    """Whether `receipt`, signed by `mainframe`, counts; False where it is about what was given before.

    Raises Refused: `refused` for another mainframe's, `conflict` where it is not about what was given.
    """
    if receipt.mainframe != mainframe.name:
        raise Refused("refused", f"the receipt is {receipt.mainframe}'s, and it was sent with {mainframe.name}'s token")
    given = mainframe.grants.get(receipt.component)
    if given is None or receipt.generation > given.release.generation:
        raise Refused(
            "conflict", f"generation {receipt.generation} of {receipt.component} was never given to {mainframe.name}"
        )
    if receipt.generation < given.release.generation:
        return False
    if _said(receipt) != _asked(given.release):
        raise Refused(
            "conflict",
            f"the receipt does not name what {mainframe.name} was given as generation {receipt.generation} of "
            f"{receipt.component}: digest, deployment, attempt and nonce must be the assignment's",
        )
    return True


def _said(receipt: Receipt) -> tuple[object, ...]:
    return receipt.digest, receipt.deployment, receipt.attempt, receipt.nonce


def _asked(release: Release) -> tuple[object, ...]:
    return release.digest, release.deployment, release.attempt, release.nonce


def state_of(
    distribution: Distribution, mainframes: Iterable[Registration], now: datetime, patience: Patience
) -> DistributionState:
    """How far `distribution` has come."""
    return DistributionState(
        component=distribution.release.component,
        generation=distribution.generation,
        digest=distribution.release.digest,
        hold=distribution.hold,
        order=distribution.order,
        mainframes=tuple(_mainframe_state(distribution, one, now, patience) for one in mainframes),
    )


def _mainframe_state(
    distribution: Distribution, mainframe: Registration, now: datetime, patience: Patience
) -> MainframeState:
    report = mainframe.reports.get(distribution.release.component)
    receipt = _receipt(distribution, mainframe)
    status, error = _status(distribution, mainframe, now, patience)
    return MainframeState(
        name=mainframe.name,
        owner=mainframe.licence.owner,
        tier=mainframe.licence.tier,
        licence_until=mainframe.licence.until,
        status=status,
        running=report.running if report else None,
        generation=report.generation if report else 0,
        last_seen=mainframe.last_seen,
        url=report.url if report else None,
        error=error,
        receipt=receipt.envelope if receipt else None,
    )


def _status(
    distribution: Distribution, mainframe: Registration, now: datetime, patience: Patience
) -> tuple[MainframeStatus, str | None]:
    """The status, and the sentence that goes with it. A receipt alone makes healthy; a later failure unmakes it.

    Who would get nothing anyway is not called frozen: the end of the freeze would change nothing for it.
    """
    if not mainframe.licence.valid(now):
        return "unlicensed", None
    if distribution.for_tier(mainframe.licence.tier) is None:
        return "not_included", None
    if distribution.leaves_out(mainframe.name):
        return "frozen", None
    failure = _failure(distribution, mainframe.reports.get(distribution.release.component))
    if _receipt(distribution, mainframe) and failure is None:
        return "healthy", None
    if not mainframe.online(now, patience.online_within):
        return "asleep", failure
    failure = failure or _overdue(distribution, mainframe, now, patience)
    return ("failed", failure) if failure else ("waiting", None)


def _receipt(distribution: Distribution, mainframe: Registration) -> CountedReceipt | None:
    receipt = mainframe.receipts.get(distribution.release.component)
    return receipt if receipt and receipt.generation == distribution.generation else None


def _failure(distribution: Distribution, report: MainframeReport | None) -> str | None:
    if report is None or report.generation != distribution.generation or report.status not in ("failed", "crashed"):
        return None
    return report.error or f"it reported that the release {report.status}, without a reason"


def _overdue(distribution: Distribution, mainframe: Registration, now: datetime, patience: Patience) -> str | None:
    """A mainframe that is awake and has been given the release owes a receipt within a time."""
    given: Grant | None = mainframe.grants.get(distribution.release.component)
    if given is None or given.release.generation != distribution.generation or mainframe.awake_since is None:
        return None
    if now - max(given.given_at, mainframe.awake_since) <= patience.receipt_timeout:
        return None
    return f"no receipt came within {patience.receipt_timeout.total_seconds():g} s of its being given the release"


def _short(digest: str | None) -> str:
    return f"sha256 {digest[:12]}" if digest else "offline"
