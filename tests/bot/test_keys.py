"""The bot's key is made once, privately, and signs what agents accept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import BaseModel

from bot import keys
from core.release.signing import new_key, opened, public_key, public_text, sign


class Note(BaseModel):
    text: str


def test_a_new_key_is_private_and_signs(tmp_path: Path) -> None:
    path = tmp_path / "data" / "bot.key.pem"
    before = os.umask(0)
    try:
        public = keys.new(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    signer = keys.load(path)
    assert public_text(signer) == public
    envelope = sign(signer, "note/v1", {}, Note(text="hello"))
    assert envelope["signatures"][0]["keyid"] == signer.public_key.keyid
    assert opened(envelope, [public_key(public)], "note/v1", Note) == Note(text="hello")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_key_is_never_overwritten_nor_written_through_a_link(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "bot.key.pem", tmp_path / "other"
    if kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(other)
    with pytest.raises(keys.KeyFileError, match="exists and is not overwritten"):
        keys.new(path)
    assert not other.exists()
    assert kind == "link" or path.read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(keys.KeyFileError, match="cannot be made"):
        keys.new(tmp_path / "file" / "bot.key.pem")


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(keys.KeyFileError, match=r"make one with `ashat keys new`\."):
        keys.load(tmp_path / "bot.key.pem")


def _rsa() -> bytes:
    return generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _locked() -> bytes:
    key = load_pem_private_key(new_key(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))


@pytest.mark.parametrize(
    "make", [lambda: b"", lambda: b"nonsense", _rsa, _locked], ids=["empty", "text", "RSA", "locked"]
)
def test_what_is_no_key_is_named(tmp_path: Path, make: object) -> None:
    assert callable(make)
    path = tmp_path / "bot.key.pem"
    path.write_bytes(make())
    with pytest.raises(keys.KeyFileError, match="no Ed25519 private key"):
        keys.load(path)
