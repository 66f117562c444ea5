"""`kill -9` of an agent in the middle of each thing that it does, a restart, and the one right end of it.

What releases and checks do is written to a file of effects by themselves: none may take hold twice.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from core.release.wire import CheckWanted, VerificationWanted
from tests.agent.pair import distribution, healthy, omega_with_mainframe
from tests.agent.product import PROGRAM, Artifact, manifest, pack
from tests.agent.running import PATIENCE, Agent, until

_NOTE = """
import os
with open(os.environ["EFFECTS"], "a") as effects:
    effects.write("{what}\\n")
"""
Reached = Callable[[], bool]


def noting(version: str, filler: int = 0) -> Artifact:
    """The product, which notes its migration and each start; with `filler` further files."""
    files = {f"filler/{number}.txt": secrets.token_hex(200) for number in range(filler)}
    return pack(
        {
            "release.toml": manifest(run='migrate = ["python3", "migrate.py"]'),
            "migrate.py": _NOTE.format(what=f"migrate {version}") + "import time\ntime.sleep(0.2)\n",
            "app.py": _NOTE.format(what=f"start {version}") + PROGRAM,
            "version.txt": version,
            **files,
        }
    )


class Scene:
    """One agent, and what its releases note."""

    def __init__(self, folder: Path) -> None:
        self._effects = folder / "effects"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "env").write_text(f"EFFECTS={self._effects}\n")
        counting = f"['sh', '-c', 'echo counted >> {self._effects}']"
        self.top = f'env_file = "{folder / "env"}"\n'
        self.checks = f"[checks.commands]\ncount = {counting}\n"

    def effects(self) -> Counter[str]:
        return Counter(self._effects.read_text().splitlines() if self._effects.exists() else [])

    def once(self, *what: str) -> None:
        """Exactly these took hold, each once."""
        assert self.effects() == Counter(what), self.effects()


async def strike(agent: Agent, begin: Awaitable[Any], reached: Reached, delay: float) -> None:
    """Begin something, kill the agent `delay` seconds after `reached`, and start it again.

    That the caller's own request is cut by it is part of the matter; whoever asked asks again.
    """
    asking = asyncio.ensure_future(begin)
    await asyncio.to_thread(_wait_and_kill, agent, reached, delay)
    await asyncio.gather(asking, return_exceptions=True)
    await agent.start()


def _wait_and_kill(agent: Agent, reached: Reached, delay: float) -> None:
    limit = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < limit, "what was to be cut never began"
        time.sleep(0.0005)
    time.sleep(delay)
    agent.signal(signal.SIGKILL)


def _holds(path: Path, text: str) -> bool:
    """Whether the file is there and holds `text`; a file that is being replaced is read whole, old or new."""
    try:
        return text in path.read_text()
    except FileNotFoundError:
        return False


async def in_upload(folder: Path, delay: float) -> None:
    agent = Agent(folder, process=True)
    artifact = Artifact(secrets.token_bytes(24 * 1024 * 1024))
    part = agent.data / "artifacts" / f"{artifact.digest}.part"
    path = f"/v1/artifacts/{artifact.digest}"
    try:
        await agent.start()
        await strike(agent, agent.upload(artifact), lambda: part.exists() and part.stat().st_size > 0, delay)
        while (head := await agent.client.head(path)).headers["Upload-Complete"] == "?0":
            offset = int(head.headers["Upload-Offset"])
            headers = {"Upload-Offset": str(offset), "Upload-Length": str(len(artifact.data))}
            answer = await agent.client.patch(path, content=artifact.data[offset:], headers=headers)
            assert answer.status_code == 204, answer.text
        assert (await agent.client.get(path)).content == artifact.data
    finally:
        await agent.close()


async def _staging(folder: Path, delay: float, reached: Callable[[Agent], bool], filler: int = 0) -> None:
    scene = Scene(folder)
    agent = Agent(folder / "agent", scene.top, process=True)
    try:
        await agent.start()
        await strike(agent, agent.stage(noting("one", filler), "patch"), lambda: reached(agent), delay)
        slot = await agent.slot("patch.1", "healthy", "failed")
        assert slot["status"] == "healthy", slot
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(slot["url"])).text == "one"
        scene.once("migrate one", "start one")
        assert not list((agent.data / "slots").glob("*/.unpacking-*"))
    finally:
        await agent.close()


async def in_extraction(folder: Path, delay: float) -> None:
    await _staging(folder, delay, lambda agent: any((agent.data / "slots").glob("patch.1/.unpacking-*")), filler=150)


async def in_migration(folder: Path, delay: float) -> None:
    await _staging(folder, delay, lambda agent: (agent.data / "slots/patch.1/migrate/process.json").exists())


async def in_start(folder: Path, delay: float) -> None:
    await _staging(folder, delay, lambda agent: (agent.data / "slots/patch.1/run/process.json").exists())


async def in_switch(folder: Path, delay: float) -> None:
    scene = Scene(folder)
    agent = Agent(folder / "agent", scene.top, process=True)
    one, two = noting("one"), noting("two")
    try:
        await agent.start()
        await agent.runs(one, 1)
        component = agent.data / "components/main/component.json"
        await strike(agent, agent.desire(two, 2), lambda: _holds(component, '"running":"main@2"'), delay)
        state = await agent.settled(2)
        assert (state["status"], state["running"], state["replaced"]) == ("healthy", two.digest, one.digest), state
        assert (await agent.front.get("/")).text == "two"
        scene.once("migrate one", "start one", "migrate two", "start two")
    finally:
        await agent.close()


async def in_withdrawal(folder: Path, delay: float) -> None:
    scene = Scene(folder)
    agent = Agent(folder / "agent", scene.top, process=True)
    try:
        await agent.start()
        await agent.stage(noting("one"), "patch")
        await agent.slot("patch.1", "healthy")
        record = agent.data / "slots/patch.1/slot.json"
        withdrawing = agent.client.delete("/v1/slots/patch.1")
        await strike(agent, withdrawing, lambda: _holds(record, '"status":"withdrawn"'), delay)

        async def gone() -> bool:
            return "patch.1" not in agent.kept() and not (agent.data / "slots/patch.1/files").exists()

        await until(gone, "the slot is gone")
        assert (await agent.client.delete("/v1/slots/patch.1")).json()["status"] == "withdrawn"
        assert (await agent.state())["slots"] == []
        scene.once("migrate one", "start one")
    finally:
        await agent.close()


async def in_verification(folder: Path, delay: float) -> None:
    scene = Scene(folder)
    agent = Agent(folder / "agent", scene.top, scene.checks, process=True)
    artifact = noting("one")
    counted = CheckWanted(name="counted", kind="command", timeout=60, options={"name": "count"})
    health = [CheckWanted(name=f"health {number}", kind="health", timeout=60) for number in range(8)]
    wanted = VerificationWanted(
        digest=artifact.digest, deployment="patch", attempt=1, run=1, nonce="nonce-1234",
        address="http://127.0.0.1:1", checks=(counted, *health),
    )  # fmt: skip
    path = "/v1/verifications/patch.1/1"
    try:
        await agent.start()
        await agent.stage(artifact, "patch")
        await agent.slot("patch.1", "healthy")
        record = agent.data / "verifications/patch.1/1.json"
        asking = agent.client.put(path, content=wanted.model_dump_json())
        await strike(agent, asking, lambda: _holds(record, '"passed"'), delay)

        async def finished() -> list[str] | None:
            sealed = (await agent.client.get(path)).json()["envelope"]
            report = json.loads(base64.b64decode(sealed["payload"]))["predicate"]
            return [check["state"] for check in report["checks"]] if report["finished"] else None

        assert set(await until(finished, "the run has ended")) == {"passed"}
        scene.once("migrate one", "start one", "counted")
    finally:
        await agent.close()


async def in_distribution(folder: Path, delay: float) -> None:
    scene = Scene(folder)
    async with omega_with_mainframe(folder, scene.top) as (omega, mainframe):
        one = noting("one")
        await omega.upload(one)
        body = distribution(omega, omega.release(one, 1))
        log = omega.data / "fleet.sqlite3-wal"
        before = log.stat().st_size if log.exists() else 0

        async def put() -> httpx.Response:
            return await omega.client.put("/v1/distributions/main", json=body)

        await strike(omega, put(), lambda: log.exists() and log.stat().st_size != before, delay)
        assert (await put()).status_code == 200
        await healthy(omega, mainframe, 1)
        assert (await mainframe.front.get("/")).text == "one"
        scene.once("migrate one", "start one")


async def in_receipt(folder: Path, delay: float) -> None:
    scene = Scene(folder)
    async with omega_with_mainframe(folder, scene.top) as (omega, mainframe):
        one = noting("one")
        await omega.upload(one)
        body = distribution(omega, omega.release(one, 1))
        receipts = mainframe.data / "receipts.json"
        begin = omega.client.put("/v1/distributions/main", json=body)
        await strike(mainframe, begin, lambda: receipts.exists(), delay)
        await healthy(omega, mainframe, 1)
        assert (await mainframe.front.get("/")).text == "one"
        scene.once("migrate one", "start one")


POINTS: dict[str, Callable[[Path, float], Awaitable[None]]] = {
    "upload": in_upload,
    "extraction": in_extraction,
    "migration": in_migration,
    "start": in_start,
    "switch": in_switch,
    "withdrawal": in_withdrawal,
    "verification": in_verification,
    "distribution": in_distribution,
    "receipt": in_receipt,
}
