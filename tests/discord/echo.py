"""An unmodified discord.py bot, pointed at the peer: it answers whatever people do, in the simplest way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO
from typing import Any

import discord as library
import yarl
from discord import app_commands, ui
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import GUILD

_OFFERED = ("v1.2", "v1.3", "hotfix-1")


@contextmanager
def pointed(peer: Discord) -> Iterator[None]:
    """All that the library needs to talk to another server."""
    was = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = peer.api_url, yarl.URL(peer.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = was


class Card(ui.LayoutView):
    """A card of an update in Components V2."""

    def __init__(self, words: str) -> None:
        super().__init__(timeout=None)
        box = ui.Container[Any](accent_colour=0x00AA55)
        box.add_item(ui.TextDisplay(words))
        row = ui.ActionRow[Any]()
        row.add_item(Pressed("Approve", "approve"))
        row.add_item(Pressed("Reject", "reject"))
        box.add_item(row)
        self.add_item(box)


class Pressed(ui.Button[Any]):
    def __init__(self, label: str, custom_id: str) -> None:
        super().__init__(label=label, custom_id=custom_id)

    async def callback(self, interaction: library.Interaction) -> None:
        if self.custom_id == "reject":
            await interaction.response.send_modal(Reason())
            return
        await interaction.response.defer()
        await interaction.followup.send(f"{interaction.user.name} approved", ephemeral=True)
        await interaction.edit_original_response(view=Card("approved"))


class Reason(ui.Modal, title="Why"):
    why: ui.TextInput[Reason] = ui.TextInput(label="Reason", max_length=100)

    async def on_submit(self, interaction: library.Interaction) -> None:
        await interaction.response.send_message(f"because {self.why.value}", ephemeral=True)


class Echo(library.Client):
    """`heard` has what reached it, in order."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            intents=library.Intents(guilds=True, guild_messages=True, dm_messages=True),
            allowed_mentions=library.AllowedMentions.none(), guild_ready_timeout=0.05, **more,
        )  # fmt: skip
        self.heard: list[str] = []
        self.resumes = 0
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(_group(self), guild=library.Object(GUILD))

    async def setup_hook(self) -> None:
        self.add_view(Card("any"))
        await self.tree.sync(guild=library.Object(GUILD))

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """The library waits five seconds here before a new session."""

    async def on_message(self, message: library.Message) -> None:
        if message.author != self.user:
            self.heard.append(message.content)

    async def on_resumed(self) -> None:
        self.resumes += 1


def _group(echo: Echo) -> app_commands.Group:
    group = app_commands.Group(name="deploy", description="Deployments")

    @group.command(description="Push an update")
    @app_commands.describe(update="Which", times="How often")
    async def push(interaction: library.Interaction, update: str, times: app_commands.Range[int, 1, 5] = 1) -> None:
        echo.heard.append(f"push {update} {times}")
        await interaction.response.send_message(view=Card(f"{update}: pushed"))

    @push.autocomplete("update")
    async def offered(_: library.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=one, value=one) for one in _OFFERED if one.startswith(typed)]

    @group.command(description="What runs")
    async def status(interaction: library.Interaction) -> None:
        echo.heard.append("status")
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content="nothing is deploying")

    @group.command(description="A long log")
    async def logs(interaction: library.Interaction) -> None:
        await interaction.response.defer()
        await interaction.followup.send("see", file=library.File(BytesIO(b"line\n" * 9000), "log.txt"))

    @group.command(description="Who")
    async def show(interaction: library.Interaction, whom: library.User) -> None:
        await interaction.response.send_message(whom.name, ephemeral=True)

    return group


@asynccontextmanager
async def at_work(peer: Discord, **more: Any) -> AsyncIterator[Echo]:
    """One that is connected."""
    with pointed(peer):
        echo = Echo(**more)
        running = asyncio.create_task(echo.start(peer.token))
        try:
            await peer.until(lambda: peer.gateway.live or running.done())
            await echo.wait_until_ready()
            yield echo
        finally:
            await echo.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
