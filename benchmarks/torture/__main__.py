"""`make torture`: every fault, many times, one table; exit status 1 where anything did not hold.

`MINUTES=` says how long it may take (8); `SEED=` makes it do the same again. A part with real processes begins nothing
new once its share of the time is over, so the table says how much was tried.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import httpx

from benchmarks.torture import texts
from benchmarks.torture.budget import Budget
from benchmarks.torture.table import render
from bot.logs import configure
from demo.cast import ROUTES
from tests.agent.kills import POINTS
from tests.faults import twins
from tests.faults.system import cut_journeys, every_cut, flaky_journeys, killed_journeys, seeded_kills, system
from tests.faults.tally import Tally
from tests.faults.test_twins import filled_up


def disks(budget: Budget, folder: Path) -> Tally:
    tally = Tally("bot, its disk full")
    random = Random(budget.seed)
    for number in range(budget.times(4)):
        place = folder / f"full-{number}"
        place.mkdir()
        try:
            said = filled_up(place, random.randrange(1, 120_000))
            assert "well again" in said, said
        except AssertionError as error:
            tally.fault(str(error))
        else:
            tally.held_well()
    return tally.ends("told, then well again")


async def agents_killed(budget: Budget, folder: Path) -> Tally:
    """`kill -9` of an agent in the middle of each thing that it does, at other moments each time round."""
    tally, random = Tally("agent, kill -9 in each of its acts"), Random(budget.seed)
    limit = time.monotonic() + budget.seconds(0.1)
    rounds = itertools.count()
    while time.monotonic() < limit:
        number = next(rounds)
        for point, strike in POINTS.items():
            try:
                await strike(folder / f"kill-{number}" / point, number and random.uniform(0, 0.3))
            except (AssertionError, TimeoutError, httpx.HTTPError) as error:
                tally.fault(f"{point}: {type(error).__name__} {error}")
            else:
                tally.held_well()
            if time.monotonic() > limit and number:
                break
    return tally.ends(f"{len(POINTS)} acts")


async def on_twins(budget: Budget, folder: Path, told: Callable[[Tally], None]) -> None:
    """The bot with its servers in memory."""
    told(await twins.sixteen_in_memory(budget.times(1000), budget.seed))
    told(await twins.sixteen_on_sqlite(budget.times(1000), folder, budget.seconds(0.15)))
    told(await twins.clock_jumps(budget.times(200), budget.seed))
    told(await twins.failing_stores(budget.times(12)))


async def on_servers(budget: Budget, folder: Path, told: Callable[[Tally], None]) -> None:
    """Real bots, real servers, real mainframes."""
    random = Random(budget.seed)
    cuts = every_cut()
    random.shuffle(cuts)
    async with system(folder / "demo", *ROUTES) as on:
        told(await cut_journeys(on, cuts, budget.seconds(0.3)))
        told(await flaky_journeys(on, 10_000, 0.1, budget.seed, budget.seconds(0.12)))
        told(await killed_journeys(on, seeded_kills(random), budget.seconds(0.22)))
        audit = Tally("journal of each bot, audited")
        await on.audit(audit)
        audit.held_well(len(on.bots))
        told(audit.ends())


async def all_of_it(budget: Budget, folder: Path, told: Callable[[Tally], None]) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as beside:
        told_of = asyncio.get_running_loop().run_in_executor(beside, texts.tallies, budget)
        told(await asyncio.to_thread(disks, budget, folder))
        told(await agents_killed(budget, folder))
        parts: tuple[Callable[[Budget, Path, Callable[[Tally], None]], Awaitable[None]], ...] = (on_twins, on_servers)
        for part in parts:
            await part(budget, folder, told)
        for tally in await told_of:
            told(tally)


def main() -> int:
    configure("json", "critical")  # faults are what this is about: each would be a line
    budget = Budget(float(os.environ.get("MINUTES") or 8), int(os.environ.get("SEED") or time.time()))
    tallies: list[Tally] = []

    def told(tally: Tally) -> None:
        tallies.append(tally)
        print(f"{tally.what}: {tally.held} of {tally.tried}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="ashat-torture-") as folder:
        asyncio.run(all_of_it(budget, Path(folder), told))
    print(render(tallies, budget.seed))
    return int(any(tally.faults or not tally.tried for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
