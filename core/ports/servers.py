"""Public and OMEGA, as the bot reaches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

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
from core.state import Server


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
        self,
        release: Release,
        *,
        hold: bool,
        order: int,
        otherwise: Release | None = None,
        left_out: Sequence[str] | None = None,
    ) -> DistributionState:
        """`otherwise` is for mainframes that the level of `release` does not reach; None: they keep what they have.

        Those of `left_out` keep it too. Once it was given for a generation it is given with each call, be it empty.
        `State.leaves_out` says whether the server knows it.
        """

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
