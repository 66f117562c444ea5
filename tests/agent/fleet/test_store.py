"""The registry's file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from agent.fleet.registry import Licence, Registry
from agent.fleet.rows import forgotten_distributions
from agent.fleet.store import Change, FleetStore, RegistryError
from agent.fleet.tables import DistributionRow, MainframeRow, upsert
from tests.agent.fleet.test_distributions import licence
from tests.agent.fleet.world import START

WITHIN = timedelta(seconds=90)


def distribution(component: str, generation: int = 1) -> dict[str, object]:
    return {
        "component": component,
        "generation": generation,
        "release": "{}",
        "envelope": "{}",
        "hold": False,
        "order": 0,
    }


async def reopened(path: Path, licences: Sequence[Licence]) -> dict[str, MainframeRow]:
    """What the file says of each mainframe after a start with these settings."""
    store = await FleetStore.open(path)
    registry = await Registry.open(store, (await store.contents()).mainframes, licences, lambda: START, WITHIN)
    await registry.close()
    rows = {row.name: row for row in (await store.contents()).mainframes}
    await store.close()
    return rows


async def test_the_file_and_its_log_are_for_the_agent_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "fleet.sqlite3"
    store = await FleetStore.open(path)
    await store.write(Change(upsert(DistributionRow), [distribution("main")]))
    files = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert files == {"fleet.sqlite3": 0o600, "fleet.sqlite3-wal": 0o600, "fleet.sqlite3-shm": 0o600}
    await store.close()


async def test_it_is_as_durable_as_sqlite_can_be(tmp_path: Path) -> None:
    store = await FleetStore.open(tmp_path / "f")
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
    await store.close()


async def test_those_who_write_at_once_share_a_commit(tmp_path: Path) -> None:
    store = await FleetStore.open(tmp_path / "f")
    commits = []
    event.listen(store._engine, "commit", lambda connection: commits.append(connection))
    await asyncio.gather(*(store.write(Change(upsert(DistributionRow), [distribution(f"c{n}")])) for n in range(500)))
    assert len((await store.contents()).distributions) == 500
    assert len(commits) <= 3
    await store.close()


async def test_a_write_that_cannot_be_done_is_raised_and_changes_nothing(tmp_path: Path) -> None:
    store = await FleetStore.open(tmp_path / "f")
    bad = {**distribution("main"), "release": None}
    with pytest.raises(IntegrityError):
        await store.write(
            Change(upsert(DistributionRow), [distribution("api")]), Change(upsert(DistributionRow), [bad])
        )
    assert (await store.contents()).distributions == []
    await store.write(Change(upsert(DistributionRow), [distribution("api")]), forgotten_distributions("api", [1]))
    assert (await store.contents()).distributions == []
    await store.close()


async def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(RegistryError, match="version 99"):
        await FleetStore.open(path)


async def test_a_file_of_the_version_before_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    store = await FleetStore.open(path)
    await store.write(Change(upsert(DistributionRow), [distribution("main", 7)]))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE distribution DROP COLUMN left_out")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    for _ in range(2):
        store = await FleetStore.open(path)
        (row,) = (await store.contents()).distributions
        assert (row.component, row.generation, row.left_out) == ("main", 7, None)
        await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)


async def test_settings_win_at_each_start_and_who_is_gone_from_them_is_revoked(tmp_path: Path) -> None:
    path = tmp_path / "f"
    both = [licence(name="m1", token_sha256="a" * 64), licence(name="m2", token_sha256="b" * 64)]
    assert {name: row.revoked for name, row in (await reopened(path, both)).items()} == {"m1": False, "m2": False}
    rows = await reopened(path, [licence(name="m1", token_sha256="a" * 64, owner="Bo", until=START)])
    assert (rows["m1"].owner, rows["m1"].licence_until, rows["m2"].revoked) == ("Bo", START, True)
    rows = await reopened(path, both)
    assert (rows["m1"].owner, rows["m1"].licence_until, rows["m2"].revoked) == ("Ada", None, False)


async def test_two_mainframes_with_one_token_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="m1 and m2 have the same token"):
        await _open_and_close(tmp_path / "f", [licence(name="m1"), licence(name="m2")])


async def _open_and_close(path: Path, licences: Sequence[Licence]) -> None:
    store = await FleetStore.open(path)
    try:
        await Registry.open(store, [], licences, lambda: START, WITHIN)
    finally:
        await store.close()


async def test_a_thousand_polls_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await FleetStore.open(tmp_path / "f")
    licences = [licence(name=f"m{n}", token_sha256=f"{n:064x}") for n in range(1000)]
    registry = await Registry.open(store, [], licences, lambda: START, WITHIN)
    commits = []
    event.listen(store._engine, "commit", lambda connection: commits.append(connection))
    for one in registry:
        with registry.polling(one, ()):
            pass
    await registry.close()
    assert len(commits) == 1
    assert all(row.last_seen == START for row in (await store.contents()).mainframes)
    await store.close()
