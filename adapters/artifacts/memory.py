"""Twins of the folder and the store in memory, for tests of the whole workflow and for trying things out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import PurePath

from adapters.artifacts.names import update_id
from core.ports import AlphaFile, ArtifactProblem
from core.release.archive import ArchiveError, read_manifest
from core.release.manifest import Manifest, ManifestError

BLOCK = 1024 * 1024


class MemorySource:
    """ALPHA as a dictionary: `put` and `remove` are what developers do there."""

    def __init__(self, name: str = "ALPHA") -> None:
        self._name = name
        self._files: dict[str, tuple[AlphaFile, bytes]] = {}
        self.readable = True
        """False: as if the folder was gone."""

    def put(self, name: str, content: bytes, modified_at: datetime) -> AlphaFile:
        """Raises ValueError for a name that is no update's."""
        id_ = update_id(name)
        if id_ is None:
            raise ValueError(f"{name!r} is no name of an update")
        file = AlphaFile(id_, name, len(content), modified_at)
        self._files[name] = (file, content)
        return file

    def remove(self, name: str) -> None:
        del self._files[name]

    async def updates(self) -> Sequence[AlphaFile]:
        files = [file for file, _ in self._readable().values()]
        return sorted(files, key=lambda file: (file.modified_at, file.id), reverse=True)

    async def find(self, id: str) -> Sequence[AlphaFile]:  # noqa: A002 - the port's word
        return [file for file, _ in self._readable().values() if file.id == id]

    async def manifest(self, file: AlphaFile) -> Manifest:
        return _manifest(self._content(file), f"{file.name}: ")

    async def read(self, file: AlphaFile) -> AsyncIterator[bytes]:
        content = self._content(file)
        for start in range(0, len(content), BLOCK):
            yield content[start : start + BLOCK]
            self._content(file)

    def _readable(self) -> dict[str, tuple[AlphaFile, bytes]]:
        if not self.readable:
            raise ArtifactProblem(f"{self._name} cannot be read: no such file or directory")
        return self._files

    def _content(self, file: AlphaFile) -> bytes:
        known, content = self._readable().get(file.name, (None, b""))
        if known is None:
            raise ArtifactProblem(f"{file.name} on {self._name} cannot be read: no such file or directory")
        if known != file:
            raise ArtifactProblem(f"{file.name} changed on {self._name} while it was read; push it again")
        return content


class MemoryStore:
    """Artifacts by digest in a dictionary."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def add(self, blocks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        content = bytearray()
        async for block in blocks:
            content += block
            if len(content) > limit:
                raise ArtifactProblem(f"the update has more than the {limit} bytes that settings allow")
        digest = hashlib.sha256(content).hexdigest()
        self._contents[digest] = bytes(content)
        return digest, len(content)

    async def verify(self, digest: str) -> bool:
        return hashlib.sha256(self.content(digest)).hexdigest() == digest

    def path(self, digest: str) -> PurePath:
        """A name alone: there is no such file."""
        self.content(digest)
        return PurePath("/memory") / digest

    async def manifest(self, digest: str) -> Manifest:
        return _manifest(self.content(digest), "")

    def content(self, digest: str) -> bytes:
        """The stored bytes. Raises ArtifactProblem where they are not stored."""
        try:
            return self._contents[digest]
        except KeyError:
            raise ArtifactProblem(
                f"the artifact sha256 {digest[:12]} is not in the store; push the update again"
            ) from None

    def damage(self, digest: str) -> None:
        """Flip one bit, as a failing disk would."""
        content = self.content(digest)
        self._contents[digest] = bytes([content[0] ^ 1]) + content[1:]


def _manifest(content: bytes, where: str) -> Manifest:
    try:
        return read_manifest(io.BytesIO(content))
    except (ArchiveError, ManifestError) as error:
        raise ArtifactProblem(f"{where}{error}") from error
