"""The bot's key is made once, privately, and signs what agents accept."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
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
from typer.testing import CliRunner

from adapters.servers.statements import release_statement
from adapters.store.memory import MemoryStore
from bot import keys
from bot.checkpoints import Checkpoints, faults
from bot.cli import program
from core.events import Noted
from core.journal import Draft
from core.ports import Change
from core.release.signing import SignatureRefused, new_key, opened, public_key, public_text, sign
from core.release.wire import Release
from tests.bot.support.clock import MovedClock


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


# -- rotation ----------------------------------------------------------------------------------------------------------

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
RELEASE = Release(
    purpose="desired", component="main", digest="ab" * 32, generation=1, deployment="v1", attempt=1,
    nonce="nonce-of-one", issued_at=START,
)  # fmt: skip


def accepts(envelope: dict[str, object], *trusted: str) -> bool:
    """As an agent judges that has these keys under [trust]."""
    try:
        return opened(envelope, [public_key(one) for one in trusted], "release/v1", Release) == RELEASE
    except SignatureRefused:
        return False


def test_a_newer_key_takes_over_at_once_and_agents_may_learn_it_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    old = keys.new(path, START)
    ring = keys.Ring(path)
    assert (public_text(ring), ring.older()) == (old, ())
    newest = keys.rotate(path, START + timedelta(days=1))
    assert public_text(ring) == newest, "without a restart"
    envelope = release_statement(ring, RELEASE, ring.older())
    assert accepts(envelope, old), "an agent that has not learnt the newest yet"
    assert accepts(envelope, newest)
    assert accepts(envelope, old, newest)
    assert accepts(envelope, newest, "ab" * 32)
    assert not accepts(envelope, "ab" * 32)
    assert sign(ring, "note/v1", {}, Note(text="x"))["signatures"][0]["keyid"] == keys.known(path)[-1].id

    keys.retire(path, keys.known(path)[0].short, START + timedelta(days=2))
    after = release_statement(ring, RELEASE, ring.older())
    assert (accepts(after, old), accepts(after, newest)) == (False, True)
    assert [(row.public, row.retired) for row in keys.known(path)] == [
        (old, START + timedelta(days=2)),
        (newest, None),
    ]
    assert keys.private_halves(path) == (), "the private half is gone"


def test_every_file_of_the_keys_is_private(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    keys.new(path)
    for _ in range(3):
        keys.rotate(path, START)
    assert len(keys.private_halves(path)) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert len({row.id for row in keys.known(path)}) == 4


def test_what_cannot_be_retired_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    keys.new(path)
    with pytest.raises(keys.KeyFileError, match="make a newer one with `ashat keys new` first"):
        keys.retire(path, keys.known(path)[0].short, START)
    with pytest.raises(keys.KeyFileError, match="no key begins with"):
        keys.retire(path, "zz", START)
    with pytest.raises(keys.KeyFileError, match="no key begins with nothing"):
        keys.retire(path, "", START)
    keys.rotate(path, START)
    keys.retire(path, keys.known(path)[0].public, START)
    with pytest.raises(keys.KeyFileError, match="is retired already"):
        keys.retire(path, keys.known(path)[0].short, START)


def test_a_key_that_was_made_before_there_was_a_register_is_rotated_too(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    old = keys.new(path)
    (tmp_path / "bot.key.register.json").unlink()
    newest = keys.rotate(path, START)
    assert [row.public for row in keys.known(path)] == [old, newest]
    assert [public_text(one) for one in keys.Ring(path).older()] == [old]


def test_a_key_file_that_vanishes_stops_no_bot_that_has_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    old, ring = keys.new(path), keys.Ring(path)
    path.unlink()
    assert public_text(ring) == old
    keys.new(path)
    assert public_text(ring) != old


def test_a_register_that_was_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bot.key.pem"
    keys.new(path)
    (tmp_path / "bot.key.register.json").write_text("{")
    with pytest.raises(keys.KeyFileError, match=r"The register of keys, .*bot.key.register.json, is damaged; restore"):
        keys.known(path)


class Books:
    """A journal whose checkpoints several keys sign."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = MovedClock(START)
        self.store = MemoryStore(self.clock)
        keys.new(path, START)
        self.ring = keys.Ring(path)
        self.checkpoints = Checkpoints(self.store, self.ring, self.clock)

    async def write(self, checkpoints: Checkpoints | None = None) -> None:
        self.clock.move(60)
        draft = Draft("v1#1", Noted.__name__, {"text": "x"}, self.clock.now(), "bo")
        await self.store.commit(Change(entries=(draft,)))
        assert await (checkpoints or self.checkpoints).write()

    async def faults(self) -> list[str]:
        trust = keys.trust(keys.known(self.path))
        return await faults(self.store, trust.keys, trust.retired)


async def test_what_a_retired_key_signed_before_is_believed_and_nothing_later(tmp_path: Path) -> None:
    books = Books(tmp_path / "bot.key.pem")
    await books.write()
    stolen = keys.load(books.path)
    keys.rotate(books.path, books.clock.now())
    await books.write()
    books.clock.move(60)
    retired = keys.retire(books.path, keys.known(books.path)[0].short, books.clock.now())
    await books.write()
    assert await books.faults() == []

    back = MovedClock(START + timedelta(seconds=61))
    thief = Checkpoints(books.store, stolen, back)
    await books.write(thief)
    assert await books.faults() == [f"checkpoint 4 is signed by key {retired.short} after that was retired"]


async def test_after_a_rotation_the_newest_key_signs_every_head_again(tmp_path: Path) -> None:
    books = Books(tmp_path / "bot.key.pem")
    await books.write()
    keys.rotate(books.path, books.clock.now())
    assert await books.checkpoints.write(), "although nothing has moved"
    assert not await books.checkpoints.write()
    only = [public_key(keys.known(books.path)[-1].public)]
    del books.store._chains["v1#1"]
    assert any("v1#1 event 1 is missing" in fault for fault in await faults(books.store, only))


def test_the_commands_lead_through_a_rotation(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[ashat]\ndata = "data"\n')

    def says(*words: str) -> str:
        done = CliRunner().invoke(program, ["keys", *words, "--config", str(config)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    old = says("new").splitlines()[-1].partition('["')[2].removesuffix('"]')
    said = says("new")
    newest = keys.known(tmp_path / "data" / "bot.key.pem")[-1]
    assert f'bot_keys = ["{old}", "{newest.public}"]' in said
    listed = says("list").splitlines()
    assert listed[0].startswith(f"{newest.short}  newest, the bot signs with it, 0 days old")
    assert "signs releases besides the newest" in listed[2]
    assert "make a newer one with `ashat keys new` first" in says("retire", newest.short)
    short = listed[2].split()[0]
    assert f"{short} is retired" in says("retire", short)
    assert "retired since" in says("list")
