"""Who gets in, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.playground.refused import PlaygroundRefused
from adapters.playground.server import Playground
from adapters.playground.site import PAGE
from demo.ports import reserved
from tests.adapters.playground.world import World, world

_HTML_SINKS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")


def said(text: str, speaker: str = "alice", **more: Any) -> dict[str, Any]:
    return {"speaker": speaker, "delivery": uuid.uuid4().hex, "text": text, **more}


@pytest.fixture
async def stranger(here: World) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody on this machine who does not have the link."""
    origin = here.playground.url.rstrip("/")
    async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}, trust_env=False) as client:
        yield client


@pytest.fixture
async def client(here: World, stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """Whoever opened the link."""
    answer = await stranger.post("/session", json={"token": token_of(here)})
    assert answer.status_code == 204
    return stranger


def token_of(here: World) -> str:
    return here.playground.link.partition("#")[2]


async def events(client: httpx.AsyncClient, speaker: str, until: str, after: int = 0) -> list[tuple[str, Any]]:
    """What the stream says, up to the first event of that name."""
    found: list[tuple[str, Any]] = []
    async with asyncio.timeout(20):
        async with client.stream("GET", "/events", params={"as": speaker, "after": after}) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    found.append((name, json.loads(line[6:])))
                    if name == until:
                        break
    return found


# -- the page itself ---------------------------------------------------------------------------------------------------


async def test_the_page_is_there_for_everybody_and_holds_nothing(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "server" not in page.headers


@pytest.mark.parametrize("path", ["/events?as=alice", "/say", "/nowhere", "/..%2fsite.py"])
async def test_also_refusals_have_the_headers(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert "content-security-policy" in answer.headers


def test_the_page_brings_everything_along_and_makes_no_markup() -> None:
    for file in PAGE.iterdir():
        text = file.read_text("utf-8")
        without_names = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", without_names), f"{file.name} loads something from elsewhere"
        assert not _HTML_SINKS.search(text), f"{file.name} can make markup of text"
    index = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index)


# -- host, origin, session ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", ""])
async def test_another_host_is_refused_even_with_the_cookie(client: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/events?as=alice"):
        answer = await client.get(path, headers={"Host": host})
        assert answer.status_code in (400, 421), answer.text


async def test_localhost_is_this_machine_too(here: World, client: httpx.AsyncClient) -> None:
    name = f"localhost:{here.playground.port}"
    headers = {"Host": name, "Origin": f"http://{name}"}
    assert (await client.post("/say", json=said("deploy whoami"), headers=headers)).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", ""])
async def test_another_origin_is_refused_even_with_the_cookie(client: httpx.AsyncClient, origin: str) -> None:
    post = await client.post("/say", json=said("deploy status"), headers={"Origin": origin})
    stream = await client.get("/events?as=alice", headers={"Origin": origin})
    assert (post.status_code, stream.status_code) == (403, 403)


async def test_a_post_without_origin_is_refused(client: httpx.AsyncClient) -> None:
    del client.headers["Origin"]
    assert (await client.post("/say", json=said("deploy status"))).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_cannot_listen(client: httpx.AsyncClient, site: str) -> None:
    del client.headers["Origin"]
    answer = await client.get("/events?as=alice", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403


async def test_nothing_without_the_session(here: World, stranger: httpx.AsyncClient) -> None:
    for cookie in ("", f"ashat_playground_{here.playground.port}=guess", "; ;=;\x01"):
        headers = {"Cookie": cookie} if cookie else {}
        assert (await stranger.get("/events?as=alice", headers=headers)).status_code == 401
        assert (await stranger.post("/say", json=said("deploy help"), headers=headers)).status_code == 401


@pytest.mark.parametrize("token", ["", "guess", "ä" * 22])
async def test_a_wrong_link_gives_no_session(stranger: httpx.AsyncClient, token: str) -> None:
    answer = await stranger.post("/session", json={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_the_cookie_is_for_this_page_alone(here: World, stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/session", json={"token": token_of(here)})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token_of(here).lower() not in cookie


async def test_each_run_has_its_own_secret(here: World) -> None:
    async with world() as other:
        assert token_of(here) != token_of(other)


async def test_the_secret_is_in_no_log(
    here: World, client: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    await client.get("/")
    await client.post("/say", json=said("deploy help"))
    await client.post("/session", json={"token": token_of(here) + "x"})
    written = capfd.readouterr()
    assert token_of(here) not in written.out + written.err


# -- bounds ------------------------------------------------------------------------------------------------------------


async def test_a_long_body_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/say", content=b"x" * 200_000)).status_code == 413
    assert (await client.post("/say", json=said("x" * 4001))).status_code == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"speaker": "alice"}', json.dumps(said("x") | {"more": 1}).encode(), b"\xff"],
    ids=["empty", "list", "cut", "lacking", "too much", "no text"],
)
async def test_what_was_not_agreed_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/say", content=body)
    assert answer.status_code == 400
    assert answer.json()["problem"]


async def test_too_fast_is_refused(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/say", content=b"{}") for _ in range(60)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {400, 429}


async def test_nobody_else_can_be_spoken_for(client: httpx.AsyncClient) -> None:
    assert (await client.post("/say", json=said("deploy status", "mallory"))).status_code == 404
    assert (await client.get("/events?as=mallory")).status_code == 404
    assert (await client.get("/events?as=alice&after=-1")).status_code == 400


# -- where it does not start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_it_never_starts_beside_a_real_platform(here: World, platform: str) -> None:
    with pytest.raises(PlaygroundRefused, match=f"never runs beside {platform}"):
        Playground(here.playground.parts, beside={"terminal", platform})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # that it is refused is the test
async def test_it_listens_on_loopback_only(here: World, host: str) -> None:
    with pytest.raises(PlaygroundRefused, match="loopback only"):
        Playground(here.playground.parts, beside=(), host=host)


async def test_a_port_in_use_is_passed_over_and_so_is_one_that_is_kept_for_a_server(here: World) -> None:
    other = Playground(here.playground.parts, beside=(), port=here.playground.port)
    with reserved({"a server that starts": here.playground.port + 1}) as kept:
        await other.start()
        try:
            assert other.port not in (here.playground.port, *kept.values())
        finally:
            await other.stop()


# -- what is said ------------------------------------------------------------------------------------------------------


async def test_an_answer_is_for_the_asker_alone(client: httpx.AsyncClient) -> None:
    await client.post("/say", json=said("deploy whoami"))
    alice = [data["kind"] for name, data in await events(client, "alice", "people") if name == "message"]
    bo = [data["kind"] for name, data in await events(client, "bo", "people") if name == "message"]
    assert alice == ["line", "line", "said", "answer"]
    assert bo == ["line", "line"]


async def test_the_same_delivery_acts_once(here: World, client: httpx.AsyncClient) -> None:
    push = said("deploy push v1.2.2 'Notes can be searched'")
    answers = await asyncio.gather(*(client.post("/say", json=push) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    await client.post("/say", json=push)
    assert len((await here.app.parts.store.history(10)).deployments) == 1
    replies = [data for name, data in await events(client, "alice", "people") if data_kind(data) == "answer"]
    assert [reply["outcome"] for reply in replies] == ["done"]


def data_kind(data: Any) -> str:
    return data.get("kind", "") if isinstance(data, dict) else ""


async def test_who_has_no_role_gets_no_names_and_no_ids(here: World, client: httpx.AsyncClient) -> None:
    await client.post("/say", json=said("deploy push v1.2.2 'Notes can be searched'"))
    await client.post("/say", json=said("deploy status", "guest"))
    heard = [data for name, data in await events(client, "guest", "people") if name == "message"]
    assert [one["kind"] for one in heard] == ["said", "answer"]
    assert heard[-1]["outcome"] == "refused"
    assert "v1.2.2" not in json.dumps(heard)
    words = (await client.post("/complete", json={"speaker": "guest", "text": "deploy show "})).json()["words"]
    assert words == []


async def test_a_reader_goes_on_after_what_it_has_read(client: httpx.AsyncClient) -> None:
    await client.post("/say", json=said("deploy whoami"))
    first = await events(client, "alice", "people")
    last = len([name for name, _ in first if name == "message"])
    await client.post("/say", json=said("deploy help"))
    second = [data for name, data in await events(client, "alice", "people", after=last) if name == "message"]
    assert [one["kind"] for one in second] == ["said", "answer"]


async def test_forms_are_checked_field_by_field_and_as_a_whole(client: httpx.AsyncClient) -> None:
    async def problem(field: str, value: str) -> str | None:
        answer = await client.post("/check", json={"command": "push", "field": field, "value": value})
        return str(found) if (found := answer.json()["problem"]) else None

    assert await problem("id", "v1.2.2") is None
    assert "is not an id" in (await problem("id", "no such thing!") or "")
    assert "description is missing" in (await problem("description", "  ") or "")
    assert "looks like" in (await problem("info", "password=hunter2hunter2") or "")
    assert await problem("info", "") is None
    form = {"speaker": "alice", "delivery": uuid.uuid4().hex, "command": "push", "fields": {"id": "v1.2.2"}}
    refused = await client.post("/form", json=form)
    assert "description is missing" in refused.json()["problem"]
    form["fields"] = {"id": "v1.2.2", "description": 'Don\'t "quote" me', "info": "", "tasks": ["OPS-7", "OPS-8"]}
    assert (await client.post("/form", json=form)).json() == {"problem": None}


async def test_only_ones_own_answers_to_questions_can_be_shared(client: httpx.AsyncClient) -> None:
    await client.post("/say", json=said("deploy servers"))
    await client.post("/say", json=said("deploy push nothing-there 'No such update'"))
    found = [data for _, data in await events(client, "alice", "people") if data_kind(data) == "answer"]
    servers, refused = (answer["number"] for answer in found)
    assert [answer.get("shareable", False) for answer in found] == [True, False]

    async def share(number: int, speaker: str) -> int:
        return (await client.post("/share", json={"speaker": speaker, "number": number})).status_code

    assert await share(servers, "bo") == 404
    assert await share(refused, "alice") == 404
    assert await share(servers, "alice") == 200
    assert await share(servers, "alice") == 404
    line = [data for _, data in await events(client, "bo", "people") if data_kind(data) == "line"][-1]
    assert (line["by"], line["card"]["title"]) == ("Alice Ng", "Servers")


def looks() -> set[asyncio.Task[Any]]:
    """Whatever asks the servers for a page."""
    return {task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == "Lookout._look"}


async def test_servers_are_asked_only_while_a_page_is_open(client: httpx.AsyncClient) -> None:
    assert not looks()
    found = await events(client, "alice", "picture")
    assert found[-1][1]["public"]["title"] == "Public"
    if left := looks():
        await asyncio.wait(left, timeout=20)
    assert not looks()


async def test_a_fault_of_ours_is_said_without_its_story(
    here: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inside story")

    monkeypatch.setattr(here.room, "said", broken)
    answer = await client.post("/say", json=said("deploy status"))
    assert answer.status_code == 500
    assert answer.json()["problem"].startswith("Our fault")
    assert "content-security-policy" in answer.headers
    assert "the inside story" in caplog.text
