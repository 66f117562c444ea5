"""ALPHA as a folder on this machine, or mounted on it."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from adapters.artifacts.names import SUFFIXES, update_id
from core.ports import AlphaFile, ArtifactProblem
from core.release.archive import ArchiveError, read_manifest
from core.release.manifest import Manifest, ManifestError

BLOCK = 1024 * 1024
"""Bytes read at a time: memory stays flat whatever the update's size."""


class FolderSource:
    """Regular files directly in `folder`; links are not followed, and other names are nobody's updates."""

    def __init__(self, folder: Path, name: str = "ALPHA") -> None:
        self._folder = folder
        self._name = name

    async def updates(self) -> Sequence[AlphaFile]:
        return await asyncio.to_thread(self._list)

    async def find(self, id: str) -> Sequence[AlphaFile]:  # noqa: A002 - the port's word
        names = [f"{id}{suffix}" for suffix in SUFFIXES if update_id(f"{id}{suffix}") == id]
        return await asyncio.to_thread(self._stat_all, names)

    async def manifest(self, file: AlphaFile) -> Manifest:
        return await asyncio.to_thread(self._read_manifest, file)

    async def read(self, file: AlphaFile) -> AsyncIterator[bytes]:
        """Raises ArtifactProblem where the file vanishes, or is not what it was when it was listed."""
        opened = await asyncio.to_thread(self._open, file)
        with opened:
            while block := await asyncio.to_thread(self._block, opened, file):
                yield block
            await asyncio.to_thread(self._require_unchanged, opened, file)

    def _list(self) -> list[AlphaFile]:
        try:
            names = [name for name in os.listdir(self._folder) if update_id(name)]  # noqa: PTH208 - names, not paths
        except OSError as error:
            raise ArtifactProblem(
                f"{self._name} cannot be read: {_why(error)} at {self._folder}; check alpha.folder in the settings"
            ) from error
        return sorted(self._stat_all(names), key=lambda file: (file.modified_at, file.id), reverse=True)

    def _stat_all(self, names: Sequence[str]) -> list[AlphaFile]:
        found = []
        for name in names:
            try:
                status = (self._folder / name).lstat()
            except FileNotFoundError:  # it went away between the listing and now
                continue
            except OSError as error:
                raise ArtifactProblem(f"{self._name} cannot be read: {_why(error)} at {name}") from error
            if stat.S_ISREG(status.st_mode):
                found.append(_described(name, status))
        return found

    def _read_manifest(self, file: AlphaFile) -> Manifest:
        with self._open(file) as opened:
            try:
                return read_manifest(opened)
            except (ArchiveError, ManifestError) as error:
                raise ArtifactProblem(f"{file.name}: {error}") from error
            except OSError as error:
                raise self._unreadable(file, error) from error

    def _open(self, file: AlphaFile) -> BinaryIO:
        if update_id(file.name) is None:
            raise ArtifactProblem(f"{file.name!r} is no name of an update, expected <id>.tar.gz, .tar.zst or .zip")
        try:
            handle = os.open(self._folder / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._unreadable(file, error) from error
        opened = os.fdopen(handle, "rb")
        try:
            self._require_unchanged(opened, file)
        except BaseException:
            opened.close()
            raise
        return opened

    def _block(self, opened: BinaryIO, file: AlphaFile) -> bytes:
        try:
            return opened.read(BLOCK)
        except OSError as error:
            raise self._unreadable(file, error) from error

    def _require_unchanged(self, opened: BinaryIO, file: AlphaFile) -> None:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactProblem(f"{file.name} on {self._name} is no regular file; put the archive itself there")
        if status.st_nlink == 0:
            raise ArtifactProblem(f"{file.name} was removed from {self._name} while it was read; put it back and retry")
        if _described(file.name, status) != file:
            raise ArtifactProblem(
                f"{file.name} changed on {self._name} while it was read; push it again once it is written completely"
            )

    def _unreadable(self, file: AlphaFile, error: OSError) -> ArtifactProblem:
        return ArtifactProblem(f"{file.name} on {self._name} cannot be read: {_why(error)}")


def _described(name: str, status: os.stat_result) -> AlphaFile:
    modified_at = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)
    return AlphaFile(update_id(name) or name, name, status.st_size, modified_at)


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link, and links are not followed"
    return (error.strerror or "an error of the disk").lower()
