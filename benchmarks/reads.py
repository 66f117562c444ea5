"""Status, history and a timeline stay flat while the journal grows from a thousand events to a million."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.grown import database
from benchmarks.rig import rig
from benchmarks.table import Row

SMALL, LARGE = 1_000, 1_000_000
_ASKED = ("status", "history", "show old7")
_TIMES = 60


async def _asked(events: int) -> dict[str, float]:
    """Microseconds of each question."""
    with tempfile.TemporaryDirectory() as name:
        await database(Path(name), events)
        async with rig(Path(name)) as bench:
            found: dict[str, list[float]] = {text: [] for text in _ASKED}
            for _ in range(_TIMES):
                for text, times in found.items():
                    start = time.perf_counter()
                    reply = await bench.say(text)
                    times.append((time.perf_counter() - start) * 1e6)
                    assert reply.outcome == "done", reply.card.title
    return {text: median(times) for text, times in found.items()}


async def measure() -> list[Row]:
    small, large = await _asked(SMALL), await _asked(LARGE)
    against = "the same at a thousand events"
    return [
        Row(f"{text.split()[0]} at a million events", large[text], small[text], "µs", against, "≤ 1.2")
        for text in _ASKED
    ]
