"""A whole bot on twins, with a playground that really listens: what the browser tests look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from securesystemslib.signer import CryptoSigner

from adapters.artifacts.memory import MemorySource, MemoryStore
from adapters.people import SettingsPeople
from adapters.playground.personas import PLATFORM, as_players
from adapters.playground.room import Room
from adapters.playground.server import Playground
from adapters.playground.site import Parts
from adapters.servers.memory import MemoryAgents, MemoryMainframe, MemoryOmega, MemoryPublic
from adapters.store.memory import MemoryStore as MemoryRecords
from bot.app import App
from bot.app import Parts as AppParts
from bot.picture import PictureView
from bot.settings import Settings
from bot.settings.sections import Workflow
from bot.wiring import SystemClock, policy_of
from core.people import Account, Person, with_viewing
from core.ports import Incoming
from demo.cast import LICENCES, PEOPLE, REGION
from demo.cast import Person as Member
from demo.updates import archive, updates

HOME = f"{PLATFORM}:deployments"
UPDATES = ("v1.2.2", "patch-v1.2.3", "security-patch-001", "feature-2024-q1", "hotfix-001", "docs-update")


@dataclass(frozen=True)
class World:
    """`public` and `omega` are what tests tell how to behave; people speak through the playground alone."""

    app: App
    room: Room
    playground: Playground
    public: MemoryPublic
    omega: MemoryOmega


def people(cast: Mapping[str, Member] = PEOPLE) -> SettingsPeople:
    """The demo's, or others."""
    members = (Person(key, one.name, with_viewing(one.roles)) for key, one in cast.items())  # type: ignore[arg-type]  # roles are literals there
    return SettingsPeople(as_players(members))


@asynccontextmanager
async def world(configured: bool = True, cast: Mapping[str, Member] = PEOPLE) -> AsyncIterator[World]:
    """A bot that works, until the block ends."""
    clock, signer = SystemClock(), CryptoSigner.generate_ed25519()
    artifacts, source = MemoryStore(), _alpha()
    agents = MemoryAgents(clock, artifacts.content, signer)
    public = agents.public()
    omega = agents.omega(region=REGION, mainframes=_fleet(), online_within=86_400.0)
    settings, everybody, room = Settings(workflow=Workflow(poll_seconds=0.2)), people(cast), Room(HOME, clock)
    records, policy = MemoryRecords(clock), policy_of(settings)
    made = AppParts(records, everybody, clock, policy, source, artifacts, agents, {PLATFORM: room}, signer)
    app = App(made, settings, edit_gap=0.0)
    parts = Parts(room, app.door, everybody, PictureView(app), clock, settings.servers.allows)
    playground = Playground(parts, beside=app.parts.channels, port=0)
    await app.start()
    await playground.start()
    try:
        here = World(app, room, playground, public, omega)
        if configured:
            await _configure(here)
        yield here
    finally:
        await playground.stop()
        await app.stop()


def _alpha() -> MemorySource:
    source = MemorySource()
    now = datetime.now(UTC)
    for age, (name, content) in enumerate(_archives()):
        source.put(name, content, now - timedelta(hours=age))
    return source


@cache
def _archives() -> tuple[tuple[str, bytes], ...]:
    return tuple((f"{one.id}.{one.format}", archive(one)) for one in updates() if one.id in UPDATES)


def _fleet() -> list[MemoryMainframe]:
    now = datetime.now(UTC)
    return [
        MemoryMainframe(name, licence.owner, licence.tier, now + licence.lasts) for name, licence in LICENCES.items()
    ]


async def _configure(here: World) -> None:
    for number, (server, role, more) in enumerate(
        ((here.public, "public", ""), (here.omega, "omega", f" --region {REGION}"))
    ):
        text = f"configure {role} {server.url} {server.name.capitalize()}{more}"
        message = Incoming(PLATFORM, f"configure-{number}", Account(PLATFORM, "eve"), HOME, text)
        await here.app.door.submit(message)
        reply = await here.app.door.answer(message)
        assert reply.outcome == "done", reply.card
