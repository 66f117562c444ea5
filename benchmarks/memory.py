"""Memory of the bot after an hour's worth of work in a moment, beside what it had when it began."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

from benchmarks.agents import resident_mib
from benchmarks.rig import Rig, rig
from benchmarks.table import Row

COMMANDS = 2_000
"""A busy hour: a command every two seconds."""


async def _work(bench: Rig, start: int, count: int) -> None:
    """Each fourth command ends a deployment, so that as many are on their way as before."""
    for n in range(start, start + count // 4):
        await bench.push(f"v{n}")
        for line in (f"note v{n} 'Measured'", "status", f"cancel v{n}"):
            reply = await bench.say(line)
            assert reply.outcome == "done", reply.card.title


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            await _work(bench, 0, COMMANDS // 10)
            gc.collect()
            before = resident_mib(os.getpid())
            await _work(bench, COMMANDS, COMMANDS)
            gc.collect()
            after = resident_mib(os.getpid())
    against = f"after its first {COMMANDS // 10}"
    return [Row(f"memory of the bot after {COMMANDS:,} commands", after, before, "MiB", against, "≤ 1.2")]
