"""The real App with the real Discord adapter in front of the peer, and Slack beside it where a story wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from adapters.discord.platform import DiscordPlatform
from adapters.discord.setup import PATH
from adapters.slack.platform import SlackPlatform
from adapters.slack.setup import Setup as SlackSetup
from bot.app import App, Parts
from bot.audience import Audience
from bot.web import Web
from bot.wiring import policy_of
from core.people import Account, Person
from core.routing import Route
from tests.adapters.discord.world import Mode, setup_of
from tests.bot.support.clock import MovedClock
from tests.bot.support.people import TEAM as NAMED
from tests.bot.support.world import World, running
from tests.discord.peer.discord import Discord, texts
from tests.discord.peer.guilds import GUILD, LABS, Message
from tests.discord.peer.people import Human
from tests.slack.peer.slack import Slack
from tests.slack.peer.workspace import APP, TEAM

_SPINS = 40_000


def team(discord: Discord) -> list[Person]:
    """The tests' people, by their accounts on Discord and on Slack."""
    return [
        replace(one, accounts=(Account("discord", discord.human(one.id).id), Account("slack", f"U0{one.id.upper()}")))
        for one in NAMED
    ]


class DiscordWorld(World):
    """`routes` are addresses of channels that follow every deployment, besides the home channel."""

    def __init__(
        self, discord: Discord, clock: MovedClock, mode: Mode, slack: Slack | None = None, routes: Iterable[str] = (),
        **more: Any,
    ) -> None:  # fmt: skip
        self.discord = discord
        self.slack = slack
        self.mode = mode
        self.web: Web | None = None
        self.platforms: list[DiscordPlatform | SlackPlatform] = []
        self._routes = tuple(Route(address) for address in routes)
        super().__init__(clock=clock, team=team(discord), **more)
        self._nap = 0.0005

    def make_app(self) -> App:
        self.platform = DiscordPlatform(setup_of(self.discord, self.mode), self.clock, lambda host: host == "127.0.0.1")
        self.platforms = [self.platform]
        if self.slack is not None:
            self.platforms.append(SlackPlatform(self._slack_setup(self.slack), self.clock))
        parts = Parts(
            store=self.store, people=self.people, clock=self.clock,
            policy=replace(policy_of(self.settings), routes=self._routes), source=self.alpha, artifacts=self.artifacts,
            agents=self.agents, channels={one.channel.platform: one.channel for one in self.platforms},
            signer=self.signer,
        )  # fmt: skip
        app = App(parts, self.settings, edit_gap=self._edit_gap, kicks=self._kicks)
        view = Audience(app)
        for one in self.platforms:
            ingress = one.open(app.door, view)
            app.attach(one)
            if ingress is not None:
                self.web = Web("127.0.0.1:0", {PATH: ingress})
                app.attach(self.web)
        return app

    def _slack_setup(self, slack: Slack) -> SlackSetup:
        secrets = slack.installation
        return SlackSetup(
            bot_token=SecretStr(secrets.bot_token), app_token=SecretStr(secrets.app_token),
            signing_secret=SecretStr(secrets.signing_secret), team=TEAM, app=APP, home="C0DEPLOY",
            channels=frozenset({"C0DEPLOY"}), mode="socket", api_url=slack.api_url,
        )  # fmt: skip

    async def is_heard(self) -> None:
        """Until Discord reaches the app, and the commands are there."""
        if self.web is not None:
            self.discord.by_http(f"http://127.0.0.1:{self.web.port}{PATH}")
        else:
            await self.discord.connected()
        await self.discord.until(lambda: all(self.discord.commands.all(guild) for guild in (GUILD, LABS)))
        if self.slack is not None:
            await self.slack.by_socket_mode().connected()

    async def is_killed(self) -> None:
        """As `kill -9` ends it: answers, connections and the address it listened on are gone at once."""
        for one in self.platforms:
            one._tasks.abandon()
        await self.crash()
        for one in self.platforms:
            await one.stop()
            await one.close()
        if self.web is not None:
            await self.web.stop()
            self.web = None

    async def is_still(self) -> None:
        for _ in range(_SPINS):
            await asyncio.sleep(self._nap)
            if self.app.reconciler.idle and self.app.notifier.idle and all(one.idle for one in self.platforms):
                return
        raise AssertionError("the bot works without end")

    # -- people --------------------------------------------------------------------------------------------------------

    async def hears(self, who: Human, path: str, /, **options: Any) -> str:
        """They send a command; what they alone are told is given back once everything is still."""
        asked = await who.slash(path, **options)
        await self.is_still()
        return asked.text

    async def reads_mention(self, who: Human, text: str, **more: Any) -> str:
        """They write to the bot where everybody reads; what they are told directly."""
        seen = len(self.discord.dm(who).messages())
        heard = len(self.discord.gateway.reachable)
        assert heard, "nobody is connected"
        await who.says(text, **more)
        await self.discord.until(lambda: len(self.discord.dm(who).messages()) > seen)
        await self.is_still()
        return "\n".join(texts(self.discord.dm(who).messages()[seen:]))

    async def sees_clicked(self, who: Human, label: str, on: Message) -> str:
        """They click it, and say yes where they are asked whether they mean it."""
        asked = await who.clicks(label, on)
        await self.is_still()
        if asked.original is not None and asked.original is not on and f"[{label}]" in asked.original.text:
            await who.clicks(label, on=asked)
            await self.is_still()
        return asked.text

    def its_card(self, id_: str, channel: str = "#deployments") -> Message:
        """The one card of this deployment in the channel."""
        cards = self.discord.channel(channel).cards()
        found = [card for card in cards if _title(card).split(": ")[-1].split(",")[0] == id_]
        assert len(found) == 1, f"{len(found)} cards of {id_}: {[_title(card) for card in cards]}"
        return found[0]

    def reads(self, id_: str, *words: str, channel: str = "#deployments") -> None:
        """Its card says all of it now."""
        text = plain(self.its_card(id_, channel))
        assert not [word for word in words if word not in text], f"{words} are not all in:\n{text}"

    def milestones(self, id_: str, channel: str = "#deployments") -> list[str]:
        """The first line of all that its thread says, in order."""
        return [plain(one).splitlines()[0] for one in self.discord.thread(self.its_card(id_, channel))]


def plain(message: Message) -> str:
    """What a reader sees: without the signs that make headings and that keep typed signs from taking effect."""
    return message.text.replace("\\", "").replace("### ", "").replace("-# ", "").replace("**", "")


def _title(message: Message) -> str:
    return plain(message).splitlines()[0]


@asynccontextmanager
async def live(
    mode: Mode = "gateway", *, configured: bool = True, with_slack: bool = False, routes: Iterable[str] = (),
    **more: Any,
) -> AsyncIterator[DiscordWorld]:  # fmt: skip
    """A bot at work that people reach. What Discord refuses as malformed fails the test at its end."""
    clock = MovedClock()

    def now() -> float:
        return clock.now().timestamp()

    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(Discord(now, wall=now))
        slack = await stack.enter_async_context(Slack(now, wall=now)) if with_slack else None
        made = DiscordWorld(discord, clock, mode, slack, routes, **more)
        world = await stack.enter_async_context(running(made, configured=configured))
        assert isinstance(world, DiscordWorld)
        await world.is_heard()
        yield world
        malformed = [call for call in discord.refusals() if call.error == 50035]
        assert not malformed, f"Discord refused what the app sent: {[(c.route, c.words) for c in malformed]}"
