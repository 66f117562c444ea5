"""The demo's keys and tokens: made once, in files of mode 0600."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from core.release.signing import new_key, public_text, signer_from_pem


def private_key(path: Path) -> str:
    """The public half of the key at `path`, which is made where it is missing. Raises OSError, ValueError."""
    if not path.exists():
        _write(path, new_key())
    return public_text(signer_from_pem(path.read_bytes()))


def token(path: Path) -> str:
    """The token at `path`, which is made where it is missing. Raises OSError."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(32).encode() + b"\n")
    return path.read_text("ascii").strip()


def sha256(text: str) -> str:
    """What may be shown of a token, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Nobody else can read it, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
