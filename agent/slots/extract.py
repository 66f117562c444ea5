"""Unpacking an artifact into a slot. Never `extractall`: every file is made by us, below one open folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from agent.errors import Refused
from agent.files import sync_folder
from core.release.archive import MANIFEST_BYTES, ArchiveError, Bounds, Entry, entries
from core.release.manifest import MANIFEST_NAME, Manifest, ManifestError, parse_manifest

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
UNPACKING = ".unpacking-"
"""Prefix of folders that are not finished: what a crash leaves is removed at the next start."""

Owner = tuple[int, int]
"""User and group id."""


def extract(artifact: Path, digest: str, target: Path, bounds: Bounds, owner: Owner | None = None) -> Manifest:
    """Unpack `artifact` as the new folder `target` and return its manifest.

    The file is hashed first, through the handle that is then unpacked, so that a byte flipped on the disk is refused.
    Nothing is at `target` before everything is there and synced. Raises Refused (`wrong_digest`, `refused`).
    """
    scratch = Path(tempfile.mkdtemp(prefix=UNPACKING, dir=target.parent))
    try:
        with artifact.open("rb") as file:
            _check_digest(file, digest)
            with _opened(scratch) as root:
                for entry in entries(file, bounds):
                    _make(root, entry, owner)
        manifest = parse_manifest(_manifest_text(scratch))
        _hand_over(scratch, owner)
        scratch.rename(target)
    except (ArchiveError, ManifestError) as error:
        shutil.rmtree(scratch)
        raise Refused("refused", str(error)) from error
    except BaseException:
        shutil.rmtree(scratch)
        raise
    sync_folder(target.parent)
    return manifest


def _check_digest(file: BufferedReader, digest: str) -> None:
    if hashlib.file_digest(file, "sha256").hexdigest() != digest:
        raise Refused("wrong_digest", f"the artifact {digest[:12]}… on this host has other bytes than when it came")


def _manifest_text(folder: Path) -> str:
    try:
        with (folder / MANIFEST_NAME).open("rb") as file:
            data = file.read(MANIFEST_BYTES + 1)
        if len(data) > MANIFEST_BYTES:
            raise ManifestError(f"{MANIFEST_NAME} is larger than the {MANIFEST_BYTES} bytes that are read")
        return data.decode("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ManifestError(f"there is no {MANIFEST_NAME} at the top of the archive; every update needs one") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{MANIFEST_NAME} is not UTF-8 text: {error}") from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _make(root: int, entry: Entry, owner: Owner | None) -> None:
    """One entry below `root`. Its parents are opened one by one, so that no link can lead elsewhere."""
    parent = os.dup(root)
    try:
        folders = entry.path if entry.kind == "folder" else entry.path[:-1]
        for name in folders:
            parent = _step_into(parent, name, owner)
        if entry.kind == "file":
            _write_file(parent, entry, owner)
    finally:
        os.close(parent)


def _step_into(parent: int, name: str, owner: Owner | None) -> int:
    """Open, or make and open, the folder `name`; closes `parent` once there."""
    try:
        child = os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=parent)
        child = os.open(name, _FOLDER, dir_fd=parent)
        _own(child, owner, 0o755)
    os.close(parent)
    return child


def _write_file(parent: int, entry: Entry, owner: Owner | None) -> None:
    """Of the archive's mode only the executable bit is kept."""
    with os.fdopen(os.open(entry.path[-1], _NEW_FILE, 0o600, dir_fd=parent), "wb") as file:
        for piece in entry.data:
            file.write(piece)
        file.flush()
        _own(file.fileno(), owner, 0o755 if entry.executable else 0o644)
        os.fsync(file.fileno())


def _own(handle: int, owner: Owner | None, mode: int) -> None:
    os.fchmod(handle, mode)
    if owner is not None:
        os.fchown(handle, *owner)


def _hand_over(folder: Path, owner: Owner | None) -> None:
    with _opened(folder) as handle:
        _own(handle, owner, 0o755)
    for parent, names, _ in os.walk(folder):
        for name in names:
            sync_folder(Path(parent) / name)
    sync_folder(folder)
