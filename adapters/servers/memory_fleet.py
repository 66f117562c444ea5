"""The twin's fleet: OMEGA's registry, and mainframes that pull, switch and send receipts, or do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from securesystemslib.signer import CryptoSigner

from adapters.servers.memory_host import MemoryHost
from core.release.signing import sign
from core.release.wire import (
    ComponentStatus,
    DistributionState,
    EnvelopeJson,
    MainframeReport,
    MainframeState,
    MainframeStatus,
    Receipt,
    Registered,
    Release,
)

SERVER_OWNER = "server-owner"
"""The level that reaches only mainframes whose tier has this name."""


@dataclass(slots=True)
class _Installed:
    """One component on one mainframe."""

    granted: Release
    granted_at: datetime
    running: str | None = None
    status: ComponentStatus = "switching"
    error: str | None = None
    receipt: EnvelopeJson | None = None
    """For what it was granted last."""


@dataclass(slots=True)
class MemoryMainframe:
    """A licensed server. It is awake and well until a test says otherwise."""

    name: str
    owner: str
    tier: str = "standard"
    licence_until: datetime | None = None
    revoked: bool = False
    last_seen: datetime | None = None
    _awake: bool = True
    _silent: bool = False
    _error: str | None = None
    _installed: dict[str, _Installed] = field(default_factory=dict)
    _signer: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)

    def asleep(self) -> None:
        """It polls no more; OMEGA notices once `online_within` has passed."""
        self._awake = False

    def awake(self) -> None:
        self._awake = True

    def fails(self, error: str) -> None:
        """What it is given from now on does not become healthy there."""
        self._error = error

    def hangs(self) -> None:
        """It polls, and never finishes what it is given."""
        self._silent = True

    def works(self) -> None:
        """No longer `fails` or `hangs`; what failed is tried again."""
        self._error, self._silent = None, False
        for installed in self._installed.values():
            if installed.status == "failed":
                installed.status, installed.error = "switching", None

    def runs(self, component: str) -> str | None:
        """The digest that it runs."""
        installed = self._installed.get(component)
        return installed.running if installed else None

    def licensed(self, now: datetime) -> bool:
        return not self.revoked and (self.licence_until is None or now < self.licence_until)

    def online(self, now: datetime, within: timedelta) -> bool:
        return self._awake or (self.last_seen is not None and now - self.last_seen <= within)

    def installed(self, component: str) -> _Installed | None:
        return self._installed.get(component)

    def is_polling(self) -> bool:
        return self._awake

    def grant(self, release: Release, now: datetime) -> None:
        before = self._installed.get(release.component)
        self._installed[release.component] = _Installed(release, now, before.running if before else None)

    def work(self, component: str, now: datetime) -> bool:
        """Switch to what was granted; whether that brought a receipt."""
        installed = self._installed.get(component)
        if installed is None or installed.status != "switching" or self._silent:
            return False
        if self._error is not None:
            installed.status, installed.error = "failed", self._error
            return False
        release = installed.granted
        installed.running = release.digest
        installed.status = "healthy" if release.digest else "offline"
        installed.receipt = self._receipt(release, now)
        return True

    def reports(self) -> tuple[MainframeReport, ...]:
        return tuple(
            MainframeReport(
                component=component,
                running=installed.running,
                generation=installed.granted.generation,
                status=installed.status,
                error=installed.error,
            )
            for component, installed in sorted(self._installed.items())
        )

    def _receipt(self, release: Release, now: datetime) -> EnvelopeJson:
        receipt = Receipt(
            mainframe=self.name,
            component=release.component,
            digest=release.digest,
            generation=release.generation,
            deployment=release.deployment,
            attempt=release.attempt,
            nonce=release.nonce,
            healthy_at=now,
        )
        return sign(self._signer, "receipt/v1", {release.deployment: release.digest or "0" * 64}, receipt)


@dataclass(frozen=True, slots=True)
class _Distribution:
    release: Release
    hold: bool
    order: int
    otherwise: Release | None = None
    left_out: frozenset[str] | None = None
    """None: nobody, and nobody ever was."""

    def for_tier(self, tier: str) -> Release | None:
        return self.release if self.release.level != SERVER_OWNER or tier == SERVER_OWNER else self.otherwise

    def leaves_out(self, name: str) -> bool:
        return name in (self.left_out or ())


class MemoryFleet:
    """OMEGA's side. Durations in seconds."""

    def __init__(
        self, host: MemoryHost, mainframes: Iterable[MemoryMainframe], online_within: float, receipt_timeout: float
    ) -> None:
        self.mainframes = {one.name: one for one in mainframes}
        self._host = host
        self._online_within = timedelta(seconds=online_within)
        self._receipt_timeout = timedelta(seconds=receipt_timeout)
        self._given: dict[str, list[_Distribution]] = {}
        """Per component, oldest first: one that reaches fewer tiers leaves the others with what came before."""

    def distribute(
        self,
        release: Release,
        *,
        hold: bool,
        order: int,
        otherwise: Release | None = None,
        left_out: Sequence[str] | None = None,
    ) -> DistributionState:
        if release.purpose != "desired":
            self._host.refuse(f"the statement is for {release.purpose}, and only a desired release is distributed")
        for digest in (release.digest, otherwise.digest if otherwise else None):
            if digest is not None and digest not in self._host.artifacts:
                self._host.refuse(f"the artifact {digest[:12]} is not complete on this OMEGA; upload it first")
        given = self._given.setdefault(release.component, [])
        current = given[-1] if given else None
        named = None if left_out is None else frozenset(left_out)
        offered = _Distribution(release, hold, order, otherwise, named)
        if current is None or release.generation > current.release.generation:
            given.append(offered)
            self._host.took_hold("distribute", release.component, release.generation)
        elif self._changes_hold(current, offered):
            given[-1] = replace(current, hold=hold, order=order, left_out=named)
            self._host.took_hold("hold", release.component, release.generation, order)
        return self._state(given[-1])

    def distribution(self, component: str) -> DistributionState | None:
        given = self._given.get(component)
        return self._state(given[-1]) if given else None

    def registered(self) -> tuple[Registered, ...]:
        now = self._host.now()
        return tuple(
            Registered(
                name=one.name,
                owner=one.owner,
                tier=one.tier,
                licence_until=one.licence_until,
                licensed=one.licensed(now),
                online=one.online(now, self._online_within),
                last_seen=one.last_seen,
                reports=one.reports(),
            )
            for one in self.mainframes.values()
        )

    def work(self) -> None:
        """Every mainframe that is awake polls, is given what it is due, and switches."""
        now = self._host.now()
        for one in self.mainframes.values():
            if not one.is_polling():
                continue
            one.last_seen = now
            for component in self._given:
                self._grant(one, component, now)
                if one.licensed(now) and one.work(component, now):
                    installed = one.installed(component)
                    assert installed is not None
                    self._host.took_hold("receipt", one.name, component, installed.granted.generation)

    def _grant(self, one: MemoryMainframe, component: str, now: datetime) -> None:
        reaching = [given for given in self._given[component] if given.for_tier(one.tier)]
        if self._given[component] and self._given[component][-1].leaves_out(one.name):
            return
        if not reaching or reaching[-1].hold or not one.licensed(now):
            return
        release, installed = reaching[-1].for_tier(one.tier), one.installed(component)
        assert release is not None
        if installed is None or installed.granted.generation < release.generation:
            one.grant(release, now)
            self._host.took_hold("grant", one.name, component, release.generation)

    def _changes_hold(self, current: _Distribution, offered: _Distribution) -> bool:
        component, generation = offered.release.component, offered.release.generation
        if generation < current.release.generation:
            self._host.refuse(f"generation {generation} of {component} is older than {current.release.generation}")
        if current.release.model_copy(update={"issued_at": offered.release.issued_at}) != offered.release:
            self._host.refuse(
                f"generation {generation} of {component} was already given to {current.release.deployment}"
            )
        if current.left_out is not None and offered.left_out is None:
            self._host.refuse(f"mainframes are left out of generation {generation} of {component}; say who still is")
        if offered.order > current.order:
            return True
        same = (offered.order, offered.hold, offered.left_out or frozenset())
        if same != (current.order, current.hold, current.left_out or frozenset()):
            self._host.refuse(f"the hold of {component} was last changed by order {current.order}; send one above it")
        return False

    def _state(self, distribution: _Distribution) -> DistributionState:
        release = distribution.release
        return DistributionState(
            component=release.component,
            generation=release.generation,
            digest=release.digest,
            hold=distribution.hold,
            order=distribution.order,
            mainframes=tuple(self._mainframe(distribution, one) for one in self.mainframes.values()),
        )

    def _mainframe(self, distribution: _Distribution, one: MemoryMainframe) -> MainframeState:
        release = distribution.release
        installed = one.installed(release.component)
        status, error = self._status(distribution, one, installed)
        confirmed = installed is not None and installed.granted.generation == release.generation
        return MainframeState(
            name=one.name,
            owner=one.owner,
            tier=one.tier,
            licence_until=one.licence_until,
            status=status,
            running=installed.running if installed else None,
            generation=installed.granted.generation if installed else 0,
            last_seen=one.last_seen,
            error=error,
            receipt=installed.receipt if installed and confirmed else None,
        )

    def _status(
        self, distribution: _Distribution, one: MemoryMainframe, installed: _Installed | None
    ) -> tuple[MainframeStatus, str | None]:
        now = self._host.now()
        if not one.licensed(now):
            return "unlicensed", None
        if distribution.for_tier(one.tier) is None:
            return "not_included", None
        if distribution.leaves_out(one.name):
            return "frozen", None
        generation = distribution.release.generation
        current = installed if installed and installed.granted.generation == generation else None
        if current is not None and current.receipt is not None and current.status != "failed":
            return "healthy", None
        error = current.error if current else None
        if not one.online(now, self._online_within):
            return "asleep", error
        if current is not None and error is None and now - current.granted_at > self._receipt_timeout:
            error = f"no receipt came within {self._receipt_timeout.total_seconds():g} s of its being given the release"
        return ("failed", error) if error else ("waiting", None)
