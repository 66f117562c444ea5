"""`kill -9` in the middle of commits: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import pytest

from adapters.store.sql import SqlStore
from core.journal import first_fault
from tests.adapters.store.endless_writer import one
from tests.contract.store.samples import StoppedClock, after, reply

ROOT = Path(__file__).parents[3]


async def killed_after(file: Path, lines: int) -> int:
    """Let a writer acknowledge so many commits, kill it while it goes on, and give the last that it acknowledged."""
    command = (sys.executable, "-m", "tests.adapters.store.endless_writer", str(file))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    assert process.stdout is not None
    try:
        said = [await asyncio.wait_for(process.stdout.readline(), 60) for _ in range(lines)]
    finally:
        process.kill()
        rest = await process.stdout.read()
        await process.wait()
    assert all(said), "the writer ended by itself"
    return int(b"".join((*said, rest)).rpartition(b"\n")[0].split()[-1])


async def test_a_killed_writer_leaves_whole_commits_only(file: Path) -> None:
    for lines in (1, 60):
        acknowledged = await killed_after(file, lines)
        store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
        d = await store.deployment("v1")
        assert d is not None
        assert d.version in (acknowledged, acknowledged + 1), "an acknowledged commit is lost"
        count = d.version
        assert (d.info, d.placements[0].url) == (str(count), str(count))
        lane = await store.lane("main")
        assert (lane.version, lane.generation) == (count, count)
        for chain in ("v1#1", "system"):
            entries = await store.journal(chain, limit=10_000)
            assert first_fault(entries) is None
            assert [entry.data["text"] for entry in entries] == [str(number) for number in range(1, count + 1)]
        assert [row.message.card.title for row in await store.outbox("a:1", 10_000)] == [
            str(number) for number in range(1, count + 1)
        ]
        assert await store.settled("console", str(count)) == reply(str(count))
        assert len(await store.unsettled(after(1), 10)) <= 1
        card = await store.card("a:1", "v1#1")
        assert card is not None
        assert card.wanted == count
        await store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_a_task_that_is_cancelled_leaves_the_store_usable(store: SqlStore) -> None:
    task = asyncio.create_task(one(store, 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await one(store, 2)
    assert first_fault(await store.journal("v1#1")) is None
