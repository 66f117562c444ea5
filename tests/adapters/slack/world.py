"""The whole bot on twins, with Slack as its chat: the real adapter, over real sockets, against the peer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict

from adapters.slack.ingress import PATH
from adapters.slack.platform import SlackPlatform
from adapters.slack.setup import Setup
from bot.app import App, Parts
from bot.audience import Audience
from bot.web import Web
from bot.wiring import policy_of
from core.people import Account, Group, Person, Role, with_viewing
from core.routing import Route
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World
from tests.slack.peer.slack import Slack
from tests.slack.peer.workspace import APP, TEAM

Mode = Literal["socket", "http"]


def _person(name: str, *roles: Role) -> Person:
    key = name.split()[0].lower()
    return Person(key, name, with_viewing(roles), accounts=(Account("slack", f"U0{key.upper()}"),))


PEOPLE = (
    _person("Alice Ng", "deployer"),
    _person("Bo Li", "deployer", "approver"),
    _person("Cy Roe", "approver"),
    _person("Eve Poe", "deployer", "approver", "admin"),
    _person("Vi Day", "viewer"),
    _person("Mo Gast", "deployer", "approver"),
)


def setup_of(slack: Slack, mode: Mode = "http") -> Setup:
    return Setup(
        bot_token=SecretStr(slack.installation.bot_token), app_token=SecretStr(slack.installation.app_token),
        signing_secret=SecretStr(slack.installation.signing_secret), team=TEAM, app=APP, home="C0DEPLOY",
        channels=frozenset({"C0DEPLOY", "C0OPS", "C0SHARED", "C0ATTIC"}), mode=mode, api_url=slack.api_url,
        groups=frozenset({"S0OPS", "S0NONE"}),
    )  # fmt: skip


class SlackWorld(World):
    """`slack` is the workspace and its people; the rest is as in `World`."""

    def __init__(
        self, slack: Slack, clock: MovedClock, mode: Mode, routes: tuple[Route, ...], groups: tuple[Group, ...]
    ) -> None:
        self.slack = slack
        self.platform = SlackPlatform(setup_of(slack, mode), clock, lambda host: host == "127.0.0.1")
        self.web: Web | None = None
        self._routes = routes
        self._groups = groups
        super().__init__(team=PEOPLE, clock=clock)
        self._nap = 0.0005

    async def is_still(self) -> None:
        """Also until what was acknowledged has been answered."""
        await super().is_still()
        while not self.platform.idle:
            await asyncio.sleep(self._nap or 0.0005)
            await super().is_still()

    def make_app(self) -> App:
        parts = Parts(
            store=self.store, people=self.people, clock=self.clock,
            policy=replace(policy_of(self.settings), routes=self._routes),
            source=self.alpha, artifacts=self.artifacts, agents=self.agents,
            channels={"slack": self.platform.channel}, signer=self.signer,
            groups=self._groups, memberships=(self.platform.memberships,),
        )  # fmt: skip
        app = App(parts, self.settings, edit_gap=0.0)
        ingress = self.platform.open(app.door, Audience(app))
        app.attach(self.platform)
        if ingress is not None:
            self.web = Web("127.0.0.1:0", {PATH: ingress})
            app.attach(self.web)
        return app

    @property
    def url(self) -> str:
        assert self.web is not None
        return f"http://127.0.0.1:{self.web.port}{PATH}"


@asynccontextmanager
async def workspace(
    mode: Mode = "http", routes: tuple[Route, ...] = (), groups: tuple[Group, ...] = ()
) -> AsyncIterator[SlackWorld]:
    """Slack and a bot that hears it; whatever happens, both are stopped. Its log lines are in `world.log`."""
    clock = MovedClock()

    def now() -> float:
        return clock.now().timestamp()

    entries: list[EventDict]
    async with Slack(now=now, wall=now, patience=30.0) as slack:
        with structlog.testing.capture_logs() as entries:
            world = SlackWorld(slack, clock, mode, routes, groups)
            world.log = entries
            await world.configure()
            await world.app.start()
            try:
                if mode == "http":
                    slack.by_http(world.url)
                else:
                    await slack.by_socket_mode().connected()
                yield world
            finally:
                await world.app.stop()
