"""What makes an agent the one of its data folder: the lock on the folder, its own key, and the socket it listens on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agent.files import write_durably
from agent.settings import AgentSettings, SettingsError, split_address
from core.release.signing import new_key, private_key

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner


class OwnKey:
    """The agent's Ed25519 key. The signer is made when it is first needed: its library is slow to import."""

    def __init__(self, pem: bytes) -> None:
        """Raises ValueError where `pem` is no such key."""
        self._private = private_key(pem)

    @classmethod
    def at(cls, path: Path) -> OwnKey:
        """The key in the file `path`, made at the first start. Raises SettingsError for a file that is no such key."""
        try:
            if not path.exists():  # two agents cannot both find it so: they hold the folder's lock
                path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(path, new_key())
            return cls(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsError(f"the key {path} cannot be used: {error}") from error

    @classmethod
    def of(cls, settings: AgentSettings) -> OwnKey:
        """The key, without an agent that runs: where there is none yet, the one is made that its first start will find.

        Raises SettingsError.
        """
        path = settings.key_path
        with contextlib.nullcontext() if os.access(path, os.R_OK) else locked(settings.data):
            return cls.at(path)

    @cached_property
    def signer(self) -> CryptoSigner:
        from securesystemslib.signer import CryptoSigner

        return CryptoSigner(self._private)

    @property
    def public_text(self) -> str:
        """As settings and wire carry it: 64 hexadecimal digits."""
        return self._private.public_key().public_bytes_raw().hex()


def open_to_others(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of `paths` that others than the owner could read or change; what is missing is not among them."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                yield path


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Only one agent works in a data folder. Raises SettingsError."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o711)
        handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f"data: cannot write to {data}: {error.strerror}; start the agent as the folder's owner, or name another"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SettingsError(f"data: another agent works in {data}; stop it, or give this one its own folder") from error
    finally:
        os.close(handle)


def bound_socket(address: str) -> socket.socket:
    """Raises SettingsError where the address is taken or is not this machine's."""
    host, port = split_address(address)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SettingsError(f"listen: cannot listen on {address}: {error.strerror or error}") from error
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, which this one does not; without
    # it, an answer's body waits 40 ms for the caller to acknowledge its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listening
