"""`ashat run` with Slack and Discord at once: a process between two chats and real servers, killed in the middle."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest
import pytest_asyncio

from core import plain
from demo.cast import Person
from tests.adapters.playground.world import world as playground_world
from tests.discord.peer import guilds
from tests.discord.peer.discord import Discord
from tests.discord.world import plain as unescaped
from tests.faults.fleet import Fleet, fleet
from tests.slack.peer import workspace
from tests.slack.peer.slack import Slack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0
"""Seconds; what is waited for takes a few, on a machine that may be busy."""
HOME = "#deployments"
Platform = Literal["slack", "discord"]
CAST = {
    "alice": Person("Alice Ng", ("deployer", "approver")),
    "bo": Person("Bo Li", ("deployer", "approver")),
    "cy": Person("Cy Roe", ("approver",)),
    "eve": Person("Eve Poe", ("deployer", "approver", "admin")),
    "vi": Person("Vi Day", ("viewer",)),
}
SETTINGS = """\
[ashat]
data = "bot"
key_file = "bot.key.pem"

[alpha]
folder = "alpha"

[workflow]
poll_seconds = 0.1
max_commands_per_minute = 1000
"""
ONCE = {"Pushed", "Voted", "Approved", "LaneTaken", "RegionSwitched", "Completed", "Attested"}
OWN_PUSH = "You pushed {id}. Bo Li, Cy Roe or Eve Poe can approve."
UNVERIFIED = "Not ready for approval: {id} is unverified. `deploy verify {id}`"
VIEWER = "Rollback needs deployer; you are viewer. Ask Alice Ng, Bo Li, Cy Roe or Eve Poe. `deploy whoami`"
UNKNOWN = "There is no deployment v0.0.7. `deploy status` lists what is there"


def settings_of(slack: Slack, discord: Discord) -> str:
    made = SETTINGS
    for name, one in CAST.items():
        accounts = f'slack = "{slack.human(name).id}"\ndiscord = "{discord.human(name).id}"\n'
        shell = "shell = {uid}\n" if name == "eve" else ""
        made += f'\n[people.{name}]\nname = "{one.name}"\nroles = {list(one.roles)}\n{accounts}{shell}'
    home, there = slack.room(HOME).id, discord.room(HOME).id
    made += f'\n[slack]\nteam = "{slack.team}"\napp = "{workspace.APP}"\nhome = "{home}"\napi_url = "{slack.api_url}"\n'
    made += f'\n[discord]\napplication = "{guilds.APP}"\nguilds = ["{guilds.GUILD}"]\nhome = "{there}"\n'
    made += f'api_url = "{discord.api_url}"\ngateway_url = "{discord.gateway_url}"\n'
    return made + f'\n[[routes]]\nchannel = "slack:{home}"\n\n[[routes]]\nchannel = "discord:{there}"\n'


@dataclass
class Chats:
    """The bot's process, with what people see of it on both platforms."""

    slack: Slack
    discord: Discord
    fleet: Fleet

    # -- the process ---------------------------------------------------------------------------------------------------

    async def starts(self) -> None:
        await asyncio.to_thread(self.fleet.start)
        await self.is_heard()

    async def is_heard(self) -> None:
        await self.slack.by_socket_mode().connected(PATIENCE)
        await self.until(lambda: self.discord.gateway.live and self.discord.commands.all(guilds.GUILD))

    def is_killed(self) -> None:
        """At once: nothing else of this test happens between what was before and this."""
        self.fleet.kill()

    async def is_gone(self) -> None:
        """Until both platforms have seen its connections end."""
        await self.until(lambda: not self.slack.links.open and not self.discord.gateway.live)

    async def until(self, condition: Callable[[], object]) -> None:
        await self.slack.until(condition, PATIENCE)

    async def reaches(self, id_: str, stage: str) -> None:
        await asyncio.to_thread(self.fleet.reaches, id_, stage)

    async def serves(self, id_: str) -> None:
        for name in ("omega", "m1", "m2"):
            assert await asyncio.to_thread(self.fleet.serves, name) == f"this is {id_}", name

    # -- what people do and see ----------------------------------------------------------------------------------------

    async def told(self, platform: Platform, who: str, path: str, **options: str) -> str:
        """They send a command; what they alone read then."""
        if platform == "discord":
            asked = await self.discord.human(who).slash(path, **options)
            await self.until(lambda: asked.original is not None and not asked.loading)
            return asked.text.replace("\\", "")
        me = self.slack.human(who)
        seen = len(self.slack.ephemeral(to=me))
        await me.types(" ".join([f"/deploy {path}", *(f"'{value}'" for value in options.values())]))
        await self.until(lambda: len(self.slack.ephemeral(to=me)) > seen)
        return self.slack.ephemeral(to=me)[-1].text

    def cards(self, id_: str) -> tuple[list[workspace.Message], list[guilds.Message]]:
        return (
            [card for card in self.slack.channel(HOME).messages() if _is_of(card.text, id_)],
            [card for card in self.discord.channel(HOME).messages() if _is_of(unescaped(card), id_)],
        )

    async def card(self, id_: str, *words: str) -> tuple[workspace.Message, guilds.Message]:
        """Its one card on each platform, once both say all of it."""

        def texts() -> tuple[list[str], list[str]]:
            there, here = self.cards(id_)
            return [one.text for one in there], [unescaped(one) for one in here]

        def say() -> bool:
            return all(shown and all(word in text for word in words for text in shown) for shown in texts())

        try:
            await self.until(say)
        except AssertionError as error:
            raise AssertionError(f"{words} are not all in {texts()}") from error
        (there,), (here,) = self.cards(id_)
        return there, here

    async def each_milestone_once(self, id_: str) -> None:
        """And the same ones on both platforms, in the same order."""
        await self.until(lambda: {*self.fleet.journal(id_)} >= ONCE and self.fleet.unsent() == 0)
        there, here = await self.card(id_)
        on_slack = [one.text.splitlines()[0] for one in self.slack.thread(there)]
        on_discord = [unescaped(one).splitlines()[0] for one in self.discord.thread(here)]
        assert on_slack == on_discord
        assert on_slack[-1] == f"✅ {id_} is complete"
        assert max(Counter(on_slack).values()) == 1, on_slack
        events = Counter(kind for kind in self.fleet.journal(id_) if kind in ONCE)
        assert max(events.values()) == 1, events

    async def verified(self, id_: str, platform: Platform, who: str = "alice") -> None:
        """Pushed and verified there: it waits for approval."""
        self.fleet.ships(id_)
        assert "Deployment session created" in await self.told(platform, who, "push", id=id_, description="A change")
        await self.reaches(id_, "staged")
        await self.told(platform, who, "verify", id=id_)
        await self.reaches(id_, "awaiting_approval")


def _is_of(text: str, id_: str) -> bool:
    return text.splitlines()[0].split(": ")[-1].split(",")[0] == id_


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chats]:
    """Servers, both platforms and the bot; configured from one of them each."""
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            environment.delenv(name, raising=False)
        slack = await stack.enter_async_context(Slack(patience=30.0))
        discord = await stack.enter_async_context(Discord())
        slack.rates.on = False  # three deployments in a few seconds post more than Slack takes in these
        environment.setenv("ASHAT_SLACK_BOT_TOKEN", slack.installation.bot_token)
        environment.setenv("ASHAT_SLACK_APP_TOKEN", slack.installation.app_token)
        environment.setenv("ASHAT_DISCORD_TOKEN", discord.token)
        servers = fleet(tmp_path_factory.mktemp("chats") / "demo", settings_of(slack, discord))
        made = Chats(slack, discord, await asyncio.to_thread(servers.__enter__))
        stack.push_async_callback(asyncio.to_thread, servers.__exit__, None, None, None)
        await made.starts()
        public, omega = made.fleet.url("public"), made.fleet.url("omega")
        await made.told("slack", "eve", f"configure public {public} Staging")
        await made.told("discord", "eve", "configure", role="omega", url=omega, name="Production", region="eu")
        yield made


# -- one deployment, two chats -----------------------------------------------------------------------------------------


async def test_pushed_on_discord_verified_and_approved_on_slack(chats: Chats) -> None:
    slack, fleet_ = chats.slack, chats.fleet
    fleet_.ships("v1")
    told = await chats.told("discord", "alice", "push", id="v1", description="Fix the login")
    assert "Deployment session created" in told
    there, _ = await chats.card("v1", "Staged", "Fix the login", "Alice Ng")
    await slack.alice.clicks("Verify", on=there)
    await chats.card("v1", "Verification PASSED!")

    await slack.alice.clicks("Approve", on=there)
    own = OWN_PUSH.format(id="v1, also from Discord")
    await chats.until(lambda: any(own in one.text for one in slack.ephemeral(to=slack.alice)))
    assert OWN_PUSH.format(id="v1") in await chats.told("discord", "alice", "approve", id="v1")

    await slack.bo.clicks("Approve", on=there)
    same, _ = await chats.card("v1", "Completed", "Bo Li", "OMEGA eu and 2 of 5 mainframes healthy")
    assert same is there, "it was edited in place"
    await chats.serves("v1")
    await chats.each_milestone_once("v1")


@pytest.mark.parametrize(("platform", "id_"), [("slack", "v2"), ("discord", "v3")])
async def test_killed_between_a_click_and_its_effect(chats: Chats, platform: Platform, id_: str) -> None:
    await chats.verified(id_, "discord" if platform == "slack" else "slack")
    there, here = await chats.card(id_, "Verification PASSED!")
    with chats.fleet.frozen("omega"):  # so that the click cannot have had its effect
        if platform == "slack":
            await chats.slack.bo.clicks("Approve", on=there)
        else:
            asked = await chats.discord.bo.clicks("Approve", on=here)
            await chats.until(lambda: asked.original is not None and not asked.loading)
            await chats.discord.bo.clicks("Approve", on=asked)
        chats.is_killed()
        await chats.is_gone()
    assert chats.fleet.stage(id_) in ("awaiting_approval", "deploying")
    await chats.starts()
    await chats.card(id_, "Completed", "Bo Li", "OMEGA eu and 2 of 5 mainframes healthy")
    await chats.serves(id_)
    await chats.each_milestone_once(id_)


# -- the same sentences everywhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("platform", "id_"), [("slack", "s1"), ("discord", "d1")])
async def test_refusals_in_a_chat(chats: Chats, platform: Platform, id_: str) -> None:
    chats.fleet.ships(id_)
    await chats.told(platform, "alice", "push", id=id_, description="A change")
    await chats.reaches(id_, "staged")
    assert VIEWER in await chats.told(platform, "vi", "rollback", id=id_, reason="It is slow")
    assert UNVERIFIED.format(id=id_) in await chats.told(platform, "bo", "approve", id=id_)
    assert UNKNOWN in await chats.told(platform, "bo", "approve", id="v0.0.7")
    await chats.told(platform, "alice", "verify", id=id_)
    await chats.reaches(id_, "awaiting_approval")
    assert OWN_PUSH.format(id=id_) in await chats.told(platform, "alice", "approve", id=id_)
    await chats.told(platform, "alice", "cancel", id=id_)


async def test_refusals_in_the_playground() -> None:
    id_ = "patch-v1.2.3"
    async with playground_world(cast=CAST) as here:
        origin = here.playground.url.rstrip("/")
        async with httpx.AsyncClient(base_url=origin, headers={"Origin": origin}, trust_env=False, timeout=60) as page:
            await page.post("/session", json={"token": here.playground.link.partition("#")[2]})

            async def told(who: str, text: str) -> str:
                said = {"speaker": who, "delivery": uuid.uuid4().hex, "text": f"deploy {text}"}
                assert (await page.post("/say", json=said)).status_code == 200
                answers = [one for one in here.room.since(0, who, may_look=True) if one.kind == "answer"]
                return "\n".join(plain.lines(answers[-1].card))

            async def shows(words: str) -> None:
                limit = time.monotonic() + PATIENCE
                while not any(words in one.card.title for one in here.room.since(0, "bo", may_look=True)):
                    assert time.monotonic() < limit, words
                    await asyncio.sleep(0.01)

            await told("alice", f"push {id_} 'A change'")
            await shows("Staged")
            assert VIEWER in await told("vi", f"rollback {id_} 'It is slow'")
            assert UNVERIFIED.format(id=id_) in await told("bo", f"approve {id_}")
            assert UNKNOWN in await told("bo", "approve v0.0.7")
            await told("alice", f"verify {id_}")
            await shows("Awaiting approval")
            assert OWN_PUSH.format(id=id_) in await told("alice", f"approve {id_}")


# -- what it takes -----------------------------------------------------------------------------------------------------


async def test_what_a_start_with_both_platforms_takes(chats: Chats) -> None:
    """Printed, not asserted: seconds from the command to "started", and memory once both platforms hear it."""
    chats.is_killed()
    await chats.is_gone()
    bot, took = await asyncio.to_thread(_started, chats.fleet.data / "config.toml")
    try:
        await chats.is_heard()
        resident = await asyncio.to_thread(_resident, bot.pid)
    finally:
        bot.terminate()
        await asyncio.to_thread(bot.communicate)  # it takes its leave of platforms that run here
    print(f"\nstart to listening {took:.2f} s, resident {resident} MiB")
    assert bot.returncode == 0
    await chats.is_gone()


def _started(config: Path) -> tuple[subprocess.Popen[str], float]:
    """The program as people start it, and how many seconds it took to say so."""
    command = [sys.executable, "-c", "from bot.cli import main; main()", "run", "--config", str(config)]
    began = time.monotonic()
    bot = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert bot.stderr is not None
    lines = []
    for line in bot.stderr:
        lines.append(line)
        if '"event": "started"' in line:
            return bot, time.monotonic() - began
    raise AssertionError(f"it ended with {bot.wait()} before its time:\n{''.join(lines)}")


def _resident(pid: int) -> int:
    """MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024
