"""One row of the table, and how it is printed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `floor` in `unit` a piece; the ratio says how many times the floor ours takes."""

    what: str
    ours: float
    floor: float
    unit: str
    against: str
    aim: str = ""
    why: str = ""
    """What it is that takes longer than the floor. Told once under the table, where rows share it."""

    @property
    def ratio(self) -> float:
        return self.ours / self.floor if self.floor else float("inf")


def render(rows: list[Row]) -> str:
    head = ("what", "ours", "floor", "ratio", "floor is", "aim")
    cells = [
        (
            row.what,
            f"{row.ours:,.1f} {row.unit}",
            f"{row.floor:,.1f} {row.unit}",
            f"{row.ratio:.2f}",
            row.against,
            row.aim,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]

    def line(parts: tuple[str, ...]) -> str:
        return "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()

    table = [line(head), line(tuple("-" * width for width in widths)), *(line(row) for row in cells)]
    whys = dict.fromkeys(row.why for row in rows if row.why)
    return "\n".join([*table, *(f"\n{why}" for why in whys)])


def microseconds(call: Callable[[], object], times: int, rounds: int = 7) -> float:
    """The median over `rounds` of the time of one call."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            call()
        found.append((time.perf_counter() - start) / times * 1e6)
    return median(found)


async def microseconds_of(call: Callable[[int], Awaitable[object]], times: int, rounds: int = 5) -> float:
    """The median over `rounds` of the time of one awaited call, one at a time."""
    found, number = [], 0
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            await call(number)
            number += 1
        found.append((time.perf_counter() - start) / times * 1e6)
    return median(found)
