"""Slack as a part of the program: what is built once, started after the bot, and stopped before it."""

from __future__ import annotations

import asyncio

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from adapters.slack.channel import SlackChannel
from adapters.slack.desk import Desk
from adapters.slack.drawing import Allows
from adapters.slack.home import Home
from adapters.slack.ingress import Ingress
from adapters.slack.listening import Listening
from adapters.slack.memberships import SlackMemberships
from adapters.slack.setup import Setup
from adapters.slack.tasks import Tasks
from adapters.slack.view import View
from adapters.slack.workspace import Workspace
from core.ports import Clock, Door

log = structlog.get_logger("ashat.slack")

_PING = 5.0
"""Seconds between pings of the socket; four without an answer, and a new connection is made."""


class SlackPlatform:
    """`channel` and `memberships` are there at once; people are heard once `open` and `start` were called."""

    def __init__(self, setup: Setup, clock: Clock, allows: Allows | None = None) -> None:
        self.setup = setup
        self.workspace = Workspace(setup, clock)
        self.channel = SlackChannel(self.workspace, clock, allows)
        self.memberships = SlackMemberships(self.workspace)
        self._clock = clock
        self._allows = allows
        self._tasks = Tasks()
        self._listening: Listening | None = None
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None] | None = None

    def open(self, door: Door, view: View) -> Ingress | None:
        """Give it the door. In HTTP mode the result is what answers at `ingress.PATH`."""
        desk = Desk(self.setup, self.workspace, self.channel, door, view, self._tasks)
        home = Home(self.workspace, desk, view, self._allows)
        self._listening = Listening(self.setup, self.workspace, desk, home, view, self._tasks)
        if self.setup.mode == "socket":
            return None
        return Ingress(self._listening.app, self.setup.signing_secret.get_secret_value(), self._clock)

    async def start(self) -> None:
        """Returns at once, also while Slack is away: deployments do not wait for it."""
        if self._listening is None:
            raise RuntimeError("open the platform before it is started")
        if self.setup.mode == "socket":
            self._handler = AsyncSocketModeHandler(
                self._listening.app,
                self.setup.app_token.get_secret_value(),
                web_client=self.workspace.client,
                ping_interval=_PING,
            )
            self._connecting = asyncio.create_task(self._handler.connect_async())
        log.info("listening to Slack", mode=self.setup.mode, team=self.setup.team)

    @property
    def idle(self) -> bool:
        """Whether everything that was acknowledged has been answered."""
        return self._tasks.idle

    async def stop(self) -> None:
        """Hear nothing more, and let the answers that are under way arrive."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._handler is not None:
            await self._handler.close_async()
        await self._tasks.stop()

    async def close(self) -> None:
        """Nothing more is sent."""
        await self.workspace.close()
