"""What the doctor says of a PostgreSQL database, a real one; and never with the password."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bot.doctor import postgres as looked_into
from bot.doctor.finding import Finding
from bot.doctor.postgres import postgres_findings
from tests.support.postgres import running_server


def found(url: str) -> dict[str, list[Finding]]:
    """By level."""
    levels: dict[str, list[Finding]] = {"ok": [], "warn": [], "fail": []}
    for finding in postgres_findings(url):
        assert "hunter2" not in str(finding)
        assert finding.level == "ok" or finding.mend
        levels[finding.level].append(finding)
    return levels


def test_a_database_that_is_well_is_well() -> None:
    with running_server(quick=False) as server:
        url = server.url("postgres")
        levels = found(url)
        assert [finding.what.partition(":")[2].split()[-1] for finding in levels["ok"]] == ["written.", "one."]
        assert (levels["warn"], levels["fail"]) == ([], [])
        assert found(url.replace("postgresql:", "postgresql+psycopg:")) == levels


def test_a_database_that_forgets_at_a_power_cut_is_said(new_database_url: str) -> None:
    (finding,) = found(new_database_url)["fail"]
    assert "power cut" in finding.what


def test_a_user_who_may_not_make_tables_is_said(new_database_url: str) -> None:
    name = new_database_url.rpartition("/")[2]
    with psycopg.connect(new_database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE reads_{name} LOGIN")
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    levels = found(new_database_url.replace("postgres@", f"reads_{name}:hunter2@"))
    assert any("may not make tables" in finding.what for finding in levels["fail"])


def test_a_database_with_few_connections_left_is_said(new_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked_into, "_CONNECTIONS", 10_000)
    (finding,) = found(new_database_url)["warn"]
    assert "connections are left; one replica needs 10000" in finding.what


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_differs_is_said(new_database_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    class Shifted(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # only called with UTC here
            return datetime.now(UTC) + timedelta(seconds=seconds)

    monkeypatch.setattr(looked_into, "datetime", Shifted)
    (finding,) = found(new_database_url)["warn"]
    assert "its clock and this one differ by 60 s" in finding.what or "differ by 59 s" in finding.what


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ashat:hunter2@127.0.0.1:1/ashat", "cannot be reached"),
        ("postgresql://ashat:hunter2@127.0.0.1/ashat?nonsense=hunter2", "cannot be reached"),
        ("postgresql://ashat:hunter2@127.0.0.1:port/ashat", "is no URL"),
        ("mysql://ashat:hunter2@127.0.0.1/ashat", "is no URL"),
        ("hunter2", "is no URL"),
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(url: str, said: str) -> None:
    (finding,) = found(url)["fail"]
    assert said in finding.what


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    (finding,) = found("postgresql://ashat:hunter2@db/ashat")["fail"]
    assert "pip install 'ashat[postgres]'" in finding.mend
