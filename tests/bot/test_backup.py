"""`ashat backup` while the bot writes, and `ashat restore`: whole or not at all, and never over what is in use."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.store.sql import SqlStore
from bot import keys, wiring
from bot.checkpoints import Checkpoints, faults
from bot.cli import program
from core.ports import Store
from core.state import Deployment
from tests.contract.store.samples import DIGEST, StoppedClock, new_deployment, note, stored


class Place:
    """A bot's folder, with its settings, key and database."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.config.write_text('[ashat]\ndata = "data"\n')
        self.database = folder / "data" / "ashat.db"
        self.file = folder / "backup.db"
        self.database.parent.mkdir()
        keys.new(folder / "data" / "bot.key.pem")
        self.signer = keys.load(folder / "data" / "bot.key.pem")

    async def open(self) -> Store:
        return await SqlStore.open(f"sqlite:///{self.database}", StoppedClock())

    async def writes(self, *ids: str) -> None:
        """A bot that runs for a moment, decides something about these, and signs a checkpoint."""
        store = await self.open()
        for id_ in ids:
            known = await store.deployment(id_) or replace(new_deployment(id_), digest=DIGEST)
            await self._notes(store, known)
        await Checkpoints(store, self.signer, StoppedClock()).write()
        await store.close()

    @staticmethod
    async def _notes(store: Store, d: Deployment) -> None:
        await stored(store, d, (note(d.key), note(d.key)))

    async def ids(self) -> list[str]:
        store = await self.open()
        try:
            assert await faults(store, [self.signer.public_key]) == []
            return [d.id for d in await store.active()]
        finally:
            await store.close()

    async def says(self, *words: str) -> tuple[int, str]:
        """The command's exit status, and all that it says; in a thread, as it has an event loop of its own."""
        done = await asyncio.to_thread(CliRunner().invoke, program, [*words, "--config", str(self.config)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    async def refuses(self, *words: str) -> str:
        before = self.database.read_bytes() if self.database.exists() else None
        status, said = await self.says(*words)
        assert status != 0, said
        assert before == (self.database.read_bytes() if self.database.exists() else None)
        assert not [path for path in self.database.parent.iterdir() if path.name.startswith(".restore-")]
        return said


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_a_lost_database_is_there_again(place: Place) -> None:
    await place.writes("v1", "v2")
    status, said = await place.says("backup", str(place.file))
    assert (status, said.split(":")[0]) == (0, f"{place.file} holds 4 events in 2 chains")
    assert "artifacts" in said
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    for path in list(place.database.parent.glob("ashat.db*")):
        path.unlink()
    status, said = await place.says("restore", str(place.file))
    assert (status, said.splitlines()[0]) == (0, f"{place.database} holds 4 events in 2 chains again.")
    assert f"Unfinished work needs the artifact {DIGEST}" in said
    assert await place.ids() == ["v1", "v2"]
    assert stat.S_IMODE(place.database.stat().st_mode) == 0o600


async def test_a_backup_that_is_made_while_a_bot_writes_is_one_moment_of_it(place: Place) -> None:
    store, goes_on = await place.open(), True
    await stored(store, new_deployment("v0"), (note("v0#1"), note("system", "0")))

    async def write() -> int:
        number = 0
        while goes_on:
            number += 1
            await stored(store, new_deployment(f"v{number}"), (note(f"v{number}#1"), note("system", str(number))))
        return number

    writing = asyncio.create_task(write())
    for name in ("a", "b", "c"):
        status, said = await place.says("backup", str(place.file.with_name(name)))
        assert status == 0, said
    goes_on = False
    written = await writing
    await store.close()
    counts = []
    for name in ("a", "b", "c"):
        copy = await SqlStore.open(f"sqlite:///{place.file.with_name(name)}", StoppedClock())
        assert await faults(copy, []) == []
        heads = {head.chain: head.seq for head in await copy.heads()}
        counts.append(heads.pop("system"))
        assert list(heads.values()) == [1] * counts[-1]
        assert len(await copy.active()) == counts[-1]
        await copy.close()
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] <= written + 1


async def test_a_backup_never_replaces_a_file(place: Place) -> None:
    await place.writes("v1")
    place.file.write_text("dear to somebody")
    assert "exists already; choose another name" in await place.refuses("backup", str(place.file))
    assert place.file.read_text() == "dear to somebody"
    assert "cannot be written: Not a directory" in await place.refuses("backup", str(place.file / "no" / "such"))


async def test_a_database_with_later_events_is_replaced_by_force_alone_and_kept(place: Place) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    await place.writes("v1", "v2")
    said = await place.refuses("restore", str(place.file))
    assert "has 4 events that the backup lacks; --force replaces it" in said
    status, said = await place.says("restore", str(place.file), "--force")
    assert status == 0, said
    assert await place.ids() == ["v1"]
    (kept,) = place.database.parent.glob("ashat.db.before-*Z")
    assert str(kept) in said
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (6,)


async def test_the_same_database_is_restored_without_force(place: Place) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    assert (await place.says("restore", str(place.file)))[0] == 0
    assert await place.ids() == ["v1"]


@pytest.mark.parametrize("force", [(), ("--force",)])
async def test_a_database_in_use_is_never_replaced(place: Place, force: tuple[str, ...]) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    store = await place.open()
    assert await store.deployment("v1")
    assert "is in use" in await place.refuses("restore", str(place.file), *force)
    await store.close()


async def test_where_a_bot_has_the_socket_nothing_is_replaced(place: Place) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    from bot.settings import load

    with wiring.claimed(load(place.config)):
        assert "ashat.sock" in await place.refuses("restore", str(place.file), "--force")


def _damage(file: Path) -> None:
    """A page of the journal is lost."""
    content = bytearray(file.read_bytes())
    page = content.rindex(b'{"text":') // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    file.write_bytes(content)


def _forge(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER journal_no_update")
        connection.execute("UPDATE journal SET \"by\" = 'mallory' WHERE number = 1")


def _cut(file: Path) -> None:
    """A chain without its end is whole in itself: the checkpoint knows better."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER journal_no_delete")
        connection.execute("DELETE FROM journal WHERE number = 2")


@pytest.mark.parametrize(
    ("act", "why"),
    [(_forge, "v1#1"), (_cut, "v1#1 event 2 is missing: the chain ends at event 1, and it was signed in checkpoint 1")],
)
async def test_a_backup_whose_journal_was_changed_is_restored_by_force_alone(
    place: Place, act: object, why: str
) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    assert callable(act)
    act(place.file)
    said = await place.refuses("restore", str(place.file))
    assert "is not whole" in said
    assert why in said
    assert (await place.says("restore", str(place.file), "--force"))[0] == 0


@pytest.mark.parametrize("force", [(), ("--force",)])
async def test_what_is_damaged_is_never_restored(place: Place, force: tuple[str, ...]) -> None:
    await place.writes(*(f"v{number}" for number in range(40)))
    await place.says("backup", str(place.file))
    _damage(place.file)
    await place.refuses("restore", str(place.file), *force)
    place.file.write_text("no database")
    await place.refuses("restore", str(place.file), *force)
    await place.refuses("restore", str(place.file.with_name("nothing")), *force)


async def test_a_damaged_database_is_replaced_by_force(place: Place) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    place.database.write_bytes(b"certainly no database" * 1000)
    assert "cannot be read" in await place.refuses("restore", str(place.file))
    assert (await place.says("restore", str(place.file), "--force"))[0] == 0
    assert await place.ids() == ["v1"]


async def test_a_backup_of_a_newer_version_is_refused(place: Place) -> None:
    await place.writes("v1")
    await place.says("backup", str(place.file))
    with closing(sqlite3.connect(place.file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "written by a newer version of Ashat" in await place.refuses("restore", str(place.file), "--force")


@pytest.mark.parametrize("command", ["backup", "restore"])
async def test_another_database_has_its_own_tools(place: Place, command: str) -> None:
    place.config.write_text('[ashat]\ndata = "data"\ndatabase_url = "postgresql://db/ashat"\n')
    assert "pg_dump" in await place.refuses(command, str(place.file))
