"""The real App with the real Slack adapter, in front of the Slack peer; servers and the clock are twins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

from pydantic import SecretStr

from adapters.slack.ingress import PATH
from adapters.slack.platform import SlackPlatform
from adapters.slack.setup import Setup
from bot.app import App, Parts
from bot.audience import Audience
from bot.web import Web
from bot.wiring import policy_of
from core.people import Person
from core.routing import Route
from tests.bot.support.clock import MovedClock
from tests.bot.support.people import TEAM as NAMED
from tests.bot.support.people import person
from tests.bot.support.world import World, running
from tests.slack.peer.people import Human
from tests.slack.peer.slack import Slack
from tests.slack.peer.workspace import APP, TEAM, Message

Mode = Literal["http", "socket"]
_LISTED = frozenset({"C0DEPLOY", "C0OPS", "C0SHARED"})
_SPINS = 40_000


def team(listed: Iterable[str] = ()) -> list[Person]:
    """The tests' people, by their accounts in the peer's workspace; and who is `listed` beside them, as deployers."""
    everybody = [*NAMED, *(person(name.capitalize(), "deployer", "approver") for name in listed)]
    accounts = {
        one.id: [replace(a, platform="slack", id=f"U0{one.id.upper()}") for a in one.accounts] for one in everybody
    }
    return [replace(one, accounts=tuple(accounts[one.id])) for one in everybody]


class SlackWorld(World):
    """`routes` are subscriptions of channels besides the home channel, by id; `listed` are more people in settings."""

    def __init__(
        self, slack: Slack, clock: MovedClock, mode: Mode, routes: Iterable[str] = (), listed: Iterable[str] = (),
        **more: Any,
    ) -> None:  # fmt: skip
        self.slack = slack
        self.mode = mode
        self.web: Web | None = None
        self._routes = tuple(Route(f"slack:{channel}") for channel in routes)
        super().__init__(clock=clock, team=team(listed), **more)
        self._nap = 0.0005

    def make_app(self) -> App:
        secrets = self.slack.installation
        setup = Setup(
            bot_token=SecretStr(secrets.bot_token), app_token=SecretStr(secrets.app_token),
            signing_secret=SecretStr(secrets.signing_secret), team=TEAM,
            app=APP, home="C0DEPLOY", channels=_LISTED, mode=self.mode, api_url=self.slack.api_url,
        )  # fmt: skip
        self.platform = platform = SlackPlatform(setup, self.clock, lambda host: host == "127.0.0.1")
        policy = replace(policy_of(self.settings), routes=self._routes)
        parts = Parts(
            store=self.store, people=self.people, clock=self.clock, policy=policy, source=self.alpha,
            artifacts=self.artifacts, agents=self.agents, channels={"slack": platform.channel}, signer=self.signer,
        )  # fmt: skip
        app = App(parts, self.settings, edit_gap=self._edit_gap, kicks=self._kicks)
        ingress = platform.open(app.door, Audience(app))
        app.attach(platform)
        if ingress is not None:
            self.web = Web("127.0.0.1:0", {PATH: ingress})
            app.attach(self.web)
        return app

    async def is_heard(self) -> None:
        """Until Slack reaches the app."""
        if self.web is not None:
            self.slack.by_http(f"http://127.0.0.1:{self.web.port}{PATH}")
        else:
            await self.slack.by_socket_mode().connected()

    async def is_killed(self) -> None:
        """As `kill -9` ends it: answers, connections and the address it listened on are gone at once."""
        self.platform._tasks.abandon()
        await self.crash()
        await self.platform.stop()
        await self.platform.close()
        if self.web is not None:
            await self.web.stop()
            self.web = None

    async def is_still(self) -> None:
        for _ in range(_SPINS):
            await asyncio.sleep(self._nap)
            if self.app.reconciler.idle and self.app.notifier.idle and self.platform.idle:
                return
        raise AssertionError("the bot works without end")

    async def hears(self, who: Human, text: str, in_: str = "#deployments", **more: Any) -> str:
        """They type it; what they alone are told is given back once everything is still."""
        seen = self.private(who)
        await who.types(text, in_, **more)
        await self.is_still()
        return "\n".join(self.private(who)[len(seen) :])

    async def sees_clicked(self, who: Human, label: str, on: Message) -> str:
        """They click it; likewise."""
        seen = self.private(who)
        await who.clicks(label, on)
        await self.is_still()
        return "\n".join(self.private(who)[len(seen) :])

    def private(self, who: Human) -> list[str]:
        """All that only they can read, the oldest first."""
        mine = {self.slack.workspace.direct(who.id).id}
        found = [
            m for m in self.slack.workspace.messages
            if m.to == who.id or (m.channel in mine and m.user != who.id and not m.deleted)
        ]  # fmt: skip
        return [m.text for m in found]

    def its_card(self, id_: str, channel: str = "#deployments") -> Message:
        """The one card of this deployment in the channel."""
        cards = self.slack.channel(channel).cards()
        found = [card for card in cards if card.text.splitlines()[0].split(": ")[-1].split(",")[0] == id_]
        assert len(found) == 1, f"{len(found)} cards of {id_}: {[card.text.splitlines()[0] for card in cards]}"
        return found[0]

    def reads(self, id_: str, *words: str, channel: str = "#deployments") -> None:
        """Its card says all of it now."""
        text = self.its_card(id_, channel).text
        assert not [word for word in words if word not in text], f"{words} are not all in:\n{text}"


@asynccontextmanager
async def live(mode: Mode, *, configured: bool = True, patience: float = 3.0, **more: Any) -> AsyncIterator[SlackWorld]:
    """A bot at work that Slack reaches. What Slack refuses as malformed fails the test at its end."""
    clock = MovedClock()

    def now() -> float:
        return clock.now().timestamp()

    async with Slack(now, wall=now, patience=patience) as slack:
        async with running(SlackWorld(slack, clock, mode, **more), configured=configured) as world:
            assert isinstance(world, SlackWorld)
            await world.is_heard()
            yield world
        malformed = [call for call in slack.refusals() if str(call.error).startswith(("invalid", "no_text", "msg_"))]
        assert not malformed, f"Slack refused what the app sent: {malformed}"
