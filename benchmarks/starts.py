"""From exec to listening, beside a Python that only imports what any ASGI server must."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from securesystemslib.signer import CryptoSigner

from benchmarks.agents import agent
from benchmarks.table import Row
from bot import keys

_ROUNDS = 5
_WHY = (
    "The bot also imports SQLAlchemy with SQLModel, pydantic's settings, structlog and the timer, and at its first\n"
    "start, which this is, Alembic; what the settings do not switch on it does not import."
)
_ASHAT = (sys.executable, "-c", "import bot.cli; bot.cli.main()")
_SETTINGS = """
[ashat]
data = "data"
[alpha]
folder = "alpha"
[people.me]
name = "Ann Me"
shell = {uid}
roles = ["deployer", "admin"]
"""


def _seconds(code: str) -> float:
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - start)
    return median(found) * 1000


async def _agent_listens() -> float:
    """Milliseconds from exec to the agent's first answer."""
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as name:
            async with agent(Path(name), CryptoSigner.generate_ed25519()) as (_, _, milliseconds):
                found.append(milliseconds)
    return median(found)


def _bot_listens() -> tuple[float, float]:
    """Milliseconds from exec to the bot's socket, and of one `ashat deploy status` beside it."""
    listening, asking = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "config.toml").write_text(_SETTINGS.format(uid=os.getuid()))
            (folder / "alpha").mkdir()
            keys.new(folder / "data" / "bot.key.pem")
            start = time.perf_counter()
            process = subprocess.Popen([*_ASHAT, "run"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
            try:
                _until_socket(process, folder / "data" / "ashat.sock")
                listening.append((time.perf_counter() - start) * 1000)
                start = time.perf_counter()
                subprocess.run([*_ASHAT, "deploy", "status"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
                asking.append((time.perf_counter() - start) * 1000)
            finally:
                process.terminate()
                process.communicate()
    return median(listening), median(asking)


def _until_socket(process: subprocess.Popen[bytes], path: Path) -> None:
    """Raises RuntimeError where the program ends before it listens."""
    while not path.exists():
        if process.poll() is not None:
            said = process.stderr.read().decode()[-300:] if process.stderr else ""
            raise RuntimeError(f"the bot ended with {process.returncode}: {said}")
        time.sleep(0.002)


async def measure() -> list[Row]:
    floor = _seconds("import starlette.applications, uvicorn, pydantic, httpx")
    against = "importing starlette, uvicorn, pydantic, httpx"
    listening, asking = await asyncio.to_thread(_bot_listens)
    return [
        Row("agent: exec to listening", await _agent_listens(), floor, "ms", against, "< 1 s"),
        Row("bot: exec to listening", listening, floor, "ms", against, "< 1 s", _WHY),
        Row("ashat deploy status, with a bot", asking, floor, "ms", against),
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
