"""Other bots that answer a fixed text, each in an environment of its own; they authorise nothing and record nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import commits
from benchmarks.rig import rig
from benchmarks.table import Row

INSTALLING = 180.0
"""Seconds that an installation may take."""
RUNNING = 60.0
TIMES = 500

_ERRBOT = f"""
import json, logging, sys, tempfile, time
from pathlib import Path
from errbot.backends.test import TestBot
here = Path(tempfile.mkdtemp())
(here / "echo.plug").write_text("[Core]\\nName = Fixed\\nModule = fixed\\n[Python]\\nVersion = 3\\n")
(here / "fixed.py").write_text(
    "from errbot import BotPlugin, botcmd\\n"
    "class Fixed(BotPlugin):\\n"
    "    @botcmd\\n"
    "    def fixed(self, msg, args):\\n"
    "        return 'fixed'\\n"
)
bot = TestBot(extra_plugin_dir=str(here), loglevel=logging.INFO)
bot.start()
found = []
for _ in range({TIMES}):
    start = time.perf_counter()
    bot.push_message("!fixed")
    assert bot.pop_message() == "fixed"
    found.append(time.perf_counter() - start)
start = time.perf_counter()
for _ in range({TIMES}):
    bot.push_message("!fixed")
for _ in range({TIMES}):
    assert bot.pop_message() == "fixed"
many = ({TIMES}) / (time.perf_counter() - start)
print(json.dumps([sorted(found)[len(found) // 2] * 1e6, 1e6 / many]))
sys.stdout.flush()
import os
os._exit(0)
"""
_OPSDROID = f"""
import asyncio, builtins, json, time
builtins._ = str  # its own start installs gettext there
from opsdroid.core import OpsDroid
from opsdroid.events import Message
from opsdroid.matchers import match_regex
async def fixed(opsdroid, config, message):
    await message.respond("fixed")
class Connector:
    name = "bench"
    configuration = {{}}
    async def send(self, event):
        assert event.text == "fixed"
async def main():
    bot = OpsDroid(config={{"parsers": {{"regex": {{"enabled": True}}}}}}).__enter__()
    bot.register_skill(match_regex(r"fixed")(fixed), config={{"name": "fixed"}})
    found = []
    async def one():
        message = Message(text="fixed", user="ann", target="room", connector=Connector())
        await bot.parse(message)
        assert message.responded_to
    for _ in range({TIMES}):
        start = time.perf_counter()
        await one()
        found.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range({TIMES} // 50):
        await asyncio.gather(*(one() for _ in range(50)))
    print(json.dumps([sorted(found)[len(found) // 2] * 1e6, (time.perf_counter() - start) / {TIMES} * 1e6]))
asyncio.run(main())
"""


class Missing(Exception):
    """This peer cannot be measured here. `str(error)` is why, in a line."""


def _environment(folder: Path, package: str) -> Path:
    """The Python of a new environment with `package`. Raises Missing."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise Missing("uv is not installed")
    python = folder / "bin" / "python"
    commands = (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), package, "setuptools<81", "pytest"],
    )
    for command in commands:
        _run(command, INSTALLING)
    return python


def _run(command: list[str], limit: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"not finished within {limit:g} s") from error
    if done.returncode != 0:
        raise Missing((done.stderr.strip().splitlines() or ["no reason given"])[-1][:100])
    return done.stdout


def measured(package: str, program: str) -> tuple[float, float]:
    """Microseconds of an answer, one at a time and many at once. Raises Missing."""
    with tempfile.TemporaryDirectory() as name:
        python = _environment(Path(name) / "venv", package)
        alone, many = json.loads(_run([str(python), "-c", program], RUNNING).splitlines()[-1])
    return float(alone), float(many)


async def measure() -> list[Row]:
    """Ours are authorised, decided, journaled and on disk; theirs say a fixed text."""
    with tempfile.TemporaryDirectory() as name:
        async with rig(Path(name)) as bench:
            for i in range(64):
                await bench.push(f"v{i}")
            await commits.committed(bench, 1)
            alone, many = await commits.committed(bench, 1), await commits.committed(bench, 64)
        insert = commits.fsynced_insert(Path(name), 300)
    rows: list[Row] = []
    for package, program, aim in (("errbot", _ERRBOT, "≤ 1"), ("opsdroid", _OPSDROID, "")):
        try:
            theirs = await asyncio.to_thread(measured, package, program)
        except Missing as error:
            rows.append(Row(f"committed command beside {package}", alone, float("nan"), "µs", f"not measured: {error}"))
            continue
        what = f"committed command, 1 in flight, beside {package}"
        row = "its fixed text, and one fsynced insert"
        rows.append(Row(what, alone, theirs[0] + insert, "µs", row, aim, commits.WHY))
        what = f"committed command, 64 in flight, beside {package}"
        rows.append(Row(what, many, theirs[1], "µs", "its fixed text", aim, commits.WHY))
    return rows
