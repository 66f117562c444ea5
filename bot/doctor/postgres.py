"""What the doctor looks at in a PostgreSQL database: whether it lets us write, is durable, and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.doctor.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    import psycopg

_PATIENCE = 10
"""Seconds for a connection."""
_OLDEST = 13
_MAX_SKEW = 2.0
"""Seconds: replicas take over from each other by their own clocks, 15 seconds after the last word."""
_CONNECTIONS = 10
"""What one replica opens."""
_ASKED = """
SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), current_setting('fsync'),
       current_setting('full_page_writes'), clock_timestamp(),
       current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity),
       has_schema_privilege(current_schema(), 'CREATE')
"""


def postgres_findings(url: str) -> Iterator[Finding]:
    """Asks it; for a thread. No finding repeats the URL, which may hold a password."""
    words = _words(url)
    if words is None:
        yield fail("Database: database_url is no URL of PostgreSQL.", "set postgresql://<user>@<host>/<database>")
        return
    try:
        import psycopg
    except ImportError:
        yield fail("Database: the driver for PostgreSQL is not installed.", "pip install 'ashat[postgres]'")
        return
    try:
        connection = psycopg.connect(connect_timeout=_PATIENCE, **words)
    except psycopg.Error as error:
        yield fail(f"Database: PostgreSQL cannot be reached: {_line(error)}.", "start it, or set database_url")
    else:
        with connection:
            yield from _findings(connection)


def _words(url: str) -> dict[str, Any] | None:
    """The parts of `url` as the driver wants them: given the whole, it may repeat it in an error."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "postgresql":
        return None
    return {**parsed.query, **parsed.translate_connect_args(username="user", database="dbname")}


def _findings(connection: psycopg.Connection) -> Iterator[Finding]:
    asked = datetime.now(UTC)
    row = connection.execute(_ASKED).fetchone()
    answered = datetime.now(UTC)
    assert row is not None
    version, standby, fsync, pages, now, room, rights = row
    if version < _OLDEST:
        yield warn(f"Database: PostgreSQL {version} is no longer maintained.", f"use {_OLDEST} or newer")
    if standby:
        yield fail("Database: this PostgreSQL is a standby, which cannot be written.", "name the primary")
    elif not rights:
        yield fail(
            "Database: its user may not make tables there.", "GRANT CREATE ON SCHEMA public, or own the database"
        )
    else:
        yield ok(f"Database: PostgreSQL {version} lets us in and can be written.")
    if "off" in (fsync, pages):
        yield fail("Database: a power cut can lose or damage it.", "set fsync and full_page_writes to on")
    if room < _CONNECTIONS:
        yield warn(f"Database: {room} connections are left; one replica needs {_CONNECTIONS}.", "raise max_connections")
    yield _clock(asked, now, answered)


def _clock(asked: datetime, there: datetime, answered: datetime) -> Finding:
    """The database read its clock somewhere between question and answer; only what is beyond both counts."""
    skew = max((asked - there).total_seconds(), (there - answered).total_seconds(), 0.0)
    if skew > _MAX_SKEW:
        return warn(
            f"Database: its clock and this one differ by {skew:.0f} s.", "let NTP set the clocks of all replicas"
        )
    return ok("Database: its clock agrees with this one.")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
