"""Status, history and a timeline stay flat while the journal grows from a thousand events to a million."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.grown import database
from benchmarks.rig import Rig, rig
from benchmarks.table import Row

SMALL, LARGE = 1_000, 1_000_000
_ASKED = ("status", "history", "show old7")
_TIMES = 60


async def _timed(bench: Rig, text: str) -> float:
    """Microseconds of one question, after a commit: else what was told before may still hold."""
    await bench.say("note old8 'Between two looks'")
    start = time.perf_counter()
    reply = await bench.say(text)
    assert reply.outcome == "done", reply.card.title
    return (time.perf_counter() - start) * 1e6


async def measure() -> list[Row]:
    """Both in turn, so that what else the machine does falls on both."""
    found: dict[str, list[tuple[float, float]]] = {text: [] for text in _ASKED}
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        await database(Path(few), SMALL)
        await database(Path(many), LARGE)
        async with rig(Path(few)) as small, rig(Path(many)) as large:
            for _ in range(_TIMES):
                for text, times in found.items():
                    times.append((await _timed(small, text), await _timed(large, text)))
    against = "the same at a thousand events"
    return [
        Row(
            f"{text.split()[0]} at a million events",
            median(large for _, large in times),
            median(small for small, _ in times),
            "µs",
            against,
            "≤ 1.2",
        )
        for text, times in found.items()
    ]
