"""Status, history and a timeline stay flat while the journal grows."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rig import Rig, rig
from benchmarks.table import Row

SMALL, LARGE = 100, 2_000
"""Deployments that have ended, about ten events each."""
_ASKED = ("status", "history", "show v1")


async def _grow(bench: Rig, start: int, count: int) -> None:
    for i in range(start, count):
        await bench.push(f"old{i}")
        for text in ("Seen", "Seen again"):
            await bench.say(f"note old{i} '{text}'")
        await bench.say(f"cancel old{i}")


async def _asked(bench: Rig) -> dict[str, float]:
    found = {}
    for text in _ASKED:
        times = []
        for _ in range(50):
            start = time.perf_counter()
            reply = await bench.say(text)
            times.append((time.perf_counter() - start) * 1e6)
            assert reply.outcome == "done", reply.card.title
        found[text] = median(times)
    return found


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            await bench.push("v1")
            await _grow(bench, 0, SMALL)
            small = await _asked(bench)
            await _grow(bench, SMALL, LARGE)
            large = await _asked(bench)
    against = f"the same at {SMALL} deployments"
    return [
        Row(f"{text.split()[0]} at {LARGE} deployments", large[text], small[text], "µs", against, "≤ 1.2")
        for text in _ASKED
    ]
