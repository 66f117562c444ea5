"""What was read holds until anybody commits, in this process or another, and not a moment longer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.store import lately
from adapters.store.lately import Lately
from adapters.store.sql import SqlStore
from adapters.store.sqlite import DataVersion
from core.ports import Change, Conflict
from core.state import Lane
from tests.contract.store.samples import new_deployment, note, server, stored


class Told:
    """A database's version, as a test sets it."""

    def __init__(self) -> None:
        self.version: int | None = 1
        self.closed = False

    def now(self) -> int | None:
        return self.version

    def close(self) -> None:
        self.closed = True


class Questions:
    """Counts how often it is asked; `meanwhile` happens while it answers."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._meanwhile = meanwhile

    async def __call__(self) -> int:
        self.count += 1
        self._meanwhile()
        await asyncio.sleep(0)
        return self.count


async def test_a_question_is_asked_anew_only_after_a_commit() -> None:
    told, asked = Told(), Questions()
    known = Lately(told)
    assert [await known.get("a", asked) for _ in range(3)] == [1, 1, 1]
    assert await known.get("b", asked) == 2
    told.version = 2
    assert [await known.get(name, asked) for name in ("a", "b", "a")] == [3, 4, 3]


async def test_an_answer_that_a_commit_overtook_is_not_kept() -> None:
    told = Told()

    def commits() -> None:
        told.version = 2

    known, asked = Lately(told), Questions(commits)
    assert await known.get("a", asked) == 1
    assert await known.get("a", asked) == 2
    assert await known.get("a", asked) == 2


async def test_one_that_began_before_others_noticed_a_commit_is_not_kept_as_newer() -> None:
    told, slow, quick = Told(), asyncio.Event(), Questions()
    known = Lately(told)

    async def old() -> str:
        await slow.wait()
        return "old"

    first = asyncio.create_task(known.get("a", old))
    await asyncio.sleep(0)
    told.version = 2
    await known.get("b", quick)
    slow.set()
    assert await first == "old"
    assert await known.get("a", quick) == 2


@pytest.mark.parametrize("told", [None, Told()])
async def test_where_no_version_is_told_every_question_is_asked(told: Told | None) -> None:
    known, asked = Lately(told), Questions()
    if told is not None:
        told.version = None
    assert [await known.get("a", asked) for _ in range(3)] == [1, 2, 3]
    known.close()
    assert told is None or told.closed


async def test_no_more_than_a_bound_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lately, "_KEPT", 2)
    known, asked = Lately(Told()), Questions()
    assert [await known.get(name, asked) for name in "abcc"] == [1, 2, 3, 4]
    assert [await known.get(name, asked) for name in "ab"] == [1, 2]


async def test_a_question_that_fails_is_asked_again() -> None:
    async def fails() -> int:
        raise ValueError("no")

    known = Lately(Told())
    with pytest.raises(ValueError, match="no"):
        await known.get("a", fails)
    assert await known.get("a", Questions()) == 1


# -- on SQLite ---------------------------------------------------------------------------------------------------------

LOOKS: dict[str, Callable[[SqlStore], Awaitable[object]]] = {
    "surroundings": lambda store: store.surroundings("v1"),
    "all": lambda store: store.surroundings(""),
    "deployment": lambda store: store.deployment("v1"),
    "active": lambda store: store.active(),
    "lanes": lambda store: store.lanes(),
    "servers": lambda store: store.servers(),
    "blocks": lambda store: store.blocks(),
    "newest": lambda store: store.history(10),
}


@pytest.mark.parametrize("name", LOOKS)
async def test_a_look_goes_to_no_thread_while_nobody_writes(
    store: SqlStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(store, new_deployment())
    found = await LOOKS[name](store)

    async def unwanted(_: object) -> object:
        raise AssertionError("asked a thread")

    monkeypatch.setattr(store._writer, "run", unwanted)
    monkeypatch.setattr(store._readers, "run", unwanted)
    assert await LOOKS[name](store) is found


async def test_what_another_process_writes_is_seen_at_once(store: SqlStore, behind: sqlite3.Connection) -> None:
    await store.commit(Change(deployment=new_deployment(), lane=Lane("main"), servers=(server("public"),)))
    assert [lane.holder for lane in (await store.surroundings("")).lanes] == [None]
    behind.execute("UPDATE lane SET holder = 'v1#1'")
    assert [lane.holder for lane in (await store.surroundings("")).lanes] == ["v1#1"]
    behind.execute("DELETE FROM server")
    assert (await store.surroundings("v1")).servers == ()


async def test_whoever_asks_after_a_commit_sees_it(store: SqlStore) -> None:
    """Many who look and many who write, at once: nobody is told anything older than what was committed before."""
    await stored(store, new_deployment())
    committed = 1

    async def writes() -> None:
        nonlocal committed
        for _ in range(20):
            d = await store.deployment("v1")
            assert d is not None
            try:
                await store.commit(Change(deployment=replace(d, info=f"{d.info}+"), entries=(note("v1#1"),)))
            except Conflict:
                continue
            committed = max(committed, d.version + 1)

    async def looks() -> None:
        for _ in range(200):
            least = committed
            around, (active,) = await store.surroundings("v1"), await store.active()
            assert around.deployment is not None
            assert least <= around.deployment.version <= active.version
            await asyncio.sleep(0)

    await asyncio.gather(*(writes() for _ in range(4)), *(looks() for _ in range(4)))
    assert committed > 20


async def test_a_version_that_cannot_be_told_is_none(tmp_path: Path) -> None:
    file = tmp_path / "not.db"
    file.write_bytes(b"no database at all, but longer than a header of one hundred bytes would be" * 3)
    version = DataVersion(file)
    assert version.now() is None
    version.close()
