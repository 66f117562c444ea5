"""Public, OMEGA and two mainframes as processes, ways to them that can be cut, and what really came of it there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from demo.servers import prepared, settle
from demo.settings import Place
from tests.faults.cutting import Proxy, Rule, proxied

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("public", "omega", "m1", "m2")
PATIENCE = 60.0
"""Seconds of real time; what is waited for takes one or two, on a machine that may be busy."""
_GLANCE = 0.02


async def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Wait until it is so. Raises AssertionError after `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110 - it is about files and other processes, which set no event
                await asyncio.sleep(_GLANCE)
    except TimeoutError:
        raise AssertionError(f"within {patience:g} s it did not come true that {what}") from None


@dataclass
class Ground:
    """The servers; any of them may be killed and started again."""

    data: Path
    places: dict[str, Place]
    http: httpx.AsyncClient
    uplinks: dict[str, Proxy]
    """The mainframes' ways to OMEGA."""
    _agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _untied: frozenset[str] = frozenset()
    """Those whose slots would go on without them."""
    _effects: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _read: Counter[Path] = field(default_factory=Counter)
    """Bytes of each log that were looked at."""

    def launch(self, name: str, *, tied: bool = True) -> None:
        """Start its agent. `tied`: if it is killed then all that it started ends too, as when a host goes down."""
        place = self.places[name]
        command = [sys.executable, "-m", "agent", "--config", str(place.settings_file), *["--end-slots"] * tied]
        with (place.folder / "agent.log").open("ab") as log:
            self._untied = self._untied - {name} if tied else self._untied | {name}
            self._agents[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    async def answers(self, name: str) -> None:
        url = f"{self.places[name].url}/healthz"
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    if (await self.http.get(url)).is_success:
                        return
                except httpx.TransportError:
                    assert self._agents[name].poll() is None, f"the agent {name} ended: {self._last_words(name)}"
                await asyncio.sleep(_GLANCE)

    def _last_words(self, name: str) -> str:
        return (self.places[name].folder / "agent.log").read_text()[-2000:]

    def kill(self, name: str) -> None:
        """At once, wherever it is."""
        self._agents[name].kill()
        self._agents[name].wait()

    async def end(self) -> None:
        """Every agent, slot and front door, those too that a killed agent left to go on alone."""
        for name, agent in self._agents.items():
            if agent.poll() is not None or name in self._untied:
                agent.kill()
                agent.wait()
                self.launch(name)
                await self.answers(name)
        for agent in self._agents.values():
            agent.send_signal(signal.SIGTERM)
        for agent in self._agents.values():
            await asyncio.to_thread(agent.wait, PATIENCE)

    # -- what came of it -----------------------------------------------------------------------------------------------

    async def served(self, name: str, path: str) -> str:
        """What people get from this server's front door."""
        answer = await self.http.get(self.places[name].front + path)
        return answer.text if answer.is_success else str(answer.status_code)

    async def has_slot(self, slot: str) -> bool:
        """Whether Public still has it."""
        place = self.places["public"]
        state = await self.http.get(f"{place.url}/v1/state", headers={"Authorization": f"Bearer {place.token}"})
        return any(one["slot"] == slot for one in state.raise_for_status().json()["slots"])

    def doubled(self, component: str) -> list[str]:
        """What this component's servers were made to do twice; their agents log it where it takes hold."""
        for name, place in self.places.items():
            for line in self._news(place.folder / "agent.log"):
                if effect := _effect(line):
                    self._effects[str(line["component"]), name, *effect] += 1
        mine = ((effect, times) for effect, times in self._effects.items() if effect[0] == component)
        return [f"{' '.join(effect)} {times} times" for effect, times in mine if times > 1]

    def _news(self, log: Path) -> list[dict[str, object]]:
        """The lines since the last look. One may have been cut by the kill of its writer."""
        with log.open("rb") as file:
            file.seek(self._read[log])
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read[log] += len(whole)
        return [line for part in whole.splitlines() if (line := _parsed(part))]


def _parsed(text: bytes) -> dict[str, object] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _effect(line: dict[str, object]) -> tuple[str, ...] | None:
    """What the line says was done for the first and only time."""
    match line.get("event"):
        case "desired" | "granted":
            return str(line["event"]), str(line.get("mainframe", "")), str(line["generation"])
        case "stage":
            return "stage", str(line["slot"])
        case "receipt" if line["counted"]:
            return "receipt", str(line["mainframe"]), str(line["generation"])
        case _:
            return None


@asynccontextmanager
async def ground(data: Path, rule: Rule = lambda _place, _label: None) -> AsyncIterator[Ground]:
    """All of it, with `rule` on the mainframes' ways to OMEGA; nothing is left running, whatever happens."""
    held = ExitStack()  # their ports, until they listen
    mark = held.enter_context(prepared(data, keep=False))
    places = {place.part.name: place for place in settle(data, mark) if place.part.name in SERVERS}
    omega = places["omega"]
    async with (
        proxied([(name, omega.url) for name in ("m1", "m2")], rule) as uplinks,
        httpx.AsyncClient(timeout=20.0, trust_env=False) as http,
    ):
        for name, proxy in uplinks.items():
            settings = places[name].settings_file
            settings.write_text(settings.read_text().replace(omega.url, proxy.url))
        made = Ground(data, places, http, uplinks)
        try:
            with held:
                for name in SERVERS:
                    made.launch(name)
                for name in SERVERS:
                    await made.answers(name)
            yield made
        finally:
            await made.end()


def configuration(ground: Ground, home: str, urls: dict[str, str]) -> str:
    """The settings of a bot that reaches the servers at `urls`, with its own data and ALPHA in the folder `home`."""
    text = _CONFIG.format(home=home, uid=os.getuid())
    text += "".join(
        f"\n[checks.{check}]\nenabled = false\n" for check in ("modules", "api", "database", "performance", "security")
    )
    for name, url in urls.items():
        place = ground.places[name]
        text += _AGENT.format(url=url, token=place.token_file, key=place.public_key)
    return text


_AGENT = '\n[[agents]]\norigin = "{url}"\ntoken_file = "{token}"\npublic_key = "{key}"\n'
_CONFIG = """\
[ashat]
data = "{home}"
key_file = "bot.key.pem"
log_format = "json"

[alpha]
folder = "{home}/alpha"

[workflow]
poll_seconds = 0.1
own_push = true
max_commands_per_minute = 100000
max_active_per_person = 1000

[people.eve]
name = "Eve Poe"
roles = ["deployer", "approver", "admin"]
shell = {uid}
"""
