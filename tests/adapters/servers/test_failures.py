"""A server may answer anything or nothing: each way to fail has its sentence, and nothing of a body is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.servers.failures import Patience
from adapters.servers.link import MAX_ANSWER
from core.ports import ServerFault
from tests.adapters.servers.conftest import TOKEN, Make, server
from tests.adapters.servers.peer import Handler, Seen, answers, peer, response
from tests.adapters.servers.samples import about, problem, state
from tests.support.ports import free_port


@asynccontextmanager
async def speaks_first(words: bytes) -> AsyncIterator[int]:
    """Something whose first words are no TLS; its port."""

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


async def fault_of(make: Make, handler: Handler, patience: Patience | None = None) -> ServerFault:
    """What asking for the state comes to, where it must fail."""
    async with peer(handler) as one:
        with pytest.raises(ServerFault) as caught:
            await make(one.url, patience=patience).at(server(one.url)).state()
        return caught.value


async def test_an_honest_answer_is_a_model(make: Make) -> None:
    async with peer(answers(200, state())) as one:
        assert await make(one.url).at(server(one.url)).state() == state()


@pytest.mark.parametrize(("status", "temporary"), [(500, True), (503, True), (429, True), (400, False), (403, False)])
async def test_an_error_page_is_not_quoted(make: Make, status: int, temporary: bool) -> None:
    fault = await fault_of(make, answers(status, b"<h1>internal secrets</h1>"))
    assert str(fault) == f"staging answered GET /v1/state with {status} and no reason"
    assert fault.temporary is temporary


async def test_the_agents_own_sentence_is_passed_on(make: Make) -> None:
    body = problem("conflict", "generation 3 is older than 4").model_copy(update={"reference": "7F3K"})
    fault = await fault_of(make, answers(409, body))
    assert str(fault) == "staging: generation 3 is older than 4 (reference 7F3K)"
    assert not fault.temporary


async def test_the_agents_own_sentence_is_made_safe(make: Make) -> None:
    nasty = f"\x1b[2J\u202eline\nbreak {TOKEN} " + "x" * 1000
    fault = await fault_of(make, answers(500, problem("internal", nasty)))
    assert str(fault).startswith("staging: line break [token] xxx")
    assert len(str(fault)) < 320
    assert TOKEN not in str(fault)


async def test_garbage_is_a_fault(make: Make) -> None:
    async def garbage(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01\x02 what?\r\n\r\n")
        writer.close()

    assert "not HTTP" in str(await fault_of(make, garbage))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"about": 1}', b"\xff\xfe", b'{"surprise": true}'])
async def test_an_answer_of_another_shape_is_a_fault(make: Make, body: bytes) -> None:
    fault = await fault_of(make, answers(200, body))
    assert "something else than version 1 of the agent's API" in str(fault)
    assert not fault.temporary


async def test_a_server_that_hangs_is_a_temporary_fault(make: Make) -> None:
    async def hang(_: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    fault = await fault_of(make, hang, Patience(silence=0.2))
    assert fault.temporary
    assert "fell silent for 0.2 s" in str(fault)


async def test_a_server_that_drips_is_a_temporary_fault(make: Make) -> None:
    async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    fault = await fault_of(make, drip, Patience(answer=0.5))
    assert fault.temporary
    assert "did not complete its answer within 0.5 s" in str(fault)


async def test_a_connection_that_breaks_off_is_a_temporary_fault(make: Make) -> None:
    async def break_off(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        writer.close()

    assert (await fault_of(make, break_off)).temporary


async def test_an_endless_answer_is_cut(make: Make) -> None:
    sent = 0

    async def flood(_: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        while True:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    fault = await fault_of(make, flood)
    assert f"more than {MAX_ANSWER} bytes" in str(fault)
    assert sent < 2 * MAX_ANSWER


async def test_a_compressed_answer_is_refused_unread(make: Make) -> None:
    assert "compressed" in str(await fault_of(make, answers(200, b"bomb", {"Content-Encoding": "gzip"})))


async def test_an_endless_error_is_cut(make: Make) -> None:
    fault = await fault_of(make, answers(500, b"x" * 200_000))
    assert str(fault) == "staging answered GET /v1/state with 500 and no reason"


async def test_a_redirect_is_not_followed(make: Make) -> None:
    async with peer(answers(200, state())) as elsewhere:
        fault = await fault_of(make, answers(307, b"", {"Location": f"{elsewhere.url}/v1/state"}))
        assert elsewhere.requests == []
    assert "redirects GET /v1/state elsewhere" in str(fault)
    assert not fault.temporary


async def test_nothing_there_is_a_temporary_fault(make: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServerFault, match="refuses connections") as caught:
        await make(url).at(server(url)).state()
    assert caught.value.temporary


async def test_an_agent_of_another_role_is_not_believed(make: Make) -> None:
    fault = await fault_of(make, answers(200, state("omega")))
    assert "an agent of role omega, expected public" in str(fault)


async def test_texts_are_made_safe_to_show(make: Make) -> None:
    answer = state(error="it\x1b[31m broke\u202e\non start " + "x" * 5000, url="javascript:alert(1)")
    async with peer(answers(200, answer)) as one:
        seen = (await make(one.url).at(server(one.url)).state()).components[0]
    assert seen.error is not None
    assert seen.error.startswith("it broke on start xxx")
    assert len(seen.error) <= 1000
    assert seen.url is None


# -- probing -----------------------------------------------------------------------------------------------------------


async def test_a_probe_finds_an_agent(make: Make) -> None:
    async with peer(answers(200, about("omega"))) as one:
        found = await make(one.url).probe(one.url)
        assert (found.kind, found.about) == ("agent", about("omega"))
        assert [seen.path for seen in one.requests] == ["/v1/about"]


async def test_a_probe_says_that_a_token_is_missing(make: Make) -> None:
    async with peer(answers(401, problem("unauthorised", "who are you?"))) as one:
        found = await make().probe(one.url)
        assert found.kind == "other"
        assert "wants a token" in found.detail
        assert "authorization" not in one.requests[0].headers


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (response(200, b"<html>"), "something else"),
        (response(404, problem("not_found", "words of a stranger")), "answered GET /v1/about with 404"),
        (response(302, b"", {"Location": "http://127.0.0.1:1/"}), "with 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not HTTP"),
    ],
)
async def test_a_probe_finds_something_else_and_quotes_nothing(make: Make, raw: bytes, says: str) -> None:
    async def handle(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    async with peer(handle) as one:
        found = await make().probe(one.url)
    assert (found.kind, found.about) == ("other", None)
    assert says in found.detail
    assert "stranger" not in found.detail


async def test_a_probe_says_what_kind_of_nothing_it_found(make: Make) -> None:
    async def hang(_: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    agents = make(patience=Patience(silence=0.2))
    refused = await agents.probe(f"http://127.0.0.1:{free_port()}")
    assert (refused.kind, "refuses connections" in refused.detail) == ("nothing", True)
    async with peer(hang) as one:
        silent = await agents.probe(one.url)
        assert (silent.kind, "fell silent" in silent.detail) == ("nothing", True)
    async with speaks_first(b"220 mail.example ESMTP\r\n") as port:
        plain = await agents.probe(f"https://127.0.0.1:{port}")
        assert (plain.kind, "does not speak TLS" in plain.detail) == ("nothing", True)
    forbidden = await agents.probe("http://169.254.169.254/latest")
    assert forbidden.kind == "nothing"
    assert "metadata" in (await agents.probe("http://metadata.google.internal")).detail
    assert (await agents.probe("http://[")).kind == "nothing"
