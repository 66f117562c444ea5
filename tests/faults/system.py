"""Whole journeys on real servers while requests are cut and processes are killed; each has one right end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from math import inf
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx

from adapters.shell.client import NoBot
from tests.faults.cutting import SILENT, WAYS, Flaky, Rule, Script, Way, proxied
from tests.faults.ground import SERVERS, Ground, ground
from tests.faults.journey import STEPS, Bot, Journey, Nursery, begin
from tests.faults.tally import Tally

ASKED: dict[str, tuple[tuple[str, str], ...]] = {
    "push": (
        ("public", "HEAD artifacts"),
        ("public", "PATCH artifacts"),
        ("public", "PUT slots"),
        ("public", "GET state"),
        ("omega", "GET mainframes"),
    ),
    "verify": (("public", "PUT verifications"), ("public", "GET verifications"), ("public", "GET state")),
    "approve": (
        ("omega", "GET state"),
        ("omega", "HEAD artifacts"),
        ("omega", "PATCH artifacts"),
        ("omega", "PUT desired"),
        ("omega", "PUT distributions"),
        ("public", "PUT desired"),
    ),
    "rollback": (
        ("omega", "GET state"),
        ("omega", "PUT desired"),
        ("omega", "PUT distributions"),
        ("public", "HEAD artifacts"),
        ("public", "PUT desired"),
        ("public", "DELETE slots"),
    ),
}
"""What a bot asks of whom in each step."""
REPORTED = (("m1", "POST poll"), ("m2", "POST receipts"), ("m1", "GET artifacts"), ("m2", "POST poll"))
"""What mainframes ask of OMEGA."""
_numbers = count(1)


@dataclass(frozen=True)
class System:
    """The servers, with bots that have a component each."""

    ground: Ground
    bots: tuple[Bot, ...]

    def rules(self, bot: Bot, rule: Rule) -> None:
        """What happens to this bot's requests."""
        for proxy in bot.proxies.values():
            proxy.rule = rule

    async def audit(self, tally: Tally) -> None:
        """Every journal is whole. The bots end."""
        for bot in self.bots:
            await bot.kill()
            for fault in await bot.audited():
                tally.fault(f"{bot.component}: {fault}")


def _passes(place: str, label: str) -> None:
    """Nothing is cut."""


@asynccontextmanager
async def system(data: Path, *components: str) -> AsyncIterator[System]:
    nursery = Nursery(data.with_suffix(".bots.log"))
    try:
        async with ground(data, _passes) as made, AsyncExitStack() as running:
            ways = [(name, made.places[name].url) for name in ("public", "omega")]
            bots = []
            for component in components:
                proxies = await running.enter_async_context(proxied(ways, _passes))
                home = made.data / f"bot-{component}"
                bots.append(Bot(made, nursery, component, home, made.data / f"{component}.toml", proxies))
                running.push_async_callback(bots[-1].kill)
            await asyncio.gather(*map(begin, bots))
            yield System(made, tuple(bots))
    finally:
        nursery.end()


# -- cut ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cuts:
    """In each step the request with this number fails so, and so does one of a mainframe's."""

    number: int
    way: Way


def every_cut() -> list[Cuts]:
    """Each request of every step, each way."""
    return [Cuts(number, way) for number in range(max(map(len, ASKED.values()))) for way in WAYS]


async def cut_journeys(on: System, cases: Iterable[Cuts], seconds: float = inf) -> Tally:
    """A journey for each case."""
    tally = Tally("journey, one request a step cut")
    uplinks = Script()
    for proxy in on.ground.uplinks.values():
        proxy.rule = uplinks
    cut = 0

    async def play(bot: Bot, case: Cuts) -> None:
        nonlocal cut
        script = Script()
        on.rules(bot, script)

        def before(step: str) -> None:
            if case.number < len(ASKED[step]):
                script.once(*ASKED[step][case.number], case.way)
            if case.way not in SILENT:
                uplinks.once(*REPORTED[case.number % len(REPORTED)], case.way)

        try:
            await Journey(bot, _fresh(), patience=20.0).play(before)
        finally:
            cut += len(script.cut)
            on.rules(bot, _passes)

    await _shared(on, tally, cases, play, seconds)
    for proxy in on.ground.uplinks.values():
        proxy.rule = _passes
    return tally.ends(f"{cut + len(uplinks.cut)} requests cut")


async def flaky_journeys(on: System, rounds: int, probability: float, seed: int, seconds: float = inf) -> Tally:
    """Everything fails now and then, in every way: what bots ask of servers, and mainframes of OMEGA."""
    tally = Tally(f"journey, each request failing with p = {probability:g}")
    flaky = Flaky(probability, Random(seed))
    for proxy in on.ground.uplinks.values():
        proxy.rule = flaky

    async def play(bot: Bot, _number: int) -> None:
        on.rules(bot, flaky)
        try:
            await Journey(bot, _fresh(), patience=60.0).play()
        finally:
            on.rules(bot, _passes)

    await _shared(on, tally, range(rounds), play, seconds)
    for proxy in on.ground.uplinks.values():
        proxy.rule = _passes
    return tally.ends(f"{flaky.cut} of {flaky.asked} requests")


# -- killed ------------------------------------------------------------------------------------------------------------

VICTIMS = ("bot", *SERVERS)


@dataclass(frozen=True)
class Kill:
    """Who is killed, seconds after the step's command. `whole`: with all that it runs, as when a host goes down."""

    victim: str
    after: float
    whole: bool


def seeded_kills(random: Random) -> Iterator[dict[str, Kill]]:
    """One in each step of a journey; everybody is killed in every step sooner or later."""
    for turn in count(random.randrange(len(VICTIMS))):
        yield {
            step: Kill(VICTIMS[(turn + number) % len(VICTIMS)], random.uniform(0, 0.5) ** 2 * 3, random.random() < 0.3)
            for number, step in enumerate(STEPS)
        }


async def killed_journeys(on: System, plans: Iterable[dict[str, Kill]], seconds: float = inf) -> Tally:
    """In every step somebody is killed and started again. One journey at a time: the servers are everybody's."""
    tally = Tally("journey, kill -9 of somebody in each step")
    killed: Counter[str] = Counter()

    async def play(bot: Bot, plan: dict[str, Kill]) -> None:
        journey = Journey(bot, _fresh(), patience=60.0)
        bot.ships(journey.id)
        for step, kill in plan.items():
            killed[kill.victim] += 1
            await _said_and_killed(journey, step, kill)
            await journey.arrives(step)
        await journey.ended()

    await _shared(System(on.ground, on.bots[:1]), tally, plans, play, seconds)
    return tally.ends(", ".join(f"{name} {times}" for name, times in sorted(killed.items())))


async def _said_and_killed(journey: Journey, step: str, kill: Kill) -> None:
    bot, on = journey.bot, journey.bot.ground
    saying = asyncio.create_task(bot.says(*journey.words(step)))
    await asyncio.sleep(kill.after)
    if kill.victim == "bot":
        await bot.kill()
        (answer,) = await asyncio.gather(saying, return_exceptions=True)
        await bot.start()
        if isinstance(answer, NoBot):
            await bot.says(*journey.words(step))  # who has no answer says it again
        else:
            assert not isinstance(answer, BaseException), answer
    else:
        on.kill(kill.victim)
        on.launch(kill.victim, tied=kill.whole)
        await on.answers(kill.victim)
        await saying


def _fresh() -> str:
    return f"v{next(_numbers)}"


Case = TypeVar("Case")


async def _shared(
    on: System, tally: Tally, cases: Iterable[Case], play: Callable[[Bot, Case], Awaitable[None]], seconds: float
) -> None:
    """All cases, whichever bot is free; none is begun after `seconds`. A bot that has not come to the end stops."""
    waiting, limit = iter(cases), time.monotonic() + seconds

    async def work(bot: Bot) -> None:
        for case in waiting:
            try:
                await play(bot, case)
            except (AssertionError, NoBot, httpx.HTTPError) as error:
                tally.fault(f"{case}: {type(error).__name__} {error}")
                return
            tally.held_well()
            if time.monotonic() > limit:
                return

    await asyncio.gather(*(work(bot) for bot in on.bots))
