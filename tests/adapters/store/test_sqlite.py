"""What only a database can get wrong: files, triggers, plans, what is written, and what is there after a restart."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from adapters.store.aggregate import deployment_changes
from adapters.store.alone import alone
from adapters.store.database import StoreUnusable
from adapters.store.known import Known
from adapters.store.sql import SqlStore
from adapters.store.statement import driver_of
from adapters.store.tables import DEPLOYMENT
from core.evolve import evolve
from core.journal import first_fault
from core.ports import Change, Conflict, Settled, Surroundings
from core.stages import Stage
from core.state import Deployment, Lane, Placement
from tests.contract.store.samples import (
    START,
    StoppedClock,
    after,
    draft,
    journey,
    message,
    new_deployment,
    note,
    outbound,
    reply,
    server,
    stored,
)


async def test_database_wal_and_shm_are_their_owners_alone(store: SqlStore, file: Path) -> None:
    await stored(store, new_deployment())
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert names == {"ashat.db": 0o600, "ashat.db-wal": 0o600, "ashat.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_database_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "open.db"
    file.touch(mode=0o644)
    store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://bo:hunter2@db/ashat", "no url"])
async def test_other_databases_are_refused_in_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(StoreUnusable, match="expected sqlite:///<file>") as refused:
        await SqlStore.open(url, StoppedClock())
    assert "hunter2" not in str(refused.value)


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=r"file/ashat\.db cannot be written: .*; choose another"):
        await SqlStore.open(f"sqlite:///{tmp_path}/file/ashat.db", StoppedClock())
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnusable, match="Is a directory"):
        await SqlStore.open(f"sqlite:///{tmp_path}/folder", StoppedClock())


@pytest.mark.parametrize("table", ["journal", "checkpoint"])
@pytest.mark.parametrize("statement", ["UPDATE {0} SET at = at", "DELETE FROM {0}", "DELETE FROM {0} WHERE number = 1"])
async def test_triggers_refuse_to_change_the_journal(
    store: SqlStore, behind: sqlite3.Connection, table: str, statement: str
) -> None:
    await store.commit(Change(entries=(note("system"),)))
    await store.add_checkpoint({"payload": "x"}, START, 1)
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} only grows"):
        behind.execute(statement.format(table))
    assert behind.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


async def test_replacing_a_journal_row_is_refused_on_the_stores_own_connections(store: SqlStore) -> None:
    await store.commit(Change(entries=(note("system"),)))
    replaced = (
        "INSERT OR REPLACE INTO journal SELECT number, chain, seq, 'X', data, at, by, via, previous, hash FROM journal"
    )
    with pytest.raises(Exception, match="journal only grows"):
        await store._writer.run(lambda c: c.exec_driver_sql(replaced))


async def test_readers_cannot_write(store: SqlStore) -> None:
    with pytest.raises(Exception, match="readonly"):
        await store._readers.run(lambda c: c.exec_driver_sql("DELETE FROM deployment"))


async def test_every_commit_is_synced_to_disk(store: SqlStore) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    values = [await store._writer.run(lambda c, p=p: c.exec_driver_sql(f"PRAGMA {p}").scalar()) for p in pragmas]  # type: ignore[misc]  # mypy does not infer a lambda with a default
    assert values == ["wal", 2, 1]


# -- plans -------------------------------------------------------------------------------------------------------------


async def plans(store: SqlStore, behind: sqlite3.Connection, table: str, act: str) -> list[str]:
    """What SQLite does for the statements on `table` that method `act` of the store sends."""
    sent: list[tuple[str, object]] = []
    engines = (store._writer._engine, store._readers._engine)

    def keep(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        sent.append((statement, parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", keep)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "active": lambda: store.active(),
        "claim": lambda: store.claim("a", START, 30, 5),
        "history": lambda: store.history(10, "500"),
        "history of one": lambda: store.history(10, "500", "main"),
        "outbox": lambda: store.outbox("a:1", 10),
        "stale_cards": lambda: store.stale_cards("a:1", 10),
        "unsettled": lambda: store.unsettled(START, 10),
        "durations": lambda: store.durations("main"),
        "heads": lambda: store.heads(),
        "commit": lambda: store.commit(Change(entries=(note("system"),))),
    }
    await calls[act]()
    for engine in engines:
        event.remove(engine, "before_cursor_execute", keep)
    steps = [
        row[3]
        for sql, values in sent
        if table in sql
        for row in behind.execute(f"EXPLAIN QUERY PLAN {sql}", values)  # type: ignore[arg-type]  # as the driver got them
    ]
    assert steps, sent
    return steps


@pytest.mark.parametrize(
    ("act", "table", "index"),
    [
        ("active", "FROM deployment", "ix_deployment_active"),
        ("claim", "work", "ix_work_ready (ready_at<?)"),
        ("history", "FROM deployment", "INTEGER PRIMARY KEY (rowid<?)"),
        ("history of one", "FROM deployment", "ix_deployment_component (component=? AND number<?)"),
        ("outbox", "outbox", "ix_outbox_unsent (channel=?)"),
        ("stale_cards", "card", "ix_card_stale (channel=?)"),
        ("unsettled", "inbox", "ix_inbox_unsettled (received_at<?)"),
        ("durations", "step_duration", "ix_step_duration_counted (component=? AND stage=?)"),
        ("heads", "journal", "sqlite_autoindex_journal_1 (chain=? AND seq=?)"),
        ("commit", "FROM journal", "sqlite_autoindex_journal_1 (chain=?)"),
    ],
)
async def test_frequent_questions_walk_an_index_and_sort_nothing(
    store: SqlStore, behind: sqlite3.Connection, act: str, table: str, index: str
) -> None:
    steps = await plans(store, behind, table, act)
    assert any(index in step for step in steps), steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
    assert not [step for step in steps if step.startswith("SCAN") and "ix_" not in step and "chains" not in step], steps


# -- what is written ---------------------------------------------------------------------------------------------------


async def writes_of(store: SqlStore) -> list[str]:
    """From now on, the first words of each statement that writes."""
    sent: list[str] = []

    def keep(statement: str) -> None:
        words = " ".join(statement.split()[:3]).removesuffix(" SET")
        if words.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE")):
            sent.append(words)

    await store._writer.run(lambda c: driver_of(c).set_trace_callback(keep))
    return sent


async def test_only_what_changed_is_written(store: SqlStore) -> None:
    places = (Placement("public", "running"), Placement("omega/eu", "running"))
    d = await stored(store, replace(new_deployment(), placements=places))
    writes = await writes_of(store)
    await store.commit(Change(deployment=replace(d, info="other"), entries=(note("v1#1"),)))
    assert writes == ["BEGIN IMMEDIATE", "UPDATE deployment", "INSERT INTO journal", "UPDATE card"]
    writes.clear()
    placed = (places[0], replace(places[1], observed="healthy"))
    await store.commit(Change(deployment=replace(d, version=2, placements=placed)))
    assert writes == ["BEGIN IMMEDIATE", "UPDATE deployment", "UPDATE placement", "UPDATE card"]


async def test_fallen_votes_and_older_runs_stay(store: SqlStore, behind: sqlite3.Connection) -> None:
    d: Deployment | None = None
    for seconds, by, happened in journey():
        d = await stored(store, evolve(d, happened, after(seconds), by))
    votes = behind.execute("SELECT person, fallen_at IS NULL FROM vote ORDER BY number").fetchall()
    assert votes[:1] == [("bo", 0)]
    checks = behind.execute("SELECT run, name, state FROM verification_check ORDER BY run, position").fetchall()
    assert [row for row in checks if row[0] == 1] == [
        (1, "Health Check", "passed"),
        (1, "Database Connection", "failed"),
    ]
    assert [row for row in checks if row[0] == 2] == [
        (2, "Health Check", "passed"),
        (2, "Database Connection", "waiting"),
    ]


# -- after a restart ---------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_a_restart(file: Path) -> None:
    clock = StoppedClock()
    first = await SqlStore.open(f"sqlite:///{file}", clock)
    d: Deployment | None = None
    for seconds, by, happened in journey():
        d = evolve(d, happened, after(seconds), by)
        await first.commit(Change(deployment=d, entries=(draft("v1#1", happened, after(seconds), by),)))
        d = replace(d, version=d.version + 1)
    await first.accept(message("1"), START)
    await first.accept(message("2"), START)
    await first.commit(
        Change(
            deployment=new_deployment("v2"),
            lane=Lane("main", holder="v2#1", generation=3),
            servers=(server("public"),),
            outbox=(outbound("a:1", "x"),),
            follow=("a:1",),
            settled=Settled("console", "1", reply()),
            due=(("v2#1", after(5)), ("v3#1", after(6))),
        )
    )
    (lease,) = await first.claim("a", after(5), 30, 1)
    await first.park("b:1", "gone", None)
    await first.add_checkpoint({"payload": "x"}, START, 1)
    await first.close()

    again = await SqlStore.open(f"sqlite:///{file}", clock)
    assert await again.deployment("v1") == d
    entries = await again.journal("v1#1")
    assert (len(entries), first_fault(entries)) == (len(journey()), None)
    assert await again.active() == [replace(new_deployment("v2"), version=1)]
    assert await again.lane("main") == Lane("main", 1, "v2#1", 3)
    assert list(await again.servers()) == [server("public")]
    assert await again.settled("console", "1") == reply()
    assert [w.message for w in await again.unsettled(after(1), 10)] == [message("2")]
    assert [row.message for row in await again.outbox("a:1", 10)] == [outbound("a:1", "x")]
    assert await again.channels_waiting() == ["a:1"]
    assert await again.next_due() == after(6)
    assert await again.extend([lease], after(6), 30) == [replace(lease, until=after(36))]
    assert await again.checkpoints() == [{"payload": "x"}]
    await again.commit(Change(entries=(note("v1#1"),)))
    assert first_fault(await again.journal("v1#1")) is None
    await again.close()


@pytest.fixture
async def other(file: Path, store: SqlStore) -> AsyncIterator[SqlStore]:
    """Another process on the same file, which has not seen what the first one wrote."""
    opened = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    yield opened
    await opened.close()


async def test_another_process_reads_every_version_as_it_was(store: SqlStore, other: SqlStore) -> None:
    """From the rows alone: what the first process remembers does not help the second."""
    d: Deployment | None = None
    for seconds, by, happened in journey():
        d = await stored(store, evolve(d, happened, after(seconds), by))
        assert await other.deployment("v1") == d, happened


async def test_two_processes_can_take_turns(store: SqlStore, other: SqlStore) -> None:
    """Each remembers its own last version; the one in the file is what a commit is compared with."""
    rng = random.Random(5)
    d = await stored(store, new_deployment())
    for _ in range(40):
        names = rng.sample(("public", "omega/eu", "omega/us"), rng.randint(0, 3))
        places = tuple(Placement(name, "running", rng.choice(("absent", "healthy"))) for name in names)
        d = await stored(rng.choice((store, other)), replace(d, placements=places))
        assert await store.deployment("v1") == d
        assert await other.deployment("v1") == d
        assert await other.active() == [d]


async def test_of_two_processes_that_decide_on_one_version_one_wins(store: SqlStore, other: SqlStore) -> None:
    d = await stored(store, new_deployment())
    await store.commit(Change(deployment=replace(d, info="first")))
    with pytest.raises(Conflict, match="v1#1 is no longer at version 1"):
        await other.commit(Change(deployment=replace(d, info="second")))
    assert await other.deployment("v1") == replace(d, version=2, info="first")


async def test_what_is_forgotten_is_read_again(store: SqlStore) -> None:
    store._known = Known(limit=2)
    made = [await stored(store, new_deployment(f"v{number}")) for number in range(5)]
    assert await store.active() == made
    assert [await store.deployment(d.id) for d in made] == made
    assert (await store.history(3)).deployments == (made[4], made[3], made[2])


# -- what is kept in memory, and commits that share an fsync -----------------------------------------------------------


async def test_what_another_process_has_written_is_seen(store: SqlStore, behind: sqlite3.Connection) -> None:
    await stored(store, new_deployment())
    await store.commit(Change(servers=(server("public"),)))
    assert len((await store.surroundings("v1")).servers) == 1
    behind.execute("INSERT INTO server SELECT 'omega', 'eu', name, url, data FROM server")
    behind.commit()
    assert [one.role for one in (await store.surroundings("v1")).servers] == ["public", "omega"]


async def test_those_who_commit_at_once_share_a_transaction(store: SqlStore) -> None:
    await stored(store, new_deployment())
    began: list[str] = []
    event.listen(store._writer._engine, "begin", lambda _: began.append("begin"))
    await asyncio.gather(*(store.commit(Change(entries=(note("v1#1"),))) for _ in range(40)))
    assert len(began) <= 20
    assert first_fault(await store.journal("v1#1")) is None


async def test_a_transaction_that_the_database_gives_up_is_carried_out_one_by_one(store: SqlStore) -> None:
    """As SQLite does where the disk is full: it rolls back everything, also what was released."""
    d = await stored(store, new_deployment())

    def ruined(_: Surroundings) -> Change:
        raw.rollback()
        raise OSError("no space left on device")

    raw = await store._writer.run(lambda c: c.connection.driver_connection)
    notes = [store.commit(Change(entries=(note("v1#1"),))) for _ in range(10)]
    came = await asyncio.gather(*notes, store.decide("v1", None, ruined), *_more(store), return_exceptions=True)
    assert [type(each).__name__ for each in came if each is not None] == ["OSError"]
    assert len(await store.journal("v1#1")) == 20
    assert first_fault(await store.journal("v1#1")) is None
    assert (await store.surroundings("v1")).deployment == d


def _more(store: SqlStore) -> list[Awaitable[None]]:
    return [store.commit(Change(entries=(note("v1#1"),))) for _ in range(10)]


def test_one_bot_at_a_time_works_on_a_database(tmp_path: Path) -> None:
    file = tmp_path / "data" / "ashat.db"
    (tmp_path / "link").symlink_to(file.parent)
    with alone(file):
        for path in (file, tmp_path / "link" / "ashat.db"):
            with pytest.raises(StoreUnusable, match=f"Another bot works on {path}"), alone(path):
                raise AssertionError("two bots")
        assert stat.S_IMODE(file.with_name("ashat.db.lock").stat().st_mode) == 0o600
    with alone(file):  # the lock ends with whoever held it
        pass


def test_what_stays_is_named_in_no_update_of_a_deployment() -> None:
    """SQLite writes the index of each column that is named."""
    d = new_deployment()
    indexed = {column.name for index in DEPLOYMENT.indexes for column in index.columns} | {"id", "attempt", "key"}
    changes = deployment_changes(d, replace(d, notes=("Seen",)))
    assert not changes.keys() & {*indexed, "active"}
    assert deployment_changes(d, replace(d, stage=Stage.CANCELLED))["active"] == 0


def test_sqlite_needs_nothing_of_postgresql() -> None:
    code = "import sys, adapters.store.sql; print('sqlalchemy.dialects.postgresql' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
