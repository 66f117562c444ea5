"""`make bench`: every measure, one table; `PEERS=1` adds other bots. Exit status 1 where one could not be taken."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import checkins, commits, discord_answers, memory, peers, pure, reads, slack, starts, ticks, uploads
from benchmarks.table import Row, render
from bot.logs import configure

MEASURES = (pure, commits, ticks, memory, checkins, uploads, starts, reads, slack, discord_answers)


async def main() -> int:
    """The number of measures that failed; how fast something is never fails one."""
    measures: list[tuple[str, Callable[[], Awaitable[list[Row]]]]] = [(m.__name__, m.measure) for m in MEASURES]
    if os.environ.get("PEERS") == "1":
        measures.append((peers.__name__, peers.measure))
    rows: list[Row] = []
    failed = 0
    for name, measure in measures:
        started = time.perf_counter()
        try:
            rows += await measure()
        except Exception:  # noqa: BLE001 - the other measures are taken; this one is told, and counts
            traceback.print_exc()
            failed += 1
        took = time.perf_counter() - started
        print(f"{name.removeprefix('benchmarks.')}: {took:.0f} s", file=sys.stderr, flush=True)
    print(render(rows))
    return failed


with Path(os.devnull).open("w") as nowhere:  # a line a command is part of the price, but not of a readable table
    configure("json", "info", nowhere)
    sys.exit(min(1, asyncio.run(main())))
