"""The settings that the demo writes, read by those for whom they are."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.settings import AgentSettings, load_settings, read_token
from bot.settings import load
from demo import credentials
from demo.cast import PARTS
from demo.ports import HOST, PortTakenError, reserved, reserved_again
from demo.servers import LOCK, MARK, ServersError, prepared, settle, start


@pytest.fixture
def agents(tmp_path: Path) -> dict[str, AgentSettings]:
    with prepared(tmp_path / "demo", keep=False) as mark:
        places = settle(tmp_path / "demo", mark)
    return {place.part.name: load_settings(place.settings_file) for place in places}


def test_every_agent_can_read_its_settings(agents: dict[str, AgentSettings]) -> None:
    assert [settings.role for settings in agents.values()] == ["public", "omega", *["mainframe"] * 6]
    assert agents["omega"].region == "eu"
    assert all(settings.keep_warm == (settings.role != "mainframe") for settings in agents.values())
    addresses = [address for settings in agents.values() for address in (settings.listen, settings.front.listen)]
    assert len(set(addresses)) == 2 * len(PARTS)


def test_omega_knows_each_mainframe_by_its_key_and_token(agents: dict[str, AgentSettings]) -> None:
    for entry in agents["omega"].mainframes:
        mainframe = agents[entry.name]
        assert mainframe.omega is not None
        assert entry.token_sha256 == credentials.sha256(read_token(mainframe.omega.token_file).get_secret_value())
        assert entry.public_key == credentials.private_key(mainframe.key_path)


def test_two_owners_have_the_tier_and_one_licence_has_run_out(agents: dict[str, AgentSettings]) -> None:
    entries = {entry.name: entry for entry in agents["omega"].mainframes}
    assert [name for name, entry in entries.items() if entry.tier == "server-owner"] == ["m1", "m2"]
    until = {name: entry.licence_until for name, entry in entries.items()}
    assert [name for name, end in until.items() if end is None or end < datetime.now(UTC)] == ["m6"]


def test_the_bot_can_read_its_settings(agents: dict[str, AgentSettings], tmp_path: Path) -> None:
    settings = load(tmp_path / "demo" / "config.toml")
    public = settings.agent_at(f"http://{agents['public'].listen}")
    assert public is not None
    assert public.token_file == tmp_path / "demo" / "servers" / "public" / "bot.token"
    assert settings.agent_at(f"http://{agents['omega'].listen}") is not None
    key = credentials.private_key(settings.ashat.key_file)
    assert all(agent.trust.bot_keys == (key,) for agent in agents.values())


def test_secrets_are_for_their_owner_alone(agents: dict[str, AgentSettings], tmp_path: Path) -> None:
    private = [path for path in tmp_path.rglob("*") if path.suffix in (".key", ".token", ".pem")]
    assert len(private) == 1 + 2 * 8 + 6
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ServersError, match="not a demo's"):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_with_other_things_stays_theirs_beside_a_lock(tmp_path: Path) -> None:
    for name in ("thesis.txt", LOCK):
        (tmp_path / name).write_text("years of work")
    with pytest.raises(ServersError, match="not a demo's"):
        start(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("keep", [False, True])
def test_a_folder_in_which_a_demo_runs_is_left_alone(tmp_path: Path, *, keep: bool) -> None:
    with prepared(tmp_path, keep=False) as mark:
        settle(tmp_path, mark)
    before = contents(tmp_path)
    with held(tmp_path / LOCK), pytest.raises(ServersError, match=r"A demo runs in .* already: .* --data DIR\.$"):
        start(tmp_path, keep)
    assert contents(tmp_path) == before | {tmp_path / LOCK: b""}


def test_a_fresh_start_leaves_the_lock_that_it_holds(tmp_path: Path) -> None:
    with prepared(tmp_path, keep=False) as mark:
        settle(tmp_path, mark)
    with held(tmp_path / LOCK) as handle, prepared(tmp_path, keep=False):
        assert (tmp_path / LOCK).stat().st_ino == os.fstat(handle).st_ino
        assert {path.name for path in tmp_path.iterdir()} == {LOCK, MARK}


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("years of work")
    with pytest.raises(ServersError, match=r"file is a file; name a folder: --data DIR\.$"):
        start(tmp_path / "file")
    with pytest.raises(ServersError, match=r"demo cannot be used: Not a directory; name another folder: --data DIR\.$"):
        start(tmp_path / "file" / "demo")
    assert (tmp_path / "file").read_text() == "years of work"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def held(lock: Path) -> Iterator[int]:
    """As the demo that runs holds it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def test_keep_gives_the_same_places_and_fresh_gives_new_keys(tmp_path: Path) -> None:
    with prepared(tmp_path, keep=False) as mark:
        first = settle(tmp_path, mark)
    with prepared(tmp_path, keep=True) as mark:
        assert settle(tmp_path, mark) == first
    with prepared(tmp_path, keep=False) as mark:
        again = settle(tmp_path, mark)
    assert {place.public_key for place in again}.isdisjoint(place.public_key for place in first)
    assert (tmp_path / MARK).exists()


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        taken = other.getsockname()[1]
        with reserved({"one": taken, "two": taken}) as ports:
            assert taken < ports["one"] < ports["two"]
            with reserved({"three": ports["one"]}) as more:
                assert more["three"] > ports["two"]


def test_a_reserved_port_lets_the_server_in_for_which_it_is() -> None:
    with reserved({"one": 9500}) as ports, socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        server.bind((HOST, ports["one"]))
        server.listen()
        with socket.create_connection((HOST, ports["one"]), 5):
            """It got there."""


def test_a_kept_port_that_another_program_has_is_named() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port} of omega is in use"), reserved_again({"omega": port}):
            """Not reached."""
