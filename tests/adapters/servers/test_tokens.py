"""A token goes to the one origin that settings list it for, over a way that nobody can listen to, and nowhere else."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from adapters.servers.link import Credential, origin_of
from core.ports import ServerFault
from tests.adapters.servers.conftest import TOKEN, Make, server
from tests.adapters.servers.peer import answers, peer
from tests.adapters.servers.samples import about, state


async def test_the_token_goes_to_its_origin(make: Make) -> None:
    async with peer(answers(200, state())) as one:
        await make(f"{one.url}/").at(server(one.url)).state()
        assert one.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_another_origin_gets_no_request_that_needs_a_token(make: Make) -> None:
    async with peer(answers(200, state())) as listed, peer(answers(200, state())) as other:
        agents = make(listed.url)
        for url in (other.url, f"http://localhost:{listed.port}"):
            with pytest.raises(ServerFault, match=r"settings hold no token for http://.*:\d+") as caught:
                await agents.at(server(url)).state()
            assert not caught.value.temporary
        assert listed.requests == []
        assert other.requests == []


async def test_no_token_crosses_plain_http_off_this_machine(make: Make) -> None:
    async with peer(answers(200, state())) as one:
        url = one.at("public.example")
        with pytest.raises(ServerFault, match="plain http"):
            await make(url).at(server(url)).state()
        assert one.requests == []


async def test_a_probe_over_plain_http_goes_without_the_token(make: Make) -> None:
    async with peer(answers(200, about())) as one:
        url = one.at("public.example")
        assert (await make(url).probe(url)).kind == "agent"
        assert "authorization" not in one.requests[0].headers


async def test_the_environment_has_no_say(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(answers(200, state())) as one, peer(answers(200, state())) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await make(one.url).at(server(one.url)).state()
        assert proxy.requests == []


def test_a_token_is_not_shown() -> None:
    assert TOKEN not in repr(Credential(SecretStr(TOKEN)))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Public.example", "https://public.example:443"),
        ("https://public.example:443/", "https://public.example:443"),
        ("http://public.example/agent/", "http://public.example:80"),
        ("http://public.example:443", "http://public.example:443"),
        ("http://[::1]:9101/x", "http://[::1]:9101"),
    ],
)
def test_one_origin_has_one_text(url: str, origin: str) -> None:
    assert origin_of(url) == origin
