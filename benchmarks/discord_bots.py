"""`python -m benchmarks.discord_bots ours|noop|insert API GATEWAY TOKEN FOLDER`: a bot on Discord, to be measured.

`noop` and `insert` are discord.py as its manual uses it, and say a fixed text in the way ours answers, in one request.
`insert` keeps a row on disk (SQLite, synchronous=FULL) before. They authorise, look up and decide nothing.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
from pathlib import Path

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner

from adapters.artifacts.memory import MemorySource
from adapters.artifacts.memory import MemoryStore as MemoryArtifacts
from adapters.discord.platform import DiscordPlatform
from adapters.discord.setup import Setup
from adapters.people import SettingsPeople
from adapters.servers.memory import MemoryAgents
from adapters.store.sql import SqlStore
from benchmarks.rig import archive
from bot.app import App, Parts
from bot.audience import Audience
from bot.logs import configure
from bot.settings import Settings
from bot.wiring import SystemClock, policy_of
from core.people import Account, Person
from core.ports import Incoming
from tests.discord.peer.guilds import APP, GUILD

ROOM = "400000000000000001"
ALICE = Account("discord", "300000000000000001")
UPDATE = "v1"


async def ours(api: str, gateway: str, token: str, folder: Path) -> None:
    """The real adapter and a real database; nothing moves by itself, so what is measured is the answer."""
    configure("json", "warning")
    clock, artifacts, source = SystemClock(), MemoryArtifacts(), MemorySource()
    agents = MemoryAgents(clock, artifacts.content)
    agents.public()
    settings = Settings.model_validate({"workflow": {"max_commands_per_minute": 10**9}})
    person = Person("ann", "Ann", frozenset({"viewer", "deployer", "approver", "admin"}), accounts=(ALICE,))
    setup = Setup(
        token=SecretStr(token), application=APP, guilds=frozenset({GUILD}), home=ROOM, channels=frozenset({ROOM}),
        api_url=api, gateway_url=gateway,
    )  # fmt: skip
    platform = DiscordPlatform(setup, clock)
    store = await SqlStore.open(f"sqlite:///{folder / 'ashat.db'}", clock)
    parts = Parts(
        store=store, people=SettingsPeople([person]), clock=clock, policy=policy_of(settings), source=source,
        artifacts=artifacts, agents=agents, channels={"discord": platform.channel},
        signer=CryptoSigner.generate_ed25519(),
    )  # fmt: skip
    app = App(parts, settings)
    source.put(f"{UPDATE}.tar.gz", archive(), clock.now())
    for number, text in enumerate(("configure public http://127.0.0.1:9101 Staging", f"push {UPDATE} 'Measured'")):
        reply = await app.door.answer(Incoming("discord", f"begin-{number}", ALICE, f"discord:{ROOM}", text))
        assert reply.outcome == "done", reply.card.title
    platform.open(app.door, Audience(app))
    await platform.start()
    gc.freeze()  # as `ashat run` does
    await asyncio.Event().wait()


class Plain(discord.Client):
    tree: app_commands.CommandTree[discord.Client]

    async def setup_hook(self) -> None:
        await self.tree.sync(guild=discord.Object(GUILD))


async def theirs(api: str, gateway: str, token: str, folder: Path, *, inserts: bool) -> None:
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = api, yarl.URL(gateway)
    database = sqlite3.connect(folder / "insert.db" if inserts else ":memory:", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE said (at REAL, text TEXT);")
    client = Plain(intents=discord.Intents(guilds=True))
    tree = app_commands.CommandTree(client)
    group = app_commands.Group(name="deploy", description="Deployments")

    @group.command(description="What is under way")
    async def status(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("fixed", ephemeral=True)

    @group.command(description="A remark")
    async def note(interaction: discord.Interaction, id: str, text: str) -> None:  # noqa: A002 - as ours has it
        if inserts:
            database.execute("INSERT INTO said VALUES (unixepoch(), ?)", (f"{id} {text}",))
        await interaction.response.send_message("fixed", ephemeral=True)

    tree.add_command(group, guild=discord.Object(GUILD))

    client.tree = tree
    gc.freeze()
    await client.start(token)


async def main(kind: str, api: str, gateway: str, token: str, folder: Path) -> None:
    if kind == "ours":
        await ours(api, gateway, token, folder)
    else:
        await theirs(api, gateway, token, folder, inserts=kind == "insert")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], Path(sys.argv[5])))
