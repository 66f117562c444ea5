"""A PostgreSQL database made ready for several replicas: commits in parallel, none lost, none held up by a frozen one.

Writers run at READ COMMITTED: every write is guarded by a version, a fence or a unique key, so a stronger isolation
would only refuse more. What has none of them, such as how many deployments a person has, is judged in turn: by an
advisory lock that comes before all rows, which are locked in one order too (work, deployment, lane, journal). So nobody
waits in a circle.
Readers see one snapshot for each question, as on SQLite.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from adapters.store.database import Database, StoreUnusable, named
from adapters.store.tables import for_postgresql

WRITERS = 6
READERS = 4
CONNECT_SECONDS = 10
MIGRATION_LOCK = 0x6173686174
"""The advisory lock of migrations: "ashat" in ASCII."""
_SESSION = {
    # a replica that is frozen within a transaction holds its locks no longer than this, well within its lease
    "idle_in_transaction_session_timeout": "5s",
    # nobody waits for a lock for ever: a transaction here takes milliseconds
    "lock_timeout": "15s",
}
_DEAD_LINK = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}
"""libpq's own words: a host that vanished is noticed after 15 seconds."""
LOST_RACES = frozenset({"23505", "40001", "40P01", "55P03"})
"""SQLSTATE: unique violation, serialization failure, deadlock, lock not available: somebody else was first."""


def database(url: URL) -> Database:
    """A few threads that write and a few that read. Raises StoreUnusable where the driver is not installed."""
    reader = looking_engine(url, READERS)
    writer = _engine(url, WRITERS, isolation_level="READ COMMITTED")
    event.listen(writer, "connect", _durable)
    for_postgresql()
    return Database(named(url), writer, WRITERS, reader, READERS, _guard)


def looking_engine(url: URL, connections: int = 1) -> Engine:
    """Connections that cannot write. Raises StoreUnusable where the driver is not installed."""
    options = {"postgresql_readonly": True}
    try:
        return _engine(url, connections, isolation_level="REPEATABLE READ", execution_options=options)
    except ImportError as error:
        raise StoreUnusable(
            "PostgreSQL needs a driver that is not installed; install Ashat with it: pip install 'ashat[postgres]'"
        ) from error


def lost_race(error: DBAPIError) -> bool:
    """Whether the transaction failed only because another one was first."""
    return getattr(error.orig, "sqlstate", None) in LOST_RACES


def unusable(error: DBAPIError, name: str) -> StoreUnusable:
    """The sentence for a database that cannot be reached or does not let us in. The driver never tells the password."""
    said = " ".join(str(error.orig).split())
    return StoreUnusable(f"the database {name} cannot be used: {said}; check database_url and its user's rights")


def _guard(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def _engine(url: URL, connections: int, **how: Any) -> Engine:
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,  # a database that was restarted costs nobody a command
        hide_parameters=True,  # an error must not repeat what people said
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "ashat",
            "options": options,
            **_DEAD_LINK,
        },
        **how,
    )


def _durable(connection: Any, _record: Any) -> None:
    """An approval whose effect has run must survive a power cut, also where the server's default is less careful."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()
