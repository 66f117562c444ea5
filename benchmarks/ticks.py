"""The timer's tick: whoever waits for a person costs nothing; whoever is verified, a question and a lease."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from statistics import median

from benchmarks.commits import RAW, raw
from benchmarks.rig import Rig, rig
from benchmarks.table import Row
from bot.wiring import SystemClock
from core.ports import Change
from core.stages import Stage

WAITING, VERIFYING = 10_000, 1_000
_ROUNDS = 200
_PASS_SECONDS = 120.0


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PASS_SECONDS):
        while not await true():  # noqa: ASYNC110 - it has no event of its own
            await asyncio.sleep(0.002)


async def _tick(bench: Rig) -> float:
    """Seconds from the timer's two jobs until nobody is at work any more."""
    app = bench.app

    async def idle() -> bool:
        return app.reconciler.idle and app.notifier.idle

    await _until(idle)
    start = time.perf_counter()
    app.reconciler.kick()
    app.notifier.kick()
    await asyncio.sleep(0)
    while not await idle():  # noqa: ASYNC110 - it has no event of its own
        await asyncio.sleep(0)
    return time.perf_counter() - start


@asynccontextmanager
async def _with(waiting: int) -> AsyncIterator[Rig]:
    """A bot while so many deployments wait for a person."""
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            await bench.push("v0")
        _wait(Path(name) / "ashat.db", waiting)
        async with rig(Path(name)) as bench:
            tasks = [asyncio.create_task(part.run()) for part in (bench.app.reconciler, bench.app.notifier)]
            try:
                yield bench
            finally:
                await _end(bench, tasks)


async def _ticks(*waiting: int) -> list[float]:
    """Microseconds of a tick with each of these; they take turns, so that a busy machine is as busy for each."""
    async with AsyncExitStack() as stack:
        benches = [await stack.enter_async_context(_with(count)) for count in waiting]
        rounds = [[await _tick(bench) for bench in benches] for _ in range(_ROUNDS)]
    return [median(times) * 1e6 for times in zip(*rounds, strict=True)]


def _wait(file: Path, count: int) -> None:
    """`count` deployments that wait for people, as copies of one that the bot wrote."""
    with closing(sqlite3.connect(file)) as c, c:
        c.execute("UPDATE work SET due_at = NULL, ready_at = NULL")
        c.execute("UPDATE outbox SET sent_at = '2026-01-01 00:00:00.000000'")
        c.execute("UPDATE card SET shown = wanted")
        c.execute("UPDATE deployment SET stage = 'awaiting_approval'")
        columns = [row[1] for row in c.execute("PRAGMA table_info(deployment)")]
        others = ", ".join(f'"{name}"' for name in columns if name not in ("number", "id", "key"))
        c.executemany(
            f"INSERT INTO deployment (id, key, {others}) SELECT :id, :key, {others} FROM deployment WHERE id = 'v0'",
            [{"id": f"v{n}", "key": f"v{n}#1"} for n in range(1, count)],
        )


async def _end(bench: Rig, tasks: list[asyncio.Task[None]]) -> None:
    bench.app.reconciler.stop()
    bench.app.notifier.stop()
    await asyncio.gather(*tasks)


async def _poll(count: int) -> float:
    """Microseconds for each of `count` deployments that are verified, from the poll to the last lease given back."""
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            app = bench.app
            tasks = [asyncio.create_task(app.reconciler.run())]
            try:
                keys = [f"v{n}#1" for n in range(count)]
                settle = bench.public.settle
                bench.public.settle = _nothing  # type: ignore[method-assign]  # each call goes through all that it has
                for n in range(count):
                    await bench.push(f"v{n}")
                await _polled(bench, keys)
                settle()
                await _all_in(bench, Stage.STAGED, keys)
                for n in range(count):
                    reply = await bench.say(f"verify v{n}")
                    assert reply.outcome == "done", reply.card.title
                await _all_in(bench, Stage.VERIFYING, keys)
                found = [await _polled(bench, keys) for _ in range(3)]
                await _all_in(bench, Stage.VERIFYING, keys)
                return median(found) / count * 1e6
            finally:
                app.reconciler.stop()
                await asyncio.gather(*tasks)


def _nothing() -> None:
    """What is staged does not start, and checks that are waited for do not end."""


async def _all_in(bench: Rig, stage: Stage, keys: list[str]) -> None:
    """Look at all of `keys` until nobody is at work and each is in `stage`."""
    async with asyncio.timeout(_PASS_SECONDS):
        while any(d.stage is not stage for d in await bench.app.parts.store.active()):
            await _polled(bench, keys)


async def _polled(bench: Rig, keys: list[str]) -> float:
    """Seconds until all of `keys`, which are due at once, are due later."""
    store, now = bench.app.parts.store, SystemClock().now()
    await store.commit(Change(due=tuple((key, now) for key in keys)))

    async def done() -> bool:
        due = await store.next_due()
        return bench.app.reconciler.idle and (due is None or due > now)

    start = time.perf_counter()
    bench.app.reconciler.kick()
    await _until(done)
    return time.perf_counter() - start


async def measure() -> list[Row]:
    nothing, waiting = await _ticks(1, WAITING)
    polled = await _poll(VERIFYING)
    with tempfile.TemporaryDirectory() as name:
        floor = raw(Path(name), 300)
    return [
        Row(f"tick, {WAITING:,} deployments wait for people", waiting, nothing, "µs", "the same with one", "≤ 1.2"),
        Row(f"poll of one of {VERIFYING:,} that are verified", polled, floor, "µs", RAW),
    ]
