"""A bot on a real database, with its servers and ALPHA in memory: what is measured is the bot."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from adapters.artifacts.memory import MemorySource
from adapters.artifacts.memory import MemoryStore as MemoryArtifacts
from adapters.people import SettingsPeople
from adapters.servers.memory import MemoryAgents, MemoryPublic
from adapters.store.sql import SqlStore
from bot.app import App, Parts
from bot.settings import Settings
from bot.wiring import SystemClock, policy_of
from core.people import Account, Person
from core.ports import Incoming, Reply

MANIFEST = b'component = "web"\n[run]\nstart = ["python3", "main.py"]\n'
PERSON = Person("ann", "Ann", frozenset({"viewer", "deployer", "approver", "admin"}), accounts=(Account("bench", "1"),))


def archive() -> bytes:
    """The smallest update there is."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("release.toml")
        info.size = len(MANIFEST)
        tar.addfile(info, io.BytesIO(MANIFEST))
    return out.getvalue()


class Rig:
    def __init__(self, app: App, source: MemorySource, public: MemoryPublic) -> None:
        self.app = app
        self.source = source
        self.public = public
        self._prefix = secrets.token_hex(4)  # a database that is opened again has the messages of before
        self._count = 0

    async def say(self, text: str) -> Reply:
        """One command, from the message to the reply: both and the decision become durable in one transaction."""
        self._count += 1
        message = Incoming("bench", f"{self._prefix}{self._count}", PERSON.accounts[0], "bench:room", text)
        return await self.app.door.answer(message)

    async def push(self, id: str) -> None:  # noqa: A002 - the word of the domain
        self.source.put(f"{id}.tar.gz", archive(), SystemClock().now())
        reply = await self.say(f"push {id} 'A change to be measured'")
        assert reply.outcome == "done", reply.card.title


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A bot that is not started: commands are decided and committed, and nothing moves by itself."""
    clock, artifacts, source = SystemClock(), MemoryArtifacts(), MemorySource()
    agents = MemoryAgents(clock, artifacts.content)
    public = agents.public()
    settings = Settings.model_validate({"workflow": {"max_active_per_person": 10**9, "max_commands_per_minute": 10**9}})
    store = await SqlStore.open(f"sqlite:///{folder / 'ashat.db'}", clock)
    parts = Parts(
        store=store, people=SettingsPeople([PERSON]), clock=clock, policy=policy_of(settings), source=source,
        artifacts=artifacts, agents=agents, channels={}, signer=CryptoSigner.generate_ed25519(),
    )  # fmt: skip
    bench = Rig(App(parts, settings), source, public)
    try:
        await bench.say("configure public http://127.0.0.1:9101 Staging")
        yield bench
    finally:
        await store.close()
