"""Servers as far as the workflow can tell them apart: generations, slots, runs, distributions and receipts, in memory.

Only what agents promise is here, in a few dictionaries, so that tests can hold production against the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from core.ports import ServerFault
from core.release.wire import (
    About,
    CheckReport,
    CheckState,
    ComponentState,
    ComponentStatus,
    DistributionState,
    MainframeState,
    MainframeStatus,
    Release,
    Report,
    Role,
    SlotState,
    SlotStatus,
    State,
    VerificationWanted,
)
from tests.core.support.team import START

Speed = Literal["quick", "slow"]
_KEY = "0" * 64


def _about(role: Role, name: str) -> About:
    return About(version="1", role=role, name=name, public_key=_KEY, now=START)


def refuse(why: str) -> ServerFault:
    return ServerFault(why, temporary=False)


@dataclass(frozen=True)
class Accepted:
    """A release that a server took as newest."""

    release: Release
    at: datetime


@dataclass
class Host:
    """What every agent does: keep bytes, refuse lower generations, switch, answer the same twice."""

    role: Role
    name: str
    away: bool = False
    breaks: bool = False
    """What is started here does not become healthy."""
    slow: bool = False
    """What is started here does not get ready for now."""
    leaves_out: bool = True
    """False: an agent of an earlier version."""
    artifacts: set[str] = field(default_factory=set)
    wanted: dict[str, Release] = field(default_factory=dict)
    statuses: dict[str, ComponentStatus] = field(default_factory=dict)
    running: dict[str, str | None] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)

    def answer(self) -> None:
        if self.away:
            raise ServerFault(f"{self.name} does not answer", temporary=True)
        self.work()

    def work(self) -> None:
        """What is under way comes to its end, unless the server is slow."""
        for component, status in self.statuses.items():
            if status == "switching" and not self.slow:
                self._switch(component)

    def _switch(self, component: str) -> None:
        digest = self.wanted[component].digest
        if digest is None:
            self.statuses[component], self.running[component] = "offline", None
        elif self.breaks:
            self.statuses[component] = "failed"
        else:
            self.statuses[component], self.running[component] = "healthy", digest

    def upload(self, digest: str) -> None:
        self.answer()
        self.artifacts.add(digest)

    def desire(self, release: Release, now: datetime) -> ComponentState:
        self.answer()
        if release.digest is not None and release.digest not in self.artifacts:
            raise refuse(f"{self.name} has no {release.digest[:12]}")
        highest = self.wanted.get(release.component)
        if highest is None or release.generation > highest.generation:
            self.accepted.append(Accepted(release, now))
            self.wanted[release.component] = release
            self.statuses[release.component] = "switching"
        elif release.generation < highest.generation:
            raise refuse(f"{self.name} has generation {highest.generation}; {release.generation} is older")
        elif release.digest != highest.digest:
            raise refuse(f"{self.name} has another digest at generation {release.generation}")
        return self.component(release.component)

    def component(self, component: str) -> ComponentState:
        status = self.statuses[component]
        return ComponentState(
            component=component, generation=self.wanted[component].generation, wanted=self.wanted[component].digest,
            running=self.running.get(component), status=status, error="it died" if status == "failed" else None,
            url=f"https://{self.name}.test/", since=START,
        )  # fmt: skip

    def state(self) -> State:
        self.answer()
        rows = tuple(self.component(component) for component in self.wanted)
        return State(
            about=_about(self.role, self.name), url=None, components=rows, slots=self.slots(), free_bytes=1,
            leaves_out=self.leaves_out,
        )  # fmt: skip

    def slots(self) -> tuple[SlotState, ...]:
        return ()


@dataclass
class Slot:
    release: Release
    status: SlotStatus = "starting"


@dataclass
class Run:
    wanted: VerificationWanted
    results: dict[str, CheckState]


@dataclass
class Public(Host):
    """Staging. `endings` says how the checks of the next runs end; a check that is not named passes."""

    role: Role = "public"
    name: str = "public"
    endings: dict[str, CheckState] = field(default_factory=dict)
    staged: dict[str, Slot] = field(default_factory=dict)
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)

    def work(self) -> None:
        super().work()
        if self.slow:
            return
        for slot in self.staged.values():
            if slot.status == "starting":
                slot.status = "failed" if self.breaks else "healthy"
        for run in self.runs.values():
            waiting = [name for name, state in run.results.items() if state == "waiting"]
            for name in waiting[:2]:
                run.results[name] = self.endings.get(name, "passed")

    def stage(self, name: str, release: Release) -> SlotState:
        self.answer()
        assert release.digest is not None
        if release.digest not in self.artifacts:
            raise refuse(f"{self.name} has no {release.digest[:12]}")
        known = self.staged.get(name)
        if known is None or known.release.nonce != release.nonce:
            self.staged[name] = Slot(release)
        return self._slot(name)

    def withdraw(self, name: str) -> None:
        self.answer()
        if name in self.staged:
            self.staged[name].status = "withdrawn"

    def verify(self, name: str, wanted: VerificationWanted) -> Report:
        self.answer()
        slot = self.staged.get(name)
        if slot is None or slot.status == "withdrawn" or slot.release.digest != wanted.digest:
            raise refuse(f"{self.name} does not run {wanted.digest[:12]} in {name}")
        self.runs.setdefault((name, wanted.run), Run(wanted, {check.name: "waiting" for check in wanted.checks}))
        return self._report(name, wanted.run)

    def report(self, name: str, run: int) -> Report | None:
        self.answer()
        return self._report(name, run) if (name, run) in self.runs else None

    def _report(self, name: str, run: int) -> Report:
        found = self.runs[name, run]
        wanted = found.wanted
        checks = tuple(CheckReport(name=check, state=state) for check, state in found.results.items())
        return Report(
            digest=wanted.digest, deployment=wanted.deployment, attempt=wanted.attempt, run=run, nonce=wanted.nonce,
            finished=all(row.state != "waiting" for row in checks), checks=checks,
        )  # fmt: skip

    def slots(self) -> tuple[SlotState, ...]:
        return tuple(self._slot(name) for name in self.staged)

    def _slot(self, name: str) -> SlotState:
        slot = self.staged[name]
        release = slot.release
        assert release.digest is not None
        return SlotState(
            slot=name, component=release.component, digest=release.digest, deployment=release.deployment,
            attempt=release.attempt, status=slot.status, nonce=release.nonce, url=f"http://{name}.public.test",
            error="it crashed" if slot.status == "failed" else None, since=START,
        )  # fmt: skip


@dataclass
class Mainframe:
    """One licensed server of an OMEGA. What it is given it runs, unless it is asleep, fails or says nothing."""

    name: str
    tier: str = "standard"
    licensed: bool = True
    mood: Literal["well", "asleep", "fails", "silent"] = "well"
    given: dict[str, Release] = field(default_factory=dict)
    running: dict[str, str | None] = field(default_factory=dict)
    receipts: dict[str, int] = field(default_factory=dict)

    def take(self, release: Release) -> None:
        known = self.given.get(release.component)
        if known is None or known.generation < release.generation:
            self.given[release.component] = release
        if self.mood == "well" and self.receipts.get(release.component) != release.generation:
            self.running[release.component] = release.digest
            self.receipts[release.component] = release.generation


@dataclass
class Distribution:
    release: Release
    hold: bool
    order: int
    otherwise: Release | None = None
    left_out: tuple[str, ...] | None = None

    def for_tier(self, tier: str) -> Release | None:
        """What a mainframe of this tier is to run, as far as this distribution says."""
        return self.otherwise if self.release.level == "server-owner" and tier != "server-owner" else self.release


@dataclass
class Omega(Host):
    """Production of one region, with its mainframes."""

    role: Role = "omega"
    name: str = "omega"
    mainframes: dict[str, Mainframe] = field(default_factory=dict)
    given: dict[str, list[Distribution]] = field(default_factory=dict)

    def work(self) -> None:
        super().work()
        for component, distributions in self.given.items():
            for mainframe in self.mainframes.values():
                self._pull(mainframe, component, distributions)

    @staticmethod
    def _pull(mainframe: Mainframe, component: str, distributions: list[Distribution]) -> None:
        if mainframe.mood == "asleep" or not mainframe.licensed:
            return
        reaching = [one for one in distributions if one.for_tier(mainframe.tier)]
        frozen = distributions and mainframe.name in (distributions[-1].left_out or ())
        if reaching and not frozen and not reaching[-1].hold:
            release = reaching[-1].for_tier(mainframe.tier)
            assert release is not None
            mainframe.take(release)
        elif component in mainframe.given:
            mainframe.take(mainframe.given[component])

    def distribute(
        self,
        release: Release,
        hold: bool,
        order: int,
        otherwise: Release | None,
        left_out: tuple[str, ...] | None = None,
    ) -> DistributionState:
        self.answer()
        if left_out is not None and not self.leaves_out:
            raise refuse("left_out: Extra inputs are not permitted")
        for digest in (release.digest, otherwise.digest if otherwise else None):
            if digest is not None and digest not in self.artifacts:
                raise refuse(f"{self.name} has no {digest[:12]}")
        distributions = self.given.setdefault(release.component, [])
        newest = distributions[-1] if distributions else None
        if newest is None or release.generation > newest.release.generation:
            distributions.append(Distribution(release, hold, order, otherwise, left_out))
        elif release.generation < newest.release.generation:
            raise refuse(f"{self.name} distributes {newest.release.generation}; {release.generation} is older")
        elif newest.left_out is not None and left_out is None:
            raise refuse(f"{self.name} leaves mainframes out of {release.generation}, and was not told who still is")
        elif order > newest.order:
            newest.hold, newest.order, newest.left_out = hold, order, left_out
        elif (order, hold, left_out or ()) != (newest.order, newest.hold, newest.left_out or ()):
            raise refuse(f"{self.name}: the hold was last changed by order {newest.order}, not {order}")
        self.work()
        return self._state(distributions[-1])

    def _state(self, one: Distribution) -> DistributionState:
        rows = tuple(self._mainframe(one, mainframe) for mainframe in self.mainframes.values())
        return DistributionState(
            component=one.release.component, generation=one.release.generation, digest=one.release.digest,
            hold=one.hold, order=one.order, mainframes=rows,
        )  # fmt: skip

    def _mainframe(self, one: Distribution, mainframe: Mainframe) -> MainframeState:
        component = one.release.component
        return MainframeState(
            name=mainframe.name, owner=f"owner of {mainframe.name}", tier=mainframe.tier, licence_until=None,
            status=self._status(one, mainframe), running=mainframe.running.get(component),
            generation=mainframe.receipts.get(component, 0), last_seen=None,
            error="it would not start" if mainframe.mood == "fails" else None,
        )  # fmt: skip

    @staticmethod
    def _status(one: Distribution, mainframe: Mainframe) -> MainframeStatus:
        if not mainframe.licensed:
            return "unlicensed"
        if one.for_tier(mainframe.tier) is None:
            return "not_included"
        if mainframe.name in (one.left_out or ()):
            return "frozen"
        if mainframe.receipts.get(one.release.component) == one.release.generation:
            return "healthy"
        given = mainframe.given.get(one.release.component)
        if mainframe.mood == "asleep":
            return "asleep"
        failed = mainframe.mood == "fails" and given is not None and given.generation == one.release.generation
        return "failed" if failed else "waiting"
