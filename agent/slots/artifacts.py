"""The artifacts on this host: one file per SHA-256 digest, uploaded in parts that can be resumed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterable, Callable, Collection
from pathlib import Path
from typing import BinaryIO

from agent.errors import Refused
from agent.files import sync_folder

_READ = 1024 * 1024
"""Bytes hashed or buffered at a time: memory stays flat whatever the artifact's size."""
_SPARE = 64 * 1024 * 1024
"""Bytes that stay free on the disk: records and logs still need room when an artifact just fits."""
_AWAITED = 3600.0
"""Seconds that an artifact is kept which was sent here, or found here by its sender, and that nothing names yet."""


class ArtifactFolder:
    """`<digest>` is complete and was hashed; `<digest>.part` is what has come so far.

    Parts are appended under a lock per digest, so that two uploads of one digest cannot interleave; an interrupted
    one leaves its part, and the next begins at `offset`.
    """

    def __init__(self, folder: Path, max_bytes: int, seconds: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._awaited: dict[str, float] = {}
        """When each complete artifact came whose release is still to be told."""
        self._hashers: dict[str, tuple[int, hashlib._Hash]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, digest: str) -> Path:
        """Where the complete artifact is, or will be."""
        return self._folder / digest

    def complete(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def offset(self, digest: str) -> int:
        """Bytes that are here already; the whole size once complete."""
        for path in (self.path(digest), self._part(digest)):
            if path.is_file():
                return path.stat().st_size
        return 0

    async def append(self, digest: str, offset: int, length: int, stream: AsyncIterable[bytes]) -> int:
        """Add `stream` to the part at `offset`; `length` is the whole artifact's size. Returns the new offset.

        Raises Refused: `too_large`, `wrong_offset` (with the right one in the Upload-Offset header), `no_space`, and
        `wrong_digest`, after which the part is gone. What came before the stream broke off is kept.
        """
        async with self._locks.setdefault(digest, asyncio.Lock()):
            if self.complete(digest):
                self.expect(digest)
                return self.offset(digest)
            self._admit(digest, offset, length)
            await self._receive(digest, length, stream)
            reached = self.offset(digest)
            if reached == length:
                self.expect(digest)
                await asyncio.to_thread(self._finish, digest)
            return reached

    def expect(self, digest: str) -> None:
        """A release with this artifact is about to be told: for a while nothing prunes it."""
        self._awaited[digest] = self._seconds()

    def claimed(self, digest: str | None) -> None:
        """A record names it now: from here on it is kept for as long as one does."""
        self._awaited.pop(digest or "", None)

    def prune(self, used: Collection[str], spare: int) -> list[str]:
        """Remove complete artifacts that are not in `used`, but for the `spare` newest; returns their digests.

        Parts belong to uploads and stay, and so does what is expected.
        """
        now = self._seconds()
        self._awaited = {digest: since for digest, since in self._awaited.items() if now - since < _AWAITED}
        kept = {*used, *self._awaited}
        unused = [path for path in self._folder.iterdir() if path.suffix != ".part" and path.name not in kept]
        unused.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in unused[spare:]:
            path.unlink()
        return [path.name for path in unused[spare:]]

    def discard(self, digest: str) -> None:
        """Remove a complete artifact that is not what its name says."""
        self.path(digest).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _part(self, digest: str) -> Path:
        return self._folder / f"{digest}.part"

    def _admit(self, digest: str, offset: int, length: int) -> None:
        if length > self._max_bytes:
            raise Refused("too_large", f"the artifact has {length} bytes; this host takes at most {self._max_bytes}")
        here = self.offset(digest)
        if here > length:  # an earlier upload announced another size: its bytes cannot be of this one
            self._part(digest).unlink()
            here = 0
        if offset != here:
            raise Refused(
                "wrong_offset",
                f"this host has {here} bytes of the artifact, so the next byte to send is {here}, not {offset}",
                {"Upload-Offset": str(here)},
            )
        free = shutil.disk_usage(self._folder).free
        if length - here + _SPARE > free:
            raise Refused("no_space", f"{length - here} bytes are to come and the disk has {free} free; make room")

    async def _receive(self, digest: str, length: int, stream: AsyncIterable[bytes]) -> None:
        hasher = await asyncio.to_thread(self._hasher, digest)
        with self._part(digest).open("ab") as part:
            size = part.tell()
            pending = bytearray()
            try:
                async for chunk in stream:
                    size += len(chunk)
                    if size > length:
                        raise Refused("too_large", f"more bytes came than the announced {length}; send it again")
                    pending += chunk
                    if len(pending) >= _READ:
                        await asyncio.to_thread(_write, part, hasher, bytes(pending))
                        pending.clear()
            finally:
                _write(part, hasher, bytes(pending))
                part.flush()
                self._hashers[digest] = (part.tell(), hasher)

    def _hasher(self, digest: str) -> hashlib._Hash:
        """The running hash of the part; read again from the disk where this process has not seen all of it."""
        size, hasher = self._hashers.pop(digest, (0, hashlib.sha256()))
        part = self._part(digest)
        if part.is_file() and part.stat().st_size != size:
            with part.open("rb") as file:
                return hashlib.file_digest(file, "sha256")
        return hasher

    def _finish(self, digest: str) -> None:
        _, hasher = self._hashers.pop(digest)
        part = self._part(digest)
        if hasher.hexdigest() != digest:
            part.unlink()
            sync_folder(self._folder)
            raise Refused(
                "wrong_digest", f"the bytes have the digest {hasher.hexdigest()}, not {digest}; send it again"
            )
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self.path(digest))
        sync_folder(self._folder)


def _write(part: BinaryIO, hasher: hashlib._Hash, data: bytes) -> None:
    hasher.update(data)
    part.write(data)
