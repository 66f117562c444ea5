"""One bot for one socket: the claim is a lock that ends with its process, so nothing stale can hold it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107
"""Bytes of a socket's path that Linux takes (unix(7): sun_path is 108 with its end)."""


class SocketRefused(Exception):
    """The socket cannot be had. `str(error)` is one sentence."""


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold the socket's place, and with it the data of the bot. Raises SocketRefused."""
    if len(os.fsencode(path)) > _LONGEST:
        raise SocketRefused(f"The socket's path {path} is too long: at most {_LONGEST} bytes; set [ashat] socket.")
    _private_folder(path.parent)
    handle = _opened(path.with_name(f"{path.name}.lock"))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SocketRefused(f"Another bot is running here: it holds {path}; stop it first.") from error
    finally:
        os.close(handle)


def _opened(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SocketRefused(
            f"{lock} cannot be written: {error.strerror}; the bot's user must be able to write to its folder."
        ) from error


def _private_folder(folder: Path) -> None:
    """Made for the owner alone; one that others may write to could have the socket replaced."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise SocketRefused(f"The folder {folder} cannot be made: {error.strerror}.") from error
    if found.st_uid not in (os.geteuid(), 0):
        raise SocketRefused(f"The folder {folder} belongs to another user; set [ashat] socket to one of your own.")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise SocketRefused(f"Others can write to {folder}, and replace what is in it: chmod 700 {folder}.")
