"""Discord as a part of the program: what is built once, started after the bot, and stopped before it."""

from __future__ import annotations

import structlog

from adapters.discord.channel import DiscordChannel
from adapters.discord.desk import Desk
from adapters.discord.drawing import Allows
from adapters.discord.gateway import Gateway, Turn
from adapters.discord.health import Health
from adapters.discord.ingress import Ingress
from adapters.discord.listening import Listening
from adapters.discord.memberships import DiscordMemberships
from adapters.discord.registration import Registration
from adapters.discord.rest import Rest
from adapters.discord.setup import Setup
from adapters.discord.tasks import Tasks
from adapters.discord.view import View
from core.ports import Clock, Door

log = structlog.get_logger("ashat.discord")


class DiscordPlatform:
    """`channel` and `memberships` are there at once; people are heard once `open` and `start` were called."""

    def __init__(self, setup: Setup, clock: Clock, allows: Allows | None = None) -> None:
        self.setup = setup
        self.rest = Rest(setup, clock)
        self.channel = DiscordChannel(self.rest, clock, allows)
        self.memberships = DiscordMemberships(self.rest)
        self._clock = clock
        self._tasks = Tasks()
        self._registration = Registration(self.rest)
        self._listening: Listening | None = None
        self._gateway: Gateway | None = None

    def open(self, door: Door, view: View, turn: Turn | None = None) -> Ingress | None:
        """Give it the door. In HTTP mode the result is what answers at `setup.PATH`.

        `turn`: which of several replicas has the gateway; without it there is no other.
        """
        desk = Desk(self.setup, self.rest, self.channel, door, view, self._tasks)
        self._listening = Listening(self.setup, self.rest, desk, view)
        if self.setup.mode == "http":
            return Ingress(self._listening, self.setup.public_key, self._clock)
        self._gateway = Gateway(
            self.setup, self.rest, self._tasks, self._listening.interaction, self._listening.message,
            self._registration.joined, turn,
        )  # fmt: skip
        return None

    @property
    def health(self) -> Health:
        """How its ear stands: the gateway, or over HTTP always well."""
        return Health("connected") if self._gateway is None else self._gateway.health

    async def start(self) -> None:
        """Returns at once, also while Discord is away: deployments do not wait for it."""
        if self._listening is None:
            raise RuntimeError("open the platform before it is started")
        self._registration.start()
        if self._gateway is not None:
            self._gateway.start()
        log.info("listening to Discord", mode=self.setup.mode, guilds=sorted(self.setup.guilds))

    @property
    def idle(self) -> bool:
        """Whether everything that was acknowledged has been answered."""
        return self._tasks.idle

    async def stop(self) -> None:
        """Hear nothing more, and let the answers that are under way arrive."""
        if self._gateway is not None:
            await self._gateway.stop()
        await self._registration.stop()
        await self._tasks.stop()

    async def close(self) -> None:
        """Nothing more is sent."""
        await self.rest.close()
