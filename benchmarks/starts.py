"""From exec to listening, beside a Python that only imports what any ASGI server must."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from benchmarks.table import Row

_ROUNDS = 7


def _seconds(code: str) -> float:
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        found.append(time.perf_counter() - start)
    return median(found) * 1000


async def measure() -> list[Row]:
    floor = _seconds("import starlette.applications, uvicorn, pydantic, httpx")
    against = "importing starlette, uvicorn, pydantic, httpx"
    return [
        Row("import the agent", _seconds("import agent.api.app"), floor, "ms", against),
        Row("import the front door", _seconds("import agent.door.__main__"), floor, "ms", against),
        Row("import the bot", _seconds("import bot.wiring"), floor, "ms", against),
        Row(
            "ashat help",
            _seconds("import sys; sys.argv = ['ashat', 'help']; import bot.cli; bot.cli.main()"),
            floor,
            "ms",
            against,
        ),
    ]
