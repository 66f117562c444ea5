"""Where updates come from, and where their bytes are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from core.release.manifest import Manifest


@dataclass(frozen=True, slots=True)
class AlphaFile:
    """A file of ALPHA that holds an update."""

    id: str
    name: str
    size: int
    modified_at: datetime


class ArtifactProblem(Exception):
    """The update cannot be had. `str(error)` is one sentence for a person."""


class ArtifactSource(Protocol):
    """ALPHA: where updates come from."""

    async def updates(self) -> Sequence[AlphaFile]:
        """All updates, newest first. Raises ArtifactProblem where ALPHA cannot be read."""

    async def find(self, id: str) -> Sequence[AlphaFile]:  # noqa: A002
        """The files for this id: none, one, or more than one format."""

    async def manifest(self, file: AlphaFile) -> Manifest:
        """Read from inside it. Raises ArtifactProblem with the line."""

    def read(self, file: AlphaFile) -> AsyncIterator[bytes]:
        """Its bytes in blocks of at most 1 MiB. Raises ArtifactProblem where it vanishes."""


class ArtifactStore(Protocol):
    """Artifacts by digest; what is in it never changes."""

    async def add(self, blocks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Store the stream; digest and size. Raises ArtifactProblem above `limit` bytes. A cut leaves nothing."""

    async def verify(self, digest: str) -> bool:
        """Hash the stored bytes again: whether they are still what their name says."""

    def path(self, digest: str) -> PurePath:
        """Where the file is. Raises ArtifactProblem where it is not stored."""

    async def manifest(self, digest: str) -> Manifest: ...
