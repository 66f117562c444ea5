"""`python -m benchmarks.slack_served bot|acks|inserts|echo|api FOLDER`: serves, and says its port in the first line.

`bot` is Ashat, with all that it does after an ack; `acks` and `inserts` are bare Bolt apps; `api` stands for Slack.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import uvicorn
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from benchmarks.slack_typed import CHANNEL, SECRET, TEAM, USER

PATH = "/slack/events"
API = "ASHAT_BENCH_SLACK_API"
"""Where the bot finds what stands for Slack."""


async def api(_: Path) -> ASGIApp:
    """Says yes to everything at once: Slack's own time is not the bot's."""
    answer = {
        "ok": True, "ts": "1.000001", "team_id": TEAM, "user_id": "U0ASHAT", "bot_id": "B0ASHAT", "messages": [],
        "user": {"id": USER, "team_id": TEAM}, "channel": {"id": CHANNEL, "name": "deployments", "is_member": True},
    }  # fmt: skip

    answered, another = 0, asyncio.Condition()

    async def respond(_: Request) -> Response:
        nonlocal answered
        async with another:
            answered += 1
            another.notify_all()
        return Response("ok")

    async def count(request: Request) -> Response:
        """How many, once there are so many."""
        async with another:
            await another.wait_for(lambda: answered >= request.path_params["least"])
        return Response(str(answered))

    async def said(_: Request) -> Response:
        return JSONResponse(answer)

    rest = Route("/{path:path}", said, methods=["GET", "POST"])
    return Starlette(routes=[Route("/respond", respond, methods=["POST"]), Route("/answered/{least:int}", count), rest])


async def echo(_: Path) -> ASGIApp:
    async def said(request: Request) -> Response:
        return Response(await request.body())

    return Starlette(routes=[Route(PATH, said, methods=["POST"])])


async def acks(_: Path) -> ASGIApp:
    return _bolt(lambda body: None)


async def inserts(folder: Path) -> ASGIApp:
    c = sqlite3.connect(folder / "inserts.db", isolation_level=None)
    c.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE inbox (id TEXT PRIMARY KEY, t TEXT)"
    )
    return _bolt(lambda body: c.execute("INSERT INTO inbox VALUES (?, ?)", (body["trigger_id"], body["text"])))


def _bolt(before: Any) -> ASGIApp:
    """Bolt at its fastest: the ack does not wait for its polling, and `auth.test` is never called."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_token="xoxb-1")

    app = AsyncApp(signing_secret=SECRET, authorize=authorize, process_before_response=True)

    @app.command("/deploy")
    async def deploy(ack: AsyncAck, body: dict[str, Any]) -> None:
        before(body)
        await ack()

    handler: ASGIApp = AsyncSlackRequestHandler(app, path=PATH)
    return handler


async def bot(folder: Path) -> ASGIApp:
    from benchmarks.slack_bot import running

    return await running(folder, os.environ[API])


KINDS = {"api": api, "echo": echo, "acks": acks, "inserts": inserts, "bot": bot}


async def main(kind: str, folder: Path) -> None:
    """All with the server that the bot has, with its settings, and at rest as `ashat run` is."""
    app = await KINDS[kind](folder)
    gc.freeze()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, interface="asgi3", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
    )  # fmt: skip
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
