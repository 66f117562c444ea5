"""What only PostgreSQL can get wrong: rights, passwords, triggers, plans, races between replicas, cut connections."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from threading import Event
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from adapters.store.database import StoreUnusable
from adapters.store.sql import SqlStore
from adapters.store.tables import SCHEMA
from core.journal import first_fault
from core.ports import Change, Conflict, FenceLost, Lease, Surroundings
from tests.contract.store.samples import START, StoppedClock, after, new_deployment, note, server, stored
from tests.support.postgres import Postgres


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(database_url, StoppedClock())
    yield opened
    await opened.close()


@pytest.fixture
async def other(database_url: str, store: SqlStore) -> AsyncIterator[SqlStore]:
    """Another replica, which has not seen what the first one wrote."""
    opened = await SqlStore.open(database_url, StoppedClock())
    yield opened
    await opened.close()


@pytest.fixture
def behind(database_url: str, store: SqlStore) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


# -- what cannot be opened ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("ashat:hunter2@127.0.0.1:1/ashat", "cannot be used: .*127.0.0.1"),
        ("ashat:hunter2@127.0.0.1:{port}/nowhere", 'cannot be used: .*role "ashat" does not exist'),
        ("postgres:hunter2@127.0.0.1:{port}/nowhere", 'cannot be used: .*database "nowhere" does not exist'),
        ("ashat:hunter2@127.0.0.1:notaport/ashat", "is no URL; expected sqlite"),
        ("ashat:hunter2@127.0.0.1:{port}/", "is not supported; expected sqlite"),
        ("postgres:hunter2@127.0.0.1:{port}/postgres?password=hunter2&sslmode=require", "server does not support SSL"),
    ],
)
async def test_what_cannot_be_opened_is_said_without_the_password(postgres: Postgres, where: str, said: str) -> None:
    with pytest.raises(StoreUnusable, match=said) as refused:
        await SqlStore.open(f"postgresql://{where.format(port=postgres.port)}", StoppedClock())
    told: BaseException | None = refused.value
    while told is not None:
        assert "hunter2" not in f"{told!s} {told!r}"
        told = told.__cause__


async def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnusable, match=r"pip install 'ashat\[postgres\]'"):
        await SqlStore.open("postgresql://bo@db/ashat", StoppedClock())


async def test_other_drivers_are_refused() -> None:
    with pytest.raises(StoreUnusable, match="postgresql://bo:\\*\\*\\*@db/ashat is not supported"):
        await SqlStore.open("postgresql+asyncpg://bo:hunter2@db/ashat", StoppedClock())


async def test_a_user_without_rights_is_refused_in_a_sentence(new_database_url: str) -> None:
    name = new_database_url.rpartition("/")[2]
    with psycopg.connect(new_database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE only_{name} LOGIN")
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with pytest.raises(StoreUnusable, match=r"cannot be used: .*its user's rights"):
        await SqlStore.open(new_database_url.replace("postgres@", f"only_{name}@"), StoppedClock())


# -- migrations --------------------------------------------------------------------------------------------------------


async def test_the_migrated_schema_is_that_of_the_tables(store: SqlStore, behind: psycopg.Connection) -> None:
    options = {"compare_type": True, "compare_server_default": False}
    differences = await store._readers.run(
        lambda c: compare_metadata(MigrationContext.configure(c, opts=options), SCHEMA)
    )
    assert differences == []
    rows = behind.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    made = {name: " ".join(sql.split()) for name, sql in rows}
    for table in SCHEMA.tables.values():
        for index in table.indexes:
            declared = str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy has no hints there
            condition = declared.partition(" WHERE ")[2]
            plain = made[str(index.name)].replace("(", "").replace(")", "").replace("::text", "")
            assert condition in plain, made[str(index.name)]


async def test_many_that_start_at_once_migrate_once(new_database_url: str) -> None:
    opened = await asyncio.gather(*(SqlStore.open(new_database_url, StoppedClock()) for _ in range(4)))
    d = await stored(opened[0], new_deployment())
    assert await opened[3].deployment("v1") == d
    for store in opened:
        await store.close()
    with psycopg.connect(new_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


async def test_a_database_of_a_newer_version_is_refused(new_database_url: str) -> None:
    await (await SqlStore.open(new_database_url, StoppedClock())).close()
    with psycopg.connect(new_database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable, match="written by a newer version of Ashat"):
        await SqlStore.open(new_database_url, StoppedClock())


# -- what must not be done ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["journal", "checkpoint"])
@pytest.mark.parametrize("statement", ["UPDATE {0} SET at = at", "DELETE FROM {0}", "TRUNCATE {0}"])
async def test_triggers_refuse_to_change_the_journal(
    store: SqlStore, behind: psycopg.Connection, table: str, statement: str
) -> None:
    await store.commit(Change(entries=(note("system"),)))
    await store.add_checkpoint({"payload": "x"}, START, 1)
    with pytest.raises(psycopg.errors.RaiseException, match=f"{table} only grows"):
        behind.execute(statement.format(table))
    assert behind.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


async def test_readers_cannot_write(store: SqlStore) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        await store._readers.run(lambda c: c.exec_driver_sql("DELETE FROM deployment"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "on"),  # the test's server has it off
        ("idle_in_transaction_session_timeout", "5s"),
        ("lock_timeout", "15s"),
        ("transaction_isolation", "read committed"),
    ],
)
async def test_every_commit_is_durable_and_nobody_is_held_up(store: SqlStore, setting: str, value: str) -> None:
    assert await store._writer.run(lambda c: c.exec_driver_sql(f"SHOW {setting}").scalar()) == value


async def test_a_question_sees_one_snapshot(store: SqlStore) -> None:
    assert await store._readers.run(lambda c: c.exec_driver_sql("SHOW transaction_isolation").scalar()) == (
        "repeatable read"
    )


# -- plans -------------------------------------------------------------------------------------------------------------

MANY = """
INSERT INTO deployment (key, id, attempt, component, stage, active, version, pushed_at, data)
  SELECT 'v' || n || '#1', 'v' || n, 1, 'c' || n % 50, 'completed', (n % 500 = 0)::int, 1, now(), data
  FROM generate_series(2, 5000) AS n, deployment;
INSERT INTO work (key, ready_at, fence)
  SELECT 'v' || n || '#1', CASE WHEN n % 100 = 0 THEN '2027-01-01'::timestamptz END, 0
  FROM generate_series(1, 5000) AS n;
INSERT INTO journal (chain, seq, kind, data, at, by, via, previous, hash)
  SELECT 'v' || n % 100 || '#1', n / 100 + 1, 'Noted', '{}', now(), 'a', 'b', '', ''
  FROM generate_series(0, 19999) AS n;
INSERT INTO outbox (channel, kind, sent_at, tries, data)
  SELECT 'a:' || n % 20, 'line', CASE WHEN n % 200 > 0 THEN now() END, 0, '{}' FROM generate_series(1, 10000) AS n;
INSERT INTO card (channel, deployment, shown, wanted, tries)
  SELECT 'a:1', key, 1, 1 + (number % 500 = 0)::int, 0 FROM deployment;
INSERT INTO inbox (platform, delivery, received_at, message, settled_at)
  SELECT 'a', n, now(), '{}', CASE WHEN n % 1000 > 0 THEN now() END FROM generate_series(1, 10000) AS n;
INSERT INTO step_duration (deployment, component, stage, seconds, counted)
  SELECT key, component, 'staging', 1, (number % 50 = 0)::int FROM deployment;
"""


@pytest.fixture
async def full(store: SqlStore, behind: psycopg.Connection) -> psycopg.Connection:
    """So many rows that a plan without an index would be dear, and statistics about them."""
    await stored(store, new_deployment())
    for statement in MANY.split(";"):
        behind.execute(statement)
    behind.execute("ANALYZE")
    return behind


CALLS: Mapping[str, Callable[[SqlStore], Awaitable[object]]] = {
    "active": lambda store: store.active(),
    "claim": lambda store: store.claim("a", START, 30, 5),
    "next_due": lambda store: store.next_due(),
    "history": lambda store: store.history(10, "500"),
    "history of one": lambda store: store.history(10, "500", "c1"),
    "outbox": lambda store: store.outbox("a:1", 10),
    "stale_cards": lambda store: store.stale_cards("a:1", 10),
    "unsettled": lambda store: store.unsettled(START, 10),
    "durations": lambda store: store.durations("c1"),
    "heads": lambda store: store.heads(),
    "commit": lambda store: store.commit(Change(entries=(note("system"),))),
}


@pytest.mark.parametrize(
    ("act", "table", "index"),
    [
        ("active", "FROM deployment", "ix_deployment_active"),
        ("claim", "UPDATE work", "ix_work_ready"),
        ("next_due", "FROM work", "ix_work_ready"),
        ("history", "FROM deployment", "pk_deployment"),
        ("history of one", "FROM deployment", "ix_deployment_component"),
        ("outbox", "FROM outbox", "ix_outbox_unsent"),
        ("stale_cards", "FROM card", "ix_card_stale"),
        ("unsettled", "FROM inbox", "ix_inbox_unsettled"),
        ("durations", "FROM step_duration", "ix_step_duration_counted"),
        ("heads", "JOIN journal", "uq_journal_chain_seq"),
        ("commit", "FROM journal", "uq_journal_chain_seq"),
    ],
)
async def test_frequent_questions_walk_an_index(
    store: SqlStore, full: psycopg.Connection, act: str, table: str, index: str
) -> None:
    sent: list[tuple[str, Any]] = []

    def keep(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        sent.append((statement, parameters))

    for engine in (store._writer._engine, store._readers._engine):
        event.listen(engine, "before_cursor_execute", keep)
    await CALLS[act](store)
    asked = [(sql, values) for sql, values in sent if table in sql]
    assert asked, sent
    for sql, values in asked:
        plan = "\n".join(row[0] for row in full.execute(f"EXPLAIN {sql}", values))
        assert index in plan, plan
        assert "Seq Scan on journal" not in plan, plan
        assert f"Seq Scan on {table.split()[-1]}" not in plan, plan


# -- replicas ----------------------------------------------------------------------------------------------------------


async def waits(behind: psycopg.Connection, many: int = 1) -> None:
    """Until so many transactions wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'ashat'"
    async with asyncio.timeout(30):
        while behind.execute(waiting).fetchone() != (many,):
            await asyncio.sleep(0.01)
            behind.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would go on seeing who was connected then


async def test_of_two_replicas_that_decide_on_one_version_one_wins(store: SqlStore, other: SqlStore) -> None:
    d = await stored(store, new_deployment())
    ended = await asyncio.gather(
        *(one.commit(Change(deployment=replace(d, info="x"), entries=(note(d.key),))) for one in (store, other) * 8),
        return_exceptions=True,
    )
    assert ended.count(None) == 1
    assert sum(isinstance(error, Conflict) for error in ended) == 15
    assert [entry.seq for entry in await other.journal(d.key)] == [1]


async def test_commits_on_different_deployments_never_conflict(store: SqlStore, other: SqlStore) -> None:
    """Not even in the chain that they share, which is continued in turn."""
    made = [await stored(store, new_deployment(f"v{number}")) for number in range(16)]
    for _ in range(4):
        chosen = zip((store, other) * 8, made, strict=True)
        made = list(
            await asyncio.gather(*(stored(one, d, (note("system"), note(d.key), note("system"))) for one, d in chosen))
        )
    entries = await store.journal("system")
    assert len(entries) == 128
    assert first_fault(entries) is None


async def test_a_pass_and_a_command_on_one_deployment_never_wait_in_a_circle(
    store: SqlStore, other: SqlStore, behind: psycopg.Connection
) -> None:
    """One holds the lease and changes the deployment, the other changes it and wishes it to be looked at."""
    d = await stored(store, new_deployment())
    await store.commit(Change(due=((d.key, START),)))
    (lease,) = await store.claim("a", START, 1000, 1)
    for number in range(60):
        drafts = (note(d.key, str(number)), note("system"))
        observed = Change(deployment=d, entries=drafts, due=((d.key, after(1)),), lease=lease)
        ended = await asyncio.gather(
            store.commit(observed), other.commit(replace(observed, lease=None)), return_exceptions=True
        )
        assert sorted(str(type(error)) for error in ended) == sorted((str(type(None)), str(Conflict)))
        d = replace(d, version=d.version + 1)
    behind.execute("SELECT pg_stat_clear_snapshot()")
    assert behind.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone() == (
        0,
    )


async def test_wishes_for_new_work_from_two_replicas_come_together(store: SqlStore, other: SqlStore) -> None:
    for number in range(10):
        key = f"v{number}#1"
        pair = zip((store, other) * 4, range(8), strict=True)
        await asyncio.gather(*(one.commit(Change(due=((key, after(100 - n)),))) for one, n in pair))
        assert [held.key for held in await store.claim("a", after(93), 30, 10)] == [key]


async def test_work_that_another_replica_is_just_changing_is_not_waited_for(
    store: SqlStore, behind: psycopg.Connection
) -> None:
    await store.commit(Change(due=(("v1#1", START), ("v2#1", START))))
    with behind.transaction():
        behind.execute("SELECT * FROM work WHERE key = 'v1#1' FOR UPDATE")
        assert [lease.key for lease in await store.claim("a", START, 30, 10)] == ["v2#1"]
    assert [lease.key for lease in await store.claim("a", START, 30, 10)] == ["v1#1"]


async def test_a_lease_that_is_lost_while_its_commit_waits_is_lost(store: SqlStore, behind: psycopg.Connection) -> None:
    """The fence is judged as it is once the row is free, not as it was when the commit came."""
    await store.commit(Change(due=(("v1#1", START),)))
    (lease,) = await store.claim("a", START, 30, 10)
    with behind.transaction():
        behind.execute("UPDATE work SET lease_owner = 'b', fence = fence + 1 WHERE key = 'v1#1'")
        late = asyncio.create_task(store.commit(Change(deployment=new_deployment(), lease=lease)))
        await waits(behind)
    with pytest.raises(FenceLost):
        await late
    assert await store.deployment("v1") is None
    assert await store.extend([Lease("v1#1", "b", 2, START)], START, 30) != []


async def test_a_look_at_all_there_is_waits_for_what_is_just_being_begun(
    store: SqlStore, other: SqlStore, behind: psycopg.Connection
) -> None:
    """It relied on the servers first, so whoever configures one has to know of it."""
    await store.commit(Change(servers=(server("public"),), due=(("v1#1", START),)))
    begun = Change(deployment=new_deployment(), relied_on=(server("public"),), due=(("v1#1", START),))
    seen: list[Surroundings] = []
    with behind.transaction():
        behind.execute("SELECT * FROM work WHERE key = 'v1#1' FOR UPDATE")
        beginning = asyncio.create_task(store.commit(begun))
        await waits(behind)
        looking = asyncio.create_task(other.decide("", None, seen.append))
        await waits(behind, 2)
        assert seen == []
    await asyncio.gather(beginning, looking)
    assert [d.id for d in seen[0].unfinished] == ["v1"]


@pytest.mark.parametrize("component", ["main", None])
async def test_what_relies_on_the_servers_waits_for_whoever_decides_by_all_there_is(
    store: SqlStore, other: SqlStore, behind: psycopg.Connection, component: str | None
) -> None:
    await store.commit(Change(servers=(server("public"),)))
    looked, go_on = Event(), Event()

    def configured(_: Surroundings) -> Change:
        looked.set()
        assert go_on.wait(30)
        return Change(servers=(server("public", url="http://127.0.0.1:2/"),))

    deciding = asyncio.create_task(store.decide("v2" if component else "", None, configured, component))
    assert await asyncio.to_thread(looked.wait, 30)
    begun = asyncio.create_task(other.commit(Change(deployment=new_deployment(), relied_on=(server("public"),))))
    await waits(behind)
    await stored(other, new_deployment("v3"), (note("v3#1"),))  # what does not rely on them goes on meanwhile
    go_on.set()
    with pytest.raises(Conflict, match="configured a server meanwhile"):
        await begun
    assert await deciding is not None
    assert await store.deployment("v1") is None


async def test_what_replicas_open_at_once_is_no_more_than_the_limit(store: SqlStore, other: SqlStore) -> None:
    async def opened(one: SqlStore, number: int) -> bool:
        new = new_deployment(f"v{number}", component=f"c{number}")

        def limited(around: Surroundings) -> Change | None:
            return Change(deployment=new) if len(around.unfinished) < 5 else None

        return await one.decide(new.id, None, limited, new.component) is not None

    pairs = zip((store, other) * 12, range(24), strict=True)
    assert sum(await asyncio.gather(*(opened(one, number) for one, number in pairs))) == 5
    assert len(await store.active()) == 5


async def test_a_connection_that_was_cut_costs_nobody_a_command(store: SqlStore, behind: psycopg.Connection) -> None:
    """As a restart of the database cuts them all."""
    d = await stored(store, new_deployment())
    assert await store.deployment("v1") == d
    cut = behind.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'ashat' AND datname = current_database()"
    ).fetchall()
    assert len(cut) >= 2
    d = await stored(store, replace(d, info="after"))
    assert await store.deployment("v1") == d
