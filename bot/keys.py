"""The bot's own key: with it the bot signs what servers act on, so it is made once, privately, and never replaced."""

from __future__ import annotations

import os
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from core.release.signing import new_key, public_text, signer_from_pem


class KeyFileError(Exception):
    """The key cannot be made or used. `str(error)` is one sentence for a person."""


def new(path: Path) -> str:
    """Make a private key at `path` with mode 0600; its public half, as agents have it in their settings.

    Raises KeyFileError where anything is there already: servers trust the old key, and it cannot be made again.
    """
    pem = new_key()
    _make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists and is not overwritten; move it away to make another key.") from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    _sync_folder(path.parent)
    return public_text(signer_from_pem(pem))


def load(path: Path) -> CryptoSigner:
    """The signer whose private key is at `path`. Raises KeyFileError."""
    try:
        return signer_from_pem(path.read_bytes())
    except FileNotFoundError as error:
        raise KeyFileError(f"There is no key at {path}; make one with `ashat keys new`.") from error
    except OSError as error:
        raise KeyFileError(f"The key at {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise KeyFileError(
            f"{path} is no Ed25519 private key in PEM without a password; restore it from a backup."
        ) from error


def key_id(signer: CryptoSigner) -> str:
    """The name of a key in envelopes: SHA-256 of its public half and type, as DSSE's `keyid` has it."""
    return str(signer.public_key.keyid)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    """Without this a power cut could take the new name, while servers trust the key already."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
