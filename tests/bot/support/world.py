"""The whole bot on twins: tests say what people, servers, channels and the clock do, and look at what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from securesystemslib.signer import CryptoSigner
from structlog.typing import EventDict

from adapters.artifacts.memory import MemorySource
from adapters.artifacts.memory import MemoryStore as MemoryArtifacts
from adapters.channels.memory import MemoryChannel, Message, Shown
from adapters.servers.memory import MemoryAgents, MemoryMainframe, MemoryOmega, MemoryPublic
from adapters.store.memory import MemoryStore
from adapters.store.sql import SqlStore
from bot.app import App, Parts
from bot.settings import Settings
from bot.wiring import policy_of
from core.people import Account, Person
from core.ports import Change, Store
from core.stages import MOVING, Stage
from core.state import PUBLIC, Deployment, Server, omega
from tests.bot.support.clock import MovedClock
from tests.bot.support.people import HOME, PLATFORM, TEAM, Speaker, people
from tests.contract.updates import product, tar_gz

PUBLIC_URL = "http://127.0.0.1:9101"
OMEGA_URL = "http://127.0.0.1:92{:02}"
POLL = 2.0
QUICK_WORKFLOW: Mapping[str, Any] = {"poll_seconds": POLL, "max_commands_per_minute": 1000}
_GLANCE = 0.005
_SPINS = 100_000
"""Turns of the event loop that work in flight gets; far more than any pass needs."""


class World:
    """`store` may be any store; `regions` are OMEGA's. `start` begins, `crash` ends without a goodbye."""

    def __init__(
        self, store: Store | None = None, *, team: Iterable[Person] = TEAM, regions: Iterable[str] = ("main",),
        clock: MovedClock | None = None, edit_gap: float = 0.0, kicks: bool = True, **workflow: Any,
    ) -> None:  # fmt: skip
        self.clock = clock or MovedClock()
        self.store: Store = store or MemoryStore(self.clock)
        self.people = people(team)
        self.alpha = MemorySource()
        self.artifacts = MemoryArtifacts()
        self.signer = CryptoSigner.generate_ed25519()
        self.agents = MemoryAgents(self.clock, self.artifacts.content, self.signer)
        self.public: MemoryPublic = self.agents.public(PUBLIC_URL)
        self.omegas = {region: self._omega(number, region) for number, region in enumerate(regions, 1)}
        self.chat = MemoryChannel(PLATFORM)
        self.settings = Settings(workflow={**QUICK_WORKFLOW, **workflow})
        self._edit_gap = edit_gap
        self._kicks = kicks
        self._nap = 0.0005 if isinstance(self.store, SqlStore) else 0.0
        self._read: set[int] = set()
        self.log: list[EventDict] = []
        self.app = self.make_app()

    def _omega(self, number: int, region: str) -> MemoryOmega:
        mainframes = [MemoryMainframe(f"{region}-m{n}", f"owner {n}") for n in (1, 2, 3)]
        return self.agents.omega(OMEGA_URL.format(number), f"production-{region}", region, mainframes)

    @property
    def omega(self) -> MemoryOmega:
        """The first region's."""
        return next(iter(self.omegas.values()))

    # -- the program ---------------------------------------------------------------------------------------------------

    def make_app(self) -> App:
        parts = Parts(
            store=self.store, people=self.people, clock=self.clock, policy=policy_of(self.settings),
            source=self.alpha, artifacts=self.artifacts, agents=self.agents, channels={PLATFORM: self.chat},
            signer=self.signer,
        )  # fmt: skip
        return App(parts, self.settings, edit_gap=self._edit_gap, kicks=self._kicks)

    async def configure(self) -> None:
        """Put the servers into the store, as `configure` has done some time ago."""
        at = self.clock.now()
        rows = [Server("public", "main", "staging", PUBLIC_URL, "eve", at, self.public.public_key)]
        rows += [
            Server("omega", region, one.name, one.url, "eve", at, one.public_key) for region, one in self.omegas.items()
        ]
        await self.store.commit(Change(servers=tuple(rows)))

    async def crash(self) -> None:
        """As `kill -9` ends it: at once, wherever it is."""
        app = self.app
        app._scheduler.shutdown(wait=False)
        tasks = [*app._tasks, *(task for _, task in app.reconciler._working.values())]
        tasks += app.notifier._writers.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def restart(self, after: float = 20) -> None:
        """Another process takes over, so many seconds later."""
        self.clock.move(after)
        self.app = self.make_app()
        await self.app.start()

    # -- people --------------------------------------------------------------------------------------------------------

    def speaker(self, name: str) -> Speaker:
        return Speaker(self.app.door, Account(PLATFORM, f"U-{name}"))

    @property
    def alice(self) -> Speaker:
        return self.speaker("alice")

    @property
    def bo(self) -> Speaker:
        return self.speaker("bo")

    @property
    def cy(self) -> Speaker:
        return self.speaker("cy")

    @property
    def eve(self) -> Speaker:
        return self.speaker("eve")

    @property
    def vi(self) -> Speaker:
        return self.speaker("vi")

    # -- ALPHA ---------------------------------------------------------------------------------------------------------

    def ships(self, *ids: str, component: str = "main", level: str = "standard") -> None:
        """Developers put updates onto ALPHA."""
        for id_ in ids:
            content = tar_gz(product(f"{id_} at {self.clock.now()}", component, level))
            self.alpha.put(f"{id_}.tar.gz", content, self.clock.now())

    # -- time ----------------------------------------------------------------------------------------------------------

    async def is_still(self) -> None:
        """Until nobody is at work any more, at this instant."""
        for _ in range(_SPINS):
            await asyncio.sleep(self._nap)
            if self.app.reconciler.idle and self.app.notifier.idle:
                return
        raise AssertionError("the bot works without end")

    async def ticks(self) -> None:
        """One tick of the timer's jobs."""
        self.app.reconciler.kick()
        self.app.notifier.kick()
        await self.is_still()

    async def settles(self, limit: int = 100) -> None:
        """Let time pass until nothing moves by itself."""
        for _ in range(limit):
            await self.ticks()
            if await self.app.at_rest():
                return
            self.clock.move(POLL)
        raise AssertionError(f"no rest after {limit} polls: {await self.stages()}")

    async def settles_servers(self, limit: int = 100) -> None:
        """Let time pass until no deployment moves, whatever channels still wait for."""
        for _ in range(limit):
            await self.ticks()
            if not any(d.stage in MOVING for d in await self.store.active()):
                return
            self.clock.move(POLL)
        raise AssertionError(f"no rest after {limit} polls: {await self.stages()}")

    async def passes(self, seconds: float, step: float = POLL) -> None:
        """Let so much time pass, with a tick each `step`."""
        until = self.clock.now().timestamp() + seconds
        await self.ticks()
        while self.clock.now().timestamp() < until:
            self.clock.move(step)
            await self.ticks()

    async def reaches(self, id_: str, stage: Stage, limit: int = 50) -> None:
        """Let time pass until the deployment is in `stage`."""
        for _ in range(limit):
            await self.ticks()
            if await self.stage(id_) is stage:
                return
            self.clock.move(POLL)
        raise AssertionError(f"{id_} is {await self.stage(id_)}, not {stage}")

    # -- what came of it -----------------------------------------------------------------------------------------------

    async def deployment(self, id_: str) -> Deployment:
        name, _, attempt = id_.partition("#")
        found = await self.store.deployment(name, int(attempt) if attempt else None)
        assert found is not None, f"there is no deployment {id_}"
        return found

    async def stage(self, id_: str) -> Stage:
        return (await self.deployment(id_)).stage

    async def stages(self) -> dict[str, str]:
        return {d.name: d.stage.value for d in (await self.store.history(50)).deployments}

    async def events(self, id_: str) -> list[str]:
        """The kinds of its journal, in order."""
        return [entry.kind for entry in await self.store.journal((await self.deployment(id_)).key)]

    async def counted(self, id_: str) -> Counter[str]:
        return Counter(await self.events(id_))

    async def production_runs(self, id_: str | None, component: str = "main") -> None:
        """Every OMEGA, and every mainframe that is awake, runs exactly that update's bytes."""
        digest = (await self.deployment(id_)).digest if id_ else None
        for one in self.omegas.values():
            state = one.host.component(component)
            assert (state.running if state else None) == digest, f"{one.name} runs {state}"
            for mainframe in one.fleet.mainframes.values():
                if mainframe.is_polling():
                    assert mainframe.runs(component) == digest, f"{mainframe.name} runs something else"

    def slot_is(self, id_: str) -> str | None:
        """How its slot on Public is; None where there never was one."""
        name, _, attempt = id_.partition("#")
        found = self.public.host.slot(f"{name}.{attempt or 1}")
        return found[1].status if found else None

    def took_hold(self) -> list[tuple[str, tuple[object, ...]]]:
        """Everything that took hold on any server."""
        servers = [self.public, *self.omegas.values()]
        return [(f"{server.name} {effect.what}", effect.key) for server in servers for effect in server.effects]

    def nothing_took_hold_twice(self) -> None:
        doubled = [effect for effect, times in Counter(self.took_hold()).items() if times > 1]
        assert not doubled, f"took hold more than once: {doubled}"

    # -- the channel ---------------------------------------------------------------------------------------------------

    def card(self, id_: str) -> Shown:
        """The one card of this deployment."""
        name = id_.removesuffix("#1")
        found = [shown for shown in self.chat.cards if shown.card.title.split(": ")[1].split(",")[0] == name]
        assert len(found) == 1, f"{name} has {len(found)} cards"
        return found[0]

    def shows(self, id_: str, *words: str) -> None:
        """The card says all of it now."""
        text = self.card(id_).text
        missing = [word for word in words if word not in text]
        assert not missing, f"{missing} not in the card of {id_}:\n{text}"

    def thread(self, id_: str) -> list[str]:
        """The titles in its thread, in order; looked at thereby."""
        reference = self.card(id_).reference
        found = [message for message in self.chat.messages if message.thread == reference]
        self._read |= {id(message) for message in found}
        return [message.card.title for message in found]

    def told(self, person: str, words: str) -> Message:
        """The newest direct message or whisper to the person that holds `words`; looked at thereby."""
        return self._looked_at(lambda message: message.person == person and words in message.text, f"{person}: {words}")

    def posted(self, words: str) -> Message:
        """The newest message in a channel, outside threads, that holds `words`; looked at thereby."""
        return self._looked_at(lambda message: message.kind == "post" and words in message.text, words)

    def _looked_at(self, wanted: Callable[[Message], bool], what: str) -> Message:
        found = [message for message in self.chat.messages if wanted(message)]
        assert found, f"nobody was told {what!r}; there is {[message.text for message in self.chat.messages]}"
        self._read |= {id(message) for message in found}
        return found[-1]

    def unread(self) -> list[str]:
        """Messages that no assertion has looked at."""
        return [f"{m.kind} {m.person or ''}: {m.card.title}" for m in self.chat.messages if id(m) not in self._read]


async def until(condition: Callable[[], bool], patience: float = 30.0) -> None:
    """Wait for what the machine does in its own time, at most `patience` seconds of it."""
    for _ in range(int(patience / _GLANCE)):
        if condition():
            return
        await asyncio.sleep(_GLANCE)
    raise AssertionError(f"it did not come true within {patience:g} s")


@asynccontextmanager
async def running(world: World, *, configured: bool = True) -> AsyncIterator[World]:
    """The world with a bot that runs; whatever happens, it is stopped. Its log lines are in `world.log`."""
    with structlog.testing.capture_logs() as entries:
        world.log = entries
        if configured:
            await world.configure()
        await world.app.start()
        try:
            yield world
        finally:
            await world.app.stop()


__all__ = ["HOME", "POLL", "PUBLIC", "World", "omega", "running", "until"]
