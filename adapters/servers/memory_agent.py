"""The twin's servers: what tests say to them, and the port that the workflow calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from securesystemslib.signer import CryptoSigner

from adapters.servers.link import origin_of
from adapters.servers.memory_fleet import MemoryFleet, MemoryMainframe
from adapters.servers.memory_host import Effect, MemoryHost
from adapters.servers.memory_runs import MemoryRuns
from adapters.servers.statements import release_statement
from core.ports import Clock, Progress, ServerFault
from core.release.signing import public_text
from core.release.wire import (
    About,
    ComponentState,
    DistributionState,
    Registered,
    Release,
    Report,
    Role,
    SlotState,
    State,
    VerificationWanted,
)

T = TypeVar("T")
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all servers share: the time, the bot's artifacts, and the key that the bot signs with."""

    clock: Clock
    content: Callable[[str], bytes]
    """A stored artifact's bytes. Raises ArtifactProblem."""
    signer: CryptoSigner


class MemoryAgent:
    """One server. `effects` tells what took hold there, in order."""

    def __init__(self, role: Role, name: str, url: str, around: Surroundings, region: str | None = None) -> None:
        self.name = name
        self.url = url
        self.host = MemoryHost(name, origin_of(url), around.clock, around.content)
        self.version = "0.1.0"
        self.platform_version: str | None = None
        self.free_bytes = 10**12
        self._role: Role = role
        self._region = region
        self._signer = around.signer
        self._key = CryptoSigner.generate_ed25519()
        self._is_down = False
        self._is_slow = False
        self.leaves_out = role == "omega"
        """False: an agent of an earlier version."""
        self._cuts: list[tuple[str, When]] = []

    # -- what tests say -------------------------------------------------------------------------------------------

    @property
    def effects(self) -> Sequence[Effect]:
        return self.host.effects

    @property
    def public_key(self) -> str:
        return public_text(self._key)

    def down(self) -> None:
        """Nothing answers until `up`; what is under way on the server goes on."""
        self._is_down = True

    def up(self) -> None:
        self._is_down = False

    def slow(self) -> None:
        """What is under way stays so until `quick` or `settle`."""
        self._is_slow = True

    def quick(self) -> None:
        self._is_slow = False

    def cut(self, method: str, when: When) -> None:
        """The next call of `method` breaks off `before` or `after` it took effect. Several are used up in order."""
        if not hasattr(MemoryAgent, method):
            raise ValueError(f"an agent has no method {method!r}")
        self._cuts.append((method, when))

    def settle(self) -> None:
        """Finish what is under way now, also where the server is slow."""
        self.host.work()

    def refuse_switch(self, error: str, digest: str | None = None) -> None:
        """Desired releases (or the one with this digest) do not become healthy; what ran before goes on."""
        self.host.switch_errors[digest] = error

    def allow_switch(self) -> None:
        self.host.switch_errors.clear()

    # -- the port -------------------------------------------------------------------------------------------------

    async def about(self) -> About:
        return self._call("about", self._about)

    async def state(self) -> State:
        return self._call("state", self._state)

    async def upload(self, digest: str, progress: Progress) -> None:
        self._call("upload", lambda: self.host.upload(digest, progress))

    async def stage(self, slot: str, release: Release) -> SlotState:
        return self._call("stage", lambda: self._public().host.stage(slot, release))

    async def withdraw(self, slot: str) -> None:
        self._call("withdraw", lambda: self._public().take_away(slot))

    async def desire(self, release: Release) -> ComponentState:
        return self._call("desire", lambda: self.host.desire(release))

    async def verify(self, slot: str, wanted: VerificationWanted) -> Report:
        return self._call("verify", lambda: self._public().runs.put(slot, wanted))

    async def report(self, slot: str, run: int) -> Report | None:
        return self._call("report", lambda: self._public().runs.get(slot, run))

    async def distribute(
        self,
        release: Release,
        *,
        hold: bool,
        order: int,
        otherwise: Release | None = None,
        left_out: Sequence[str] | None = None,
    ) -> DistributionState:
        fleet = self._omega().fleet
        if left_out is not None and not self.leaves_out:
            self.host.refuse("left_out: Extra inputs are not permitted")
        return self._call(
            "distribute",
            lambda: fleet.distribute(release, hold=hold, order=order, otherwise=otherwise, left_out=left_out),
        )

    async def distribution(self, component: str) -> DistributionState | None:
        return self._call("distribution", lambda: self._omega().fleet.distribution(component))

    async def mainframes(self) -> Sequence[Registered]:
        return self._call("mainframes", lambda: self._omega().fleet.registered())

    def statement(self, release: Release) -> dict[str, Any]:
        return release_statement(self._signer, release)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _call(self, method: str, act: Callable[[], T]) -> T:
        if self._is_down or self._is_cut(method, "before"):
            raise self._unreachable()
        if not self._is_slow:
            self.settle()
        answer = act()
        if self._is_cut(method, "after"):
            raise self._unreachable()
        return answer

    def _is_cut(self, method: str, when: When) -> bool:
        planned = next((cut for cut in self._cuts if cut[0] == method), None)
        if planned != (method, when):
            return False
        self._cuts.remove(planned)
        return True

    def _unreachable(self) -> ServerFault:
        return ServerFault(f"{self.name} broke off the connection", temporary=True)

    def _about(self) -> About:
        return About(
            version=self.version,
            role=self._role,
            name=self.name,
            region=self._region,
            platform_version=self.platform_version,
            public_key=self.public_key,
            now=self.host.now(),
        )

    def _state(self) -> State:
        return State(
            about=self._about(),
            url=origin_of(self.url) + "/",
            components=self.host.components,
            slots=self.host.slots,
            free_bytes=self.free_bytes,
            leaves_out=self.leaves_out,
        )

    def _public(self) -> MemoryPublic:
        if not isinstance(self, MemoryPublic):
            self.host.refuse(f"an agent of role {self._role} has no slots")
        return self

    def _omega(self) -> MemoryOmega:
        if not isinstance(self, MemoryOmega):
            self.host.refuse(f"an agent of role {self._role} has no mainframes")
        return self


class MemoryPublic(MemoryAgent):
    """Staging. Checks pass unless a test says how they end."""

    def __init__(self, name: str, url: str, around: Surroundings) -> None:
        super().__init__("public", name, url, around)
        self.runs = MemoryRuns(self.host)

    def settle(self) -> None:
        super().settle()
        self.runs.work()

    def take_away(self, slot: str) -> None:
        self.runs.stop(slot, "the slot was withdrawn")
        self.host.withdraw(slot)

    def refuse_start(self, error: str, digest: str | None = None) -> None:
        """Staged releases (or the one with this digest) do not become healthy."""
        self.host.start_errors[digest] = error

    def allow_start(self) -> None:
        self.host.start_errors.clear()

    def pass_check(self, name: str) -> None:
        """Undo what was said about it."""
        self.runs.endings.pop(name, None)
        self.runs.held.discard(name)

    def fail_check(self, name: str, *, seen: str, expected: str = "200", where: str = "/healthz") -> None:
        self.runs.endings[name] = {"state": "failed", "expected": expected, "seen": seen, "where": where}

    def time_out_check(self, name: str) -> None:
        ending = {"state": "timed_out", "expected": "an answer in time", "seen": "none", "where": "/"}
        self.runs.endings[name] = ending

    def skip_check(self, name: str, warning: str) -> None:
        self.runs.endings[name] = {"state": "skipped", "warning": warning}

    def spare_check(self, name: str, warning: str) -> None:
        """It is not applicable."""
        self.runs.endings[name] = {"state": "not_applicable", "warning": warning}

    def hold_check(self, name: str) -> None:
        """It runs until `pass_check`, `release_check` or a newer run."""
        self.runs.held.add(name)

    def release_check(self, name: str) -> None:
        self.runs.held.discard(name)


class MemoryOmega(MemoryAgent):
    """Production, with its mainframes."""

    def __init__(
        self,
        name: str,
        url: str,
        around: Surroundings,
        region: str,
        mainframes: Iterable[MemoryMainframe],
        online_within: float,
        receipt_timeout: float,
    ) -> None:
        super().__init__("omega", name, url, around, region)
        self.fleet = MemoryFleet(self.host, mainframes, online_within, receipt_timeout)

    def settle(self) -> None:
        super().settle()
        self.fleet.work()

    def mainframe(self, name: str) -> MemoryMainframe:
        return self.fleet.mainframes[name]
