"""The whole bot on twins, with Discord as its chat: the real adapter, over real sockets, against the peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict

from adapters.discord.platform import DiscordPlatform
from adapters.discord.setup import PATH, Setup
from bot.app import App, Parts
from bot.audience import Audience
from bot.web import Web
from bot.wiring import policy_of
from core.people import Account, Group, Person, Role, with_viewing
from core.routing import Route
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World
from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import APP, GUILD, LABS

Mode = Literal["gateway", "http"]
CHANNELS = ("#deployments", "#ops", "#experiments")


def setup_of(discord: Discord, mode: Mode = "gateway", **given: Any) -> Setup:
    ids = {name: discord.room(name).id for name in CHANNELS}
    return Setup(
        token=SecretStr(discord.token), application=APP, guilds=frozenset({GUILD, LABS}), home=ids["#deployments"],
        channels=frozenset(ids.values()), mode=mode, public_key=discord.public_key, api_url=discord.api_url,
        gateway_url=discord.gateway_url, **{"backoff": 0.02, "longest": 0.2, **given},
    )  # fmt: skip


def team(discord: Discord) -> tuple[Person, ...]:
    def person(name: str, real: str, *roles: Role) -> Person:
        return Person(name, real, with_viewing(roles), accounts=(Account("discord", discord.human(name).id),))

    return (
        person("alice", "Alice Ng", "deployer"),
        person("bo", "Bo Li", "deployer", "approver"),
        person("cy", "Cy Roe", "approver"),
        person("eve", "Eve Poe", "deployer", "approver", "admin"),
        person("vi", "Vi Day", "viewer"),
    )


class DiscordWorld(World):
    """`discord` is the servers and their people; the rest is as in `World`."""

    def __init__(
        self, discord: Discord, clock: MovedClock, setup: Setup, routes: tuple[Route, ...], groups: tuple[Group, ...]
    ) -> None:
        self.discord = discord
        self.platform = DiscordPlatform(setup, clock, lambda host: host == "127.0.0.1")
        self.web: Web | None = None
        self._routes = routes
        self._groups = groups
        super().__init__(team=team(discord), clock=clock)
        self._nap = 0.0005

    def make_app(self) -> App:
        parts = Parts(
            store=self.store, people=self.people, clock=self.clock,
            policy=replace(policy_of(self.settings), routes=self._routes),
            source=self.alpha, artifacts=self.artifacts, agents=self.agents,
            channels={"discord": self.platform.channel}, signer=self.signer, groups=self._groups,
            memberships=[self.platform.memberships],
        )  # fmt: skip
        app = App(parts, self.settings, edit_gap=0.0)
        self.view = Audience(app)
        ingress = self.platform.open(app.door, self.view)
        app.attach(self.platform)
        if ingress is not None:
            self.web = Web("127.0.0.1:0", {PATH: ingress})
            app.attach(self.web)
        return app

    @property
    def url(self) -> str:
        assert self.web is not None
        return f"http://127.0.0.1:{self.web.port}{PATH}"

    async def registered(self) -> None:
        """Until each listed server has the slash command."""
        commands = self.discord.commands
        await self.discord.until(lambda: all(commands.all(guild) for guild in (GUILD, LABS)))


@asynccontextmanager
async def servers(
    mode: Mode = "gateway", routes: tuple[Route, ...] = (), groups: tuple[Group, ...] = (), **given: Any
) -> AsyncIterator[DiscordWorld]:
    """Discord and a bot that hears it; whatever happens, both are stopped. Its log lines are in `world.log`."""
    named = frozenset(place for group in groups for _, place in group.places)
    clock = MovedClock()

    def now() -> float:
        return clock.now().timestamp()

    entries: list[EventDict]
    async with Discord(now=now, wall=now) as discord:
        with structlog.testing.capture_logs() as entries:
            world = DiscordWorld(discord, clock, setup_of(discord, mode, groups=named, **given), routes, groups)
            world.log = entries
            await world.configure()
            await world.app.start()
            try:
                if mode == "http":
                    await discord.by_http(world.url).is_saved()
                else:
                    await discord.connected()
                await world.registered()
                yield world
            finally:
                await world.app.stop()
