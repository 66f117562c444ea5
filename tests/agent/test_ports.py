"""Which port a slot gets."""

from __future__ import annotations

import socket

import pytest

from agent.slots import ports
from agent.slots.ports import NoPort, Ports

HOST = "127.0.0.1"


def test_any_free_port_is_none_that_a_connection_could_take_meanwhile() -> None:
    """Else a release fails now and then, because somebody's request went out by its port."""
    chosen = {Ports(HOST, None).choose(None, ()) for _ in range(50)}
    assert all(24_000 <= port < 32_768 for port in chosen)
    assert len(chosen) > 1, "agents on one host would get in each other's way"


def test_where_those_are_taken_the_system_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_ANY", range(24_000, 24_002))
    monkeypatch.setattr(ports, "_TRIES", 2)
    assert Ports(HOST, None).choose(None, (24_000, 24_001)) not in (24_000, 24_001)


def test_the_one_it_had_stays_where_it_is_free() -> None:
    with socket.socket() as held:
        held.bind((HOST, 0))
        port = held.getsockname()[1]
        assert Ports(HOST, None).choose(port, ()) != port
    assert Ports(HOST, None).choose(port, ()) == port


def test_of_a_range_the_first_free_one_or_none() -> None:
    with socket.socket() as held:
        held.bind((HOST, 0))
        port = held.getsockname()[1]
        with pytest.raises(NoPort, match="widen slot_ports"):
            Ports(HOST, (port, port)).choose(None, ())
