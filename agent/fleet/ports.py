"""What the fleet needs of the host it runs on, and of a clock: no more than it uses."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from core.release.wire import ComponentState, Release

Said = TypeVar("Said", bound=BaseModel)
Now = Callable[[], datetime]
"""The time, aware, in UTC."""


class StoredArtifacts(Protocol):
    """The artifacts that OMEGA holds, by digest."""

    def complete(self, digest: str) -> bool:
        """Whether all bytes are here and hash to `digest`."""

    def path(self, digest: str) -> Path:
        """The file of a complete artifact."""

    def claimed(self, digest: str | None) -> None:
        """A distribution names it now; until then what was sent is kept for a while."""


class Artifacts(StoredArtifacts, Protocol):
    """The artifacts that a mainframe holds or is fetching."""

    def offset(self, digest: str) -> int:
        """How many bytes of an unfinished artifact are here."""

    async def append(self, digest: str, offset: int, length: int, stream: AsyncIterable[bytes]) -> object:
        """Write `stream` at `offset`; `length` is the whole artifact's.

        Raises `Refused("wrong_digest")`, having discarded it, where the finished bytes hash to something else.
        """


class Trusted(Protocol):
    """What a trusted bot key signed in an envelope, of one predicate. Raises `Refused("refused")`."""

    def __call__(self, envelope: dict[str, Any], name: str, model: type[Said]) -> Said: ...


class Changes(Protocol):
    """Wakes whoever waits for a change on the host."""

    @property
    def version(self) -> int: ...

    async def wait(self, after: int, timeout: float) -> int:  # noqa: ASYNC109 - it answers then, it does not raise
        """The version, once it differs from `after` or `timeout` seconds have passed."""


class Host(Protocol):
    """A host that runs components."""

    @property
    def artifacts(self) -> Artifacts: ...

    @property
    def changes(self) -> Changes: ...

    def trusted(self, envelope: dict[str, Any]) -> Release:
        """The release in an envelope that a trusted bot key signed. Raises `Refused("refused")`."""

    def components(self) -> tuple[ComponentState, ...]: ...

    async def desire(self, release: Release, envelope: dict[str, Any]) -> ComponentState:
        """Make `release` its component's wanted one; the switch goes on by itself. Raises `Refused`."""
