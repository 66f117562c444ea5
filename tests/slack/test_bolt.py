"""Slack's own libraries, unmodified, live with the peer: over HTTP and over Socket Mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.slack.echo import over_http, over_socket_mode, served, session_client
from tests.slack.peer.deliveries import NotAcknowledged, encoded, signed
from tests.slack.peer.slack import Slack, texts

Way = Callable[[Slack], AbstractAsyncContextManager[Any]]


@pytest.fixture(params=[over_http, over_socket_mode])
async def echo(request: pytest.FixtureRequest, slack: Slack) -> AsyncIterator[Any]:
    way: Way = request.param
    async with way(slack) as app:
        yield app


@pytest.mark.usefixtures("echo")
async def test_a_slash_command_is_answered_to_its_asker_alone(slack: Slack) -> None:
    await slack.alice.types("/deploy status")
    assert texts(slack.ephemeral(to=slack.alice)) == ["heard status"]
    assert slack.channel("#deployments").messages() == []


@pytest.mark.usefixtures("echo")
async def test_a_response_url_is_answered_later(slack: Slack) -> None:
    await slack.alice.types("/deploy later")
    await slack.until(lambda: len(slack.ephemeral(to=slack.alice)) == 2)
    assert sorted(texts(slack.ephemeral(to=slack.alice))) == ["heard later", "here it is"]


@pytest.mark.usefixtures("echo")
async def test_a_mention_gives_a_card_and_a_click_edits_it(slack: Slack) -> None:
    await slack.alice.types("@ashat push v1")
    await slack.until(lambda: slack.channel("#deployments").cards())
    card = slack.channel("#deployments").card("v1")
    assert await slack.bo.clicks("Go", on=card) == "Sure?\nIt runs."
    await slack.until(lambda: slack.ephemeral(to=slack.bo))
    assert card.fallback == "by bo"
    assert len(card.edits) == 1


@pytest.mark.usefixtures("echo")
async def test_a_modal_with_a_live_select_is_checked_filled_in_and_taken(slack: Slack) -> None:
    await slack.alice.types("/deploy new")
    await slack.until(lambda: slack.workspace.modals)
    with pytest.raises(AssertionError, match="wants 'Update' filled in"):
        await slack.alice.submits(Description="Fixes")
    assert await slack.alice.looks_for("1.3", "Update") == ["v1.3"]
    assert await slack.alice.submits(Update="v1.3", Description="Fix") == {"Description": "Say more"}
    assert await slack.alice.submits(Update="v1.3", Description="Fixes the login") == {}
    await slack.until(lambda: slack.channel("#deployments").messages())
    assert texts(slack.channel("#deployments").messages()) == ["v1.3: Fixes the login"]


@pytest.mark.usefixtures("echo")
async def test_direct_messages_and_the_home_tab(slack: Slack) -> None:
    await slack.bo.types("hello", in_="@ashat")
    await slack.bo.opens_home()
    await slack.until(lambda: slack.dm(slack.bo).messages() and slack.workspace.homes)
    assert texts(slack.dm(slack.bo).messages()) == ["you said hello"]
    assert "Card v1" in str(slack.bo.home.view)


@pytest.mark.usefixtures("echo")
async def test_an_edit_and_another_bot_are_heard_of_as_bolt_hears_of_them(slack: Slack) -> None:
    await slack.bo.types("hello", in_="@ashat")
    await slack.bo.edits(slack.bo.said("@ashat"), "hello again")
    kinds = [payload["event"].get("subtype") for _, payload in slack.delivered]
    assert kinds == [None, "message_changed"]
    await slack.human("ci").types("@ashat push v1")
    assert slack.delivered[-1][1]["event"]["bot_id"] == "B0CI"


# -- HTTP --------------------------------------------------------------------------------------------------------------


async def test_bolt_takes_the_signature_and_refuses_every_other(slack: Slack) -> None:
    async with over_http(slack) as http:
        await slack.alice.types("/deploy status")
        kind, payload = slack.delivered[-1]
        body, content_type = encoded(kind, payload)
        now = int(http.wall())
        for secret, timestamp in (("another", str(now)), (http.secret, str(now - 301))):
            headers = {"Content-Type": content_type, **signed(secret, body, timestamp)}
            status, _, _ = await http.request(body, headers)
            assert status == 401


async def test_an_event_that_fails_is_delivered_again_with_its_number(slack: Slack) -> None:
    seen: list[str | None] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        seen.append(headers.get("x-slack-retry-num"))
        await receive()
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with served(site) as origin:
        slack.by_http(origin)
        with pytest.raises(NotAcknowledged, match="500"):
            await slack.alice.types("@ashat push v1")
        assert seen == [None, "1", "2", "3"]
        with pytest.raises(NotAcknowledged, match="500"):
            await slack.alice.types("/deploy status")
        assert len(seen) == 5, "a command is not tried again"


# -- Socket Mode -------------------------------------------------------------------------------------------------------


async def test_bolt_comes_back_after_a_refresh_and_after_a_cut(slack: Slack) -> None:
    async with over_socket_mode(slack):
        transport = slack.by_socket_mode()
        await slack.links.disconnect("refresh_requested")
        await slack.until(lambda: slack.links.connects >= 2)
        await transport.connected()
        slack.links.cut()
        await slack.until(lambda: slack.links.connects >= 3)
        await transport.connected()
        await slack.alice.types("/deploy status")
        assert texts(slack.ephemeral(to=slack.alice)) == ["heard status"]


async def test_bolt_notices_a_connection_that_is_half_open(slack: Slack) -> None:
    async with over_socket_mode(slack):
        slack.links.go_silent()
        await slack.until(lambda: slack.links.connects >= 2)
        await slack.by_socket_mode().connected()
        await slack.alice.types("/deploy status")
        assert texts(slack.ephemeral(to=slack.alice)) == ["heard status"]


async def test_an_envelope_without_an_ack_goes_to_another_connection() -> None:
    async with Slack(patience=0.3) as slack, over_socket_mode(slack), over_socket_mode(slack):
        assert len(slack.links.open) == 2
        slack.links.open[0].silent = True
        for _ in range(2):
            await slack.bo.types("@ashat push v1")
        envelopes = [e for link in slack.links.open for e in link.sent]
        assert any(e["retry_attempt"] == 1 for e in envelopes)
        await slack.until(lambda: len(slack.channel("#deployments").cards()) == 2)


async def test_nobody_connected_is_told_to_the_person_who_typed() -> None:
    async with Slack(patience=0.1) as slack:
        slack.by_socket_mode()
        with pytest.raises(NotAcknowledged, match="no answer in time"):
            await slack.alice.types("/deploy status")


async def test_while_slack_is_gone_nothing_answers_and_afterwards_bolt_is_back(slack: Slack) -> None:
    async with over_socket_mode(slack), session_client(slack) as client:
        slack.goes_away()
        with pytest.raises(Exception, match=r"(?i)disconnected|reset"):
            await client.chat_postMessage(channel="C0DEPLOY", text="hello")
        await asyncio.sleep(0)
        slack.comes_back()
        before = slack.links.connects
        await slack.until(lambda: slack.links.connects > before)
        await slack.by_socket_mode().connected()
        await client.chat_postMessage(channel="C0DEPLOY", text="hello")
        assert texts(slack.channel("#deployments").messages()) == ["hello"]
