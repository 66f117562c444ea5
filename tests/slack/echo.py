"""A bare Bolt app, unmodified: it echoes what it hears, as proof that the peer speaks Bolt's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.slack.peer.deliveries import Http
from tests.slack.peer.refused import Json
from tests.slack.peer.slack import Slack


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


CONFIRM: Json = {"title": _plain("Sure?"), "text": _plain("It runs."), "confirm": _plain("Yes"), "deny": _plain("No")}
BUTTON: Json = {"type": "button", "action_id": "go", "value": "v1", "text": _plain("Go"), "confirm": CONFIRM}
CARD: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "Card v1"}},
    {"type": "actions", "elements": [BUTTON]},
]
MODAL: Json = {
    "type": "modal", "callback_id": "new", "title": {"type": "plain_text", "text": "New"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {"type": "input", "block_id": "update", "label": {"type": "plain_text", "text": "Update"},
         "element": {"type": "external_select", "action_id": "updates", "min_query_length": 0}},
        {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Description"},
         "element": {"type": "plain_text_input", "action_id": "words"}},
    ],
}  # fmt: skip


def echo_app(slack: Slack, client: AsyncWebClient) -> AsyncApp:
    app = AsyncApp(client=client, signing_secret=slack.installation.signing_secret)

    @app.command("/deploy")
    async def command(ack: Any, command: Any, client: Any, respond: Any) -> None:
        await ack(f"heard {command['text']}")
        if command["text"] == "new":
            await client.views_open(trigger_id=command["trigger_id"], view=MODAL)
        elif command["text"] == "later":
            await respond("here it is")

    @app.event("app_mention")
    async def mention(event: Any, client: Any) -> None:
        await client.chat_postMessage(channel=event["channel"], text="card", blocks=CARD)

    @app.event("message")
    async def message(event: Any, say: Any) -> None:
        if "bot_id" not in event and "subtype" not in event:
            await say(f"you said {event['text']}")

    @app.action("go")
    async def go(ack: Any, body: Any, client: Any) -> None:
        await ack()
        channel, ts = body["channel"]["id"], body["message"]["ts"]
        await client.chat_update(channel=channel, ts=ts, text=f"by {body['user']['name']}", blocks=[CARD[0]])
        await client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text="Counted")

    @app.options("updates")
    async def options(ack: Any, payload: Any) -> None:
        names = [name for name in ("v1.2", "v1.3") if payload["value"] in name]
        await ack(options=[{"text": {"type": "plain_text", "text": name}, "value": name} for name in names])

    @app.view("new")
    async def view(ack: Any, view: Any, client: Any) -> None:
        words = view["state"]["values"]["why"]["words"]["value"]
        if len(words) < 5:
            await ack(response_action="errors", errors={"why": "Say more"})
            return
        await ack()
        update = view["state"]["values"]["update"]["updates"]["selected_option"]["value"]
        await client.chat_postMessage(channel="C0DEPLOY", text=f"{update}: {words}")

    @app.event("app_home_opened")
    async def home(event: Any, client: Any) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [CARD[0]]})

    return app


@asynccontextmanager
async def session_client(slack: Slack) -> AsyncIterator[AsyncWebClient]:
    """slack_sdk's client, on a session of its own, which is closed."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(slack.installation.bot_token, base_url=slack.api_url, session=session)


@asynccontextmanager
async def over_http(slack: Slack) -> AsyncIterator[Http]:
    """The echo behind uvicorn on a free port."""
    async with session_client(slack) as client:
        app = echo_app(slack, client)
        handler = AsyncSlackRequestHandler(app)

        async def endpoint(request: Request) -> Response:
            return await handler.handle(request)

        site = Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])
        async with served(site) as origin:
            yield slack.by_http(f"{origin}/slack/events")


@asynccontextmanager
async def served(site: Any) -> AsyncIterator[str]:
    """An ASGI program on a free port of loopback, in this loop: its origin."""
    server = uvicorn.Server(uvicorn.Config(site, port=0, log_level="warning", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def over_socket_mode(slack: Slack) -> AsyncIterator[AsyncSocketModeHandler]:
    """The echo, connected."""
    async with session_client(slack) as client:
        handler = AsyncSocketModeHandler(
            echo_app(slack, client), slack.installation.app_token,
            web_client=AsyncWebClient(slack.installation.app_token, base_url=slack.api_url, session=client.session),
            ping_interval=0.2,
        )  # fmt: skip
        transport = slack.by_socket_mode()
        await handler.connect_async()
        try:
            await transport.connected()
            yield handler
        finally:
            await handler.close_async()
