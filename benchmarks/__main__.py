"""`make bench`: every measure, one table."""

from __future__ import annotations

import asyncio

from benchmarks import commits, pure, reads, starts
from benchmarks.table import Row, render
from bot.logs import configure


async def main() -> None:
    configure("json", "warning")  # a line a command is part of the price, but not of a readable table
    rows: list[Row] = []
    for module in (pure, commits, reads, starts):
        rows += await module.measure()
    print(render(rows))


asyncio.run(main())
