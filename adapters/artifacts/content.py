"""Artifacts by digest in a folder: what a deployment ships is fixed here, and never read from ALPHA again."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import BinaryIO

from core.ports import ArtifactProblem
from core.release.archive import ArchiveError, read_manifest
from core.release.manifest import Manifest, ManifestError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMING = ".coming-"
"""Beginning of the names of files that are being written."""


class ContentStore:
    """One file per SHA-256 digest, mode 0600, in a folder of mode 0700 that belongs to one process.

    Make it with `open` to add to it; without, it changes nothing, and what is there can be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def open(cls, folder: Path) -> ContentStore:
        """Creates the folder, and removes what a killed process left half written. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        for left in folder.glob(f"{_COMING}*"):
            left.unlink()
        return cls(folder)

    async def add(self, blocks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """See the port. It is durable once this returns; the same bytes again are stored once."""
        coming = await asyncio.to_thread(_Coming, self._folder)
        try:
            async for block in blocks:
                if coming.size + len(block) > limit:
                    raise ArtifactProblem(f"the update has more than the {limit} bytes that settings allow")
                await asyncio.to_thread(coming.write, block)
            await asyncio.to_thread(coming.keep)
        except OSError as error:
            raise ArtifactProblem(f"the update cannot be stored: {error.strerror or 'an error of the disk'}") from error
        finally:
            coming.discard()
            if isinstance(blocks, AsyncGenerator):
                await blocks.aclose()  # or its file stays open until it is collected
        return coming.digest, coming.size

    async def verify(self, digest: str) -> bool:
        return await asyncio.to_thread(self._hash, digest) == digest

    def path(self, digest: str) -> Path:
        path = self._folder / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise ArtifactProblem(f"the artifact sha256 {digest[:12]} is not in the store; push the update again")
        return path

    async def manifest(self, digest: str) -> Manifest:
        """Raises ArtifactProblem with the line."""
        return await asyncio.to_thread(self._read_manifest, digest)

    def _hash(self, digest: str) -> str:
        try:
            with self.path(digest).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(digest, error) from error

    def _read_manifest(self, digest: str) -> Manifest:
        try:
            with self.path(digest).open("rb") as file:
                return read_manifest(file)
        except (ArchiveError, ManifestError) as error:
            raise ArtifactProblem(str(error)) from error
        except OSError as error:
            raise _unreadable(digest, error) from error


class _Coming:
    """A file on its way into the store: written and hashed block by block, then kept or discarded."""

    def __init__(self, folder: Path) -> None:
        handle, name = tempfile.mkstemp(prefix=_COMING, dir=folder)  # mode 0600
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._path = Path(name)
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def write(self, block: bytes) -> None:
        self._file.write(block)
        self._hash.update(block)
        self.size += len(block)

    def keep(self) -> None:
        """Durable before it has its name, and its name durable before anybody relies on it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(self._path.parent / self.digest)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Nothing is left of it, unless it was kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _unreadable(digest: str, error: OSError) -> ArtifactProblem:
    return ArtifactProblem(
        f"the artifact sha256 {digest[:12]} cannot be read: {error.strerror or 'an error of the disk'}"
    )
