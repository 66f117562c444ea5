"""The front door by itself: what it changes, what it refuses, and what it does when a release breaks off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from agent.door.proxy import Door
from agent.door.routes import Route, RouteTable, routes_text
from agent.door.upstreams import Upstreams
from agent.door.wire import Wire
from tests.agent.running import client as client_for

Answer = bytes
BODY_OF_REQUEST = b"\r\n\r\n"


class Release:
    """A release at the level of bytes: it answers each connection with the next of its answers, and keeps what came."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(BODY_OF_REQUEST))
        answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        if answer is not None:
            writer.write(answer)
        writer.close()


class Street:
    """A front door and a release behind it, in this process, on real sockets."""

    def __init__(self, folder: Path, release: Release, upstream: int, port: int) -> None:
        self.folder = folder
        self.release = release
        self.upstream = upstream
        self.port = port

    def route(self, *routes: Route) -> None:
        scratch = self.folder / "scratch"
        scratch.write_bytes(routes_text(routes))
        scratch.replace(self.folder / "routes.json")

    async def raw(self, request: bytes) -> bytes:
        """Everything that comes back on one connection, which the request asks to close."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(30):
            data = await reader.read()
        writer.close()
        return data


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    release = Release()
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(release.serve(reader, writer)))

    behind = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = int(behind.sockets[0].getsockname()[1])
    door = Door(tmp_path)
    server = await door.listen("127.0.0.1", 0)
    street = Street(tmp_path, release, upstream, int(server.sockets[0].getsockname()[1]))
    street.route(Route("/", "main", f"127.0.0.1:{upstream}"))
    yield street
    server.close()
    behind.close()
    door.close()
    await asyncio.gather(*serving, return_exceptions=True)


@pytest.fixture
async def browser(street: Street) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(street.port) as browser:
        yield browser


async def test_who_asked_is_passed_on_and_what_is_for_one_connection_is_not(
    street: Street, browser: httpx.AsyncClient
) -> None:
    headers = {"Connection": "X-Secret-Hop, Host", "X-Secret-Hop": "1", "TE": "trailers", "X-Kept": "2"}
    street.release.answers = [
        b"HTTP/1.1 200 OK\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\n"
        b"X-Kept: 3\r\nContent-Length: 0\r\n\r\n"
    ]
    answer = await browser.get("/a?b=c", headers=headers)
    lines = street.release.requests[0].decode().lower().split("\r\n")
    assert lines[0] == "get /a?b=c http/1.1"
    sent = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert sent["host"] == sent["x-forwarded-host"] == f"127.0.0.1:{street.port}"
    assert (sent["x-forwarded-for"], sent["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert sent["x-kept"] == "2"
    assert not {"x-secret-hop", "te", "connection"} & set(sent)
    assert answer.headers["x-kept"] == "3"
    assert not {"x-gone", "keep-alive"} & set(answer.headers)


async def test_head_has_a_length_and_no_body_and_the_connection_goes_on(street: Street) -> None:
    street.release.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]
    text = await street.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, get, body = text.split(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert get.startswith(b"HTTP/1.1 200")
    assert body == b"ok"


async def test_a_client_that_waits_is_told_to_go_on(street: Street) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    )
    async with asyncio.timeout(30):
        assert (await reader.readline()).startswith(b"HTTP/1.1 100")
        writer.write(b"abc")
        assert b"HTTP/1.1 200" in await reader.read()
    writer.close()


async def test_an_old_client_gets_no_chunks(street: Street) -> None:
    street.release.answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"]
    text = await street.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert text.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in text


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"501"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_it_does_not_carry_is_refused(street: Street, request_head: bytes, status: bytes) -> None:
    lines = request_head.replace(b"\r\nHost: x\r\n", b"\r\nHost: x\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
    writer.write(lines)
    async with asyncio.timeout(30):
        answer = await reader.readline()
    assert answer.split()[1] == status, answer
    writer.close()
    assert street.release.requests == []


async def test_answers_of_its_own(street: Street, browser: httpx.AsyncClient) -> None:
    dead = Route("/dead", "dead", "127.0.0.1:1")
    street.route(Route("/off", "off", None, "off is offline."), dead)
    for path, status, text in (
        ("/", 404, "Nothing is served at this address."),
        ("/off/x", 503, "off is offline."),
        ("/dead", 502, "does not answer"),
    ):
        answer = await browser.get(path)
        assert (answer.status_code, text in answer.text) == (status, True), answer.text


async def test_a_release_that_says_nothing_gives_502_and_one_that_breaks_off_is_seen_to(
    street: Street, browser: httpx.AsyncClient
) -> None:
    street.release.answers = [None, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]
    assert (await browser.get("/")).status_code == 502
    with pytest.raises(httpx.TransportError):
        await browser.get("/")
    street.release.answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    with pytest.raises(httpx.TransportError):
        await browser.get("/")
    assert (await browser.get("/")).text == "ok"


async def test_a_connect_that_fails_is_tried_once_more_on_the_new_table(
    street: Street, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.route(Route("/", "main", "127.0.0.1:1"))
    connect = Upstreams.connect

    async def switched_meanwhile(upstreams: Upstreams, address: str) -> Wire:
        if address == "127.0.0.1:1":
            street.route(Route("/", "main", f"127.0.0.1:{street.upstream}"))
        return await connect(upstreams, address)

    monkeypatch.setattr(Upstreams, "connect", switched_meanwhile)
    assert (await browser.get("/")).text == "ok"


def test_the_longest_prefix_wins(tmp_path: Path) -> None:
    table = RouteTable(tmp_path / "routes.json")
    assert table.find("/") is None
    routes = [Route("/", "main", "a:1"), Route("/api", "api", "b:2"), Route("/api/v2/", "next", "c:3")]
    (tmp_path / "routes.json").write_bytes(routes_text(routes))
    found = {path: table.find(path) for path in ("/", "/x", "/api", "/api/x", "/apix", "/api/v2", "/api/v2/x")}
    components = {path: route.component if route else None for path, route in found.items()}
    main, api, following = ("/", "/x", "/apix"), ("/api", "/api/x"), ("/api/v2", "/api/v2/x")
    wanted = {**dict.fromkeys(main, "main"), **dict.fromkeys(api, "api"), **dict.fromkeys(following, "next")}
    assert components == wanted
    assert json.loads(routes_text(routes))[0]["says"] == ""


class Keeping(Release):
    """A release that keeps connections open: `connections` holds, for each, the requests that came on it."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[list[bytes]] = []
        self.closes_after = 1000
        self.after_answer = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[bytes] = []
        self.connections.append(requests)
        try:
            while head := await reader.readuntil(BODY_OF_REQUEST):
                requests.append(head.split(b" HTTP/")[0])
                if len(requests) > self.closes_after:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + self.after_answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the door is done with it
        writer.close()


@pytest.fixture
def kept(street: Street) -> Keeping:
    """The street's release, keeping its connections."""
    kept = Keeping()
    street.release.serve = kept.serve  # type: ignore[method-assign]  # another release has moved in
    return kept


async def test_connections_are_used_again_for_what_may_be_repeated(
    street: Street, browser: httpx.AsyncClient, kept: Keeping
) -> None:
    for method in ("GET", "HEAD", "POST", "GET"):
        assert (await browser.request(method, "/")).status_code == 200
    assert kept.connections == [[b"GET /", b"HEAD /"], [b"POST /", b"GET /"]]


async def test_a_connection_that_was_closed_meanwhile_costs_no_request(
    street: Street, browser: httpx.AsyncClient, kept: Keeping
) -> None:
    kept.closes_after = 1
    for _ in range(4):
        assert (await browser.get("/")).text == "ok"
    assert kept.connections == [[b"GET /", b"GET /"]] * 3 + [[b"GET /"]], "each was read and closed, and sent anew"


async def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next_request(
    street: Street, browser: httpx.AsyncClient, kept: Keeping
) -> None:
    kept.after_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    for _ in range(3):
        assert (await browser.get("/")).text == "ok"
    assert kept.connections == [[b"GET /"]] * 3
