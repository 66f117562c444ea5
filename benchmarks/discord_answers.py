"""From Discord's event to the first answer of a bot, over real sockets: ours beside plain discord.py.

Each bot is a process of its own, before a Discord of its own (the tests' peer) in this one. They take turns, so that a
busy machine is as busy for each. A read is `/deploy status`; a write is `/deploy note`, decided and on disk when it is
answered. Each bot answers in one request.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from benchmarks.discord_bots import ROOM, UPDATE
from benchmarks.table import Row
from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import GUILD
from tests.discord.peer.interactions import COMMAND
from tests.discord.peer.site import Call
from tests.discord.peer.troubles import ANSWER

ALONE = 100
"""Interactions of a round, one at a time."""
MANY = 200
IN_FLIGHT = 16
ROUNDS = 9
PATIENCE = 60.0
_WHY = {
    "status": "Discord, status: the floor says a text that it has at hand. Ours reads the command, judges who asks, "
    "learns from the database that nobody has written since it looked, and draws the answer.",
    "note": "Discord, note: the floor keeps one row, and holds up everybody else until the disk has it. Ours decides, "
    "keeps message, decision, journal and outbox in one commit, and changes threads twice for it. To acknowledge "
    "first takes 1.4 times the floor, and then people wait nearly twice as long for what they asked for.",
}
_WHOLE = 4
"""The type of a first answer that says all; others promise a second one."""
_OPTIONS = {"status": {}, "note": {"id": UPDATE, "text": "measured"}}


@dataclass
class Bench:
    """One bot and its Discord."""

    discord: Discord
    waiting: dict[str, asyncio.Future[float]] = field(default_factory=dict)
    """By the interaction's token: the moment at which it was answered."""

    def told(self, call: Call) -> None:
        if call.route != ANSWER:
            return
        assert (call.error, call.body["type"]) == (None, _WHOLE), call.words
        self.waiting.pop(call.path.split("/")[3]).set_result(time.perf_counter())

    async def connected(self) -> None:
        await self.discord.until(lambda: self.discord.gateway.live and self.discord.commands.all(GUILD))
        self.discord.site.watch = self.told

    async def ask(self, what: str) -> float:
        """Seconds from the event to its answer."""
        discord = self.discord
        room = discord.state.channels[ROOM]
        data = discord.alice._command(room, what, _OPTIONS[what], None)
        one = discord.state.interaction(COMMAND, discord.alice.id, room, data)
        answered = self.waiting[one.token] = asyncio.get_running_loop().create_future()
        payload = discord.payloads.interaction(one)
        begun = time.perf_counter()
        await discord.gateway.dispatch("INTERACTION_CREATE", payload)
        async with asyncio.timeout(PATIENCE):
            return await answered - begun

    async def alone(self, what: str) -> list[float]:
        return [await self.ask(what) for _ in range(ALONE)]

    async def many(self, what: str) -> float:
        """Seconds an interaction."""
        left = iter(range(MANY))

        async def asks() -> None:
            for _ in left:
                await self.ask(what)

        begun = time.perf_counter()
        await asyncio.gather(*(asks() for _ in range(IN_FLIGHT)))
        return (time.perf_counter() - begun) / MANY


@asynccontextmanager
async def bot(kind: str, folder: Path) -> AsyncIterator[Bench]:
    """A process, ended when this does."""
    async with Discord() as discord:
        discord.rates.on = False
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.discord_bots", kind, discord.api_url, discord.gateway_url, discord.token,
            str(folder),
        )  # fmt: skip
        try:
            made = Bench(discord)
            await made.connected()
            yield made
        finally:
            process.terminate()
            await process.wait()


@dataclass
class Found:
    """Milliseconds."""

    p50: float
    p99: float
    each: float


async def compared(ours: Bench, floor: Bench, what: str) -> tuple[Found, Found]:
    """Round by round in turns, after one that warms up; the median of the rounds."""
    both = (ours, floor)
    for one in both:
        await one.alone(what)
        await one.many(what)
    alone: list[list[list[float]]] = [[], []]
    many: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for number, one in enumerate(both):
            alone[number].append(sorted(await one.alone(what)))
            many[number].append(await one.many(what))
    made = [
        Found(
            median(median(one) for one in rounds) * 1000,
            median(quantiles(one, n=100)[98] for one in rounds) * 1000,
            median(times) * 1000,
        )
        for rounds, times in zip(alone, many, strict=True)
    ]
    return made[0], made[1]


async def measure() -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            bots = {kind: await stack.enter_async_context(bot(kind, Path(name))) for kind in ("ours", "noop", "insert")}
            for what, kind, against in (
                ("status", "noop", "no-op discord.py bot"),
                ("note", "insert", "the same with a fsynced insert"),
            ):
                ours, floor = await compared(bots["ours"], bots[kind], what)
                named = f"Discord: {what}"
                rows += [
                    Row(f"{named}, dispatch to callback, p50", ours.p50, floor.p50, "ms", against, "≤ 1.5", _WHY[what]),
                    Row(f"{named}, dispatch to callback, p99", ours.p99, floor.p99, "ms", against, "≤ 1.5", _WHY[what]),
                    Row(
                        f"{named}, {IN_FLIGHT} in flight, {1000 / ours.each:,.0f}/s",
                        ours.each, floor.each, "ms", against, "≤ 1.5", _WHY[what],
                    ),
                ]  # fmt: skip
    return rows
