"""Where the bot connects: allowed hosts, at addresses that were checked and are then used."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from adapters.servers.guard import Guard, HostRefused, is_loopback
from core.ports import ServerFault
from tests.adapters.servers.conftest import Make, server
from tests.adapters.servers.peer import answers, peer
from tests.adapters.servers.samples import state


def leads_to(*addresses: str) -> Guard:
    """Every host is allowed, and every name has these addresses."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return Guard(lambda host: True, resolve)


FORBIDDEN = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_forbidden_addresses_are_refused_by_number_and_by_name(address: str) -> None:
    with pytest.raises(HostRefused, match="never connected to"):
        await leads_to().addresses(address, 443)
    with pytest.raises(HostRefused, match="never connected to"):
        await leads_to(address).addresses("public.example", 443)


async def test_one_forbidden_address_among_good_ones_is_enough() -> None:
    with pytest.raises(HostRefused):
        await leads_to("10.0.0.7", "169.254.169.254").addresses("public.example", 443)


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.5", "127.0.0.1", "::1", "8.8.8.8", "fd12:3456::1"])
async def test_other_addresses_are_for_settings_to_allow(address: str) -> None:
    assert list(await leads_to(address).addresses("public.example", 443)) == [address]
    assert list(await leads_to().addresses(address, 443)) == [address]


@pytest.mark.parametrize("name", ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"])
async def test_metadata_services_are_refused_by_name(name: str) -> None:
    with pytest.raises(HostRefused, match="metadata service"):
        await leads_to("10.0.0.7").addresses(name, 80)


async def test_a_host_that_settings_do_not_allow_is_not_even_looked_up() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["10.0.0.7"]

    with pytest.raises(HostRefused, match=r"add it to servers\.allowed_hosts"):
        await Guard({"public.example"}.__contains__, resolve).addresses("evil.example", 443)
    assert asked == []


async def test_localhost_must_be_this_machine() -> None:
    assert list(await leads_to("127.0.0.1", "::1").addresses("localhost", 80)) == ["127.0.0.1", "::1"]
    with pytest.raises(HostRefused, match="not this machine"):
        await leads_to("10.0.0.7").addresses("localhost", 80)


def test_loopback_is_told_by_the_host_as_it_is_written() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST."]))
    assert not any(map(is_loopback, ["127.1", "public.example", "localhost.example", "10.0.0.7"]))


async def test_the_checked_address_is_the_one_connected_to(make: Make) -> None:
    """A name that is somewhere else at each look-up is checked at each look-up, and nobody looks twice."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with peer(answers(200, state())) as one:
        url = one.at("public.example")
        agents = make(resolve=rebinding)
        assert (await agents.probe(url)).kind == "other"  # it answered: with a state where a probe asks who it is
        assert asked == ["public.example"]
        assert one.requests[0].headers["host"] == f"public.example:{one.port}"
        second = await agents.probe(url)
        assert second.kind == "nothing"
        assert "link-local" in second.detail
        assert len(one.requests) == 1


async def test_the_next_address_is_tried_where_one_does_not_answer(make: Make) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with peer(answers(404)) as one:
        assert (await make(resolve=resolve).probe(one.at("public.example"))).kind == "other"


async def test_an_unknown_name_is_a_temporary_fault(make: Make) -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    url = "https://public.example"
    with pytest.raises(ServerFault, match="host name that is not known") as caught:
        await make(url, resolve=unknown).at(server(url)).state()
    assert caught.value.temporary


async def test_the_guard_holds_for_every_call(make: Make) -> None:
    for url in ("https://169.254.169.254", "https://evil.example"):
        with pytest.raises(ServerFault, match="was not asked") as caught:
            await make(url).at(server(url)).state()
        assert not caught.value.temporary
