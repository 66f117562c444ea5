"""From exec to listening, beside a Python that only imports what any ASGI server must."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from types import MappingProxyType

from securesystemslib.signer import CryptoSigner

from benchmarks.agents import agent
from benchmarks.table import Row
from bot import keys
from tests.discord.peer import guilds
from tests.discord.peer.discord import Discord
from tests.slack.peer import workspace
from tests.slack.peer.slack import Slack

_ROUNDS = 5
_WHY = (
    "The bot also imports SQLAlchemy with SQLModel, pydantic's settings, structlog and the timer, and at its first\n"
    "start Alembic; what the settings do not switch on it does not import. Six sevenths of 100 MiB are there once\n"
    "the libraries are imported that it is made of."
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


_CHATS = """
[slack]
team = "{team}"
app = "{app}"
home = "{home}"
api_url = "{api_url}"
[discord]
application = "{application}"
guilds = ["{guild}"]
home = "{room}"
api_url = "{discord_url}"
gateway_url = "{gateway_url}"
"""
_LIBRARIES = "slack_bolt.async_app, discord, httpx, sqlmodel, apscheduler.schedulers.asyncio"


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


@dataclass(frozen=True)
class _Started:
    """Milliseconds from exec to the bot's socket, and of one `ashat deploy status` beside it; MiB that it has then."""

    listening: float
    asking: float
    resident: float


def _bot_starts(more: str = "", secrets: Mapping[str, str] = MappingProxyType({})) -> tuple[_Started, _Started]:
    """At its first start, with an empty data folder; and at one of the later ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(_SETTINGS.format(uid=os.getuid()) + more)
        (folder / "alpha").mkdir()
        keys.new(folder / "data" / "bot.key.pem")
        first, *later = [_bot_start(folder, secrets) for _ in range(1 + _ROUNDS)]
    return first, _Started(*(median(values) for values in zip(*map(astuple, later), strict=True)))


def _bot_start(folder: Path, secrets: Mapping[str, str]) -> _Started:
    start = time.perf_counter()
    process = subprocess.Popen(
        [*_ASHAT, "run"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, **secrets}
    )
    try:
        _until_socket(process, folder / "data" / "ashat.sock")
        listening = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run([*_ASHAT, "deploy", "status"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        asking = time.perf_counter() - start
        return _Started(listening * 1000, asking * 1000, _resident(Path(f"/proc/{process.pid}/status").read_text()))
    finally:
        process.terminate()
        process.communicate()


async def _with_both_chats() -> tuple[_Started, _Started]:
    async with Slack() as slack, Discord() as discord:
        more = _CHATS.format(
            team=slack.team, app=workspace.APP, home=slack.room("#deployments").id, api_url=slack.api_url,
            application=guilds.APP, guild=guilds.GUILD, room=discord.room("#deployments").id,
            discord_url=discord.api_url, gateway_url=discord.gateway_url,
        )  # fmt: skip
        secrets = {
            "ASHAT_SLACK_BOT_TOKEN": slack.installation.bot_token,
            "ASHAT_SLACK_APP_TOKEN": slack.installation.app_token,
            "ASHAT_DISCORD_TOKEN": discord.token,
        }
        return await asyncio.to_thread(_bot_starts, more, secrets)


def _resident(status: str) -> float:
    """MiB by a process's /proc/…/status, as Linux counts them: shared libraries too."""
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def _until_socket(process: subprocess.Popen[bytes], path: Path) -> None:
    """Raises RuntimeError where the program ends before it listens."""
    while not path.exists():
        if process.poll() is not None:
            said = process.stderr.read().decode()[-300:] if process.stderr else ""
            raise RuntimeError(f"the bot ended with {process.returncode}: {said}")
        time.sleep(0.002)


def _libraries() -> float:
    """MiB of a process that has imported what the bot is made of, and does nothing."""
    code = f"import {_LIBRARIES}; print(open('/proc/self/status').read())"
    return _resident(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


async def measure() -> list[Row]:
    floor = _seconds("import starlette.applications, uvicorn, pydantic, httpx")
    against = "importing starlette, uvicorn, pydantic, httpx"
    (first, plain), (_, chats) = await asyncio.to_thread(_bot_starts), await _with_both_chats()
    libraries = await asyncio.to_thread(_libraries)
    return [
        Row("agent: exec to listening", await _agent_listens(), floor, "ms", against, "< 1 s"),
        Row("bot: exec to listening", plain.listening, floor, "ms", against, "< 1 s", _WHY),
        Row("bot: exec to listening, at its first start", first.listening, floor, "ms", against, "< 1 s", _WHY),
        Row("bot on Slack and Discord: exec to listening", chats.listening, floor, "ms", against, "< 1 s", _WHY),
        Row("bot: memory after its start", plain.resident, libraries, "MiB", _LIBRARIES),
        Row(
            "bot on Slack and Discord: memory after its start",
            chats.resident,
            libraries,
            "MiB",
            _LIBRARIES,
            "< 100 MiB",
            _WHY,
        ),
        Row("ashat deploy status, with a bot", plain.asking, floor, "ms", against),
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
