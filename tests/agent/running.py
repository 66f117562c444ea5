"""Real agents for the tests: processes of their own, real sockets, and a bot's key and token."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import httpx
from securesystemslib.signer import CryptoSigner

from agent.processes.kept import started_at
from agent.program import serve
from agent.settings import load_settings
from core.release.signing import new_key, public_text, sign, signer_from_pem
from core.release.wire import Release
from tests.agent.product import Artifact
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "the-bots-token-of-the-tests"
PATIENCE = 60.0
"""Seconds that a test waits for what takes well under one: the machine may be busy with something else."""


def client(port: int, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    base = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(base_url=base, headers=headers, timeout=PATIENCE, trust_env=False)


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """The first true answer of `condition`."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if answer := await condition():
            return answer
        await asyncio.sleep(0.03)
    raise AssertionError(f"in {PATIENCE:g} s not: {what}")


class Agent:
    """One agent's data folder, and the agent while it runs: in this process, or in one that can be killed."""

    def __init__(
        self,
        folder: Path,
        top: str = "",
        tables: str = "",
        *,
        role: str = "public",
        process: bool = False,
        end_slots: bool = False,
        routes: str = '{ main = "/" }',
    ) -> None:
        self.folder = folder
        self.port, self.front_port = free_port(), free_port()
        self.signer: CryptoSigner = signer_from_pem(new_key())
        self.config = folder / "agent.toml"
        self.end_slots = end_slots
        self.as_process = process
        self.process: subprocess.Popen[bytes] | None = None
        self.serving: asyncio.Task[None] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self._settings(role, routes, top, tables))
        self.client = client(self.port, {"Authorization": f"Bearer {TOKEN}"})
        self.front = client(self.front_port)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def _settings(self, role: str, routes: str, top: str, tables: str) -> str:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        token = sha256(TOKEN.encode()).hexdigest()
        return f"""
role = "{role}"
name = "tested"
listen = "127.0.0.1:{self.port}"
data = "data"
allow_same_user = true
slot_path = "{path}"
{top}
[front]
listen = "127.0.0.1:{self.front_port}"
routes = {routes}
[trust]
bot_keys = ["{public_text(self.signer)}"]
bot_token_sha256 = "{token}"
{tables}
"""

    async def start(self) -> Agent:
        if self.as_process:
            self.process = self._spawn()
        else:
            self.serving = asyncio.create_task(serve(load_settings(self.config), {}, end_slots=self.end_slots))
        await until(self._is_up, "the agent answers")
        return self

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "agent", "--config", str(self.config)]
        command += ["--end-slots"] if self.end_slots else []
        environ = {**os.environ, "AGENT_SECRET": "never in a slot"}
        with (self.folder / "agent.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)

    async def _is_up(self) -> bool:
        if self.serving is not None and self.serving.done():
            self.serving.result()
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}: {self.log}")
        try:
            return (await self.client.get("/healthz")).text == "ok"
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        """In this process: end the agent, and leave its releases running."""
        assert self.serving is not None
        self.serving.cancel()
        await asyncio.wait({self.serving})

    def signal(self, number: int) -> int:
        """Send it and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def release(
        self,
        artifact: Artifact | None,
        generation: int = 0,
        component: str = "main",
        deployment: str = "u",
        purpose: Literal["stage", "desired"] = "desired",
        attempt: int = 1,
    ) -> Release:
        return Release(
            purpose=purpose,
            component=component,
            digest=artifact.digest if artifact else None,
            generation=generation,
            deployment=deployment,
            attempt=attempt,
            nonce=secrets.token_hex(8),
            issued_at=datetime.now(UTC),
        )

    def sealed(self, release: Release, signer: CryptoSigner | None = None) -> dict[str, Any]:
        subjects = {release.deployment: release.digest or ""}
        return {"release": sign(signer or self.signer, "release/v1", subjects, release)}

    async def upload(self, artifact: Artifact) -> httpx.Response:
        headers = {"Upload-Offset": "0", "Upload-Length": str(len(artifact.data))}
        return await self.client.patch(f"/v1/artifacts/{artifact.digest}", content=artifact.data, headers=headers)

    async def desire(self, artifact: Artifact | None, generation: int, **words: Any) -> httpx.Response:
        if artifact is not None:
            await self.upload(artifact)
        release = self.release(artifact, generation, **words)
        return await self.client.put(f"/v1/desired/{release.component}", json=self.sealed(release))

    async def stage(self, artifact: Artifact, deployment: str, **words: Any) -> httpx.Response:
        await self.upload(artifact)
        release = self.release(artifact, purpose="stage", deployment=deployment, **words)
        return await self.client.put(f"/v1/slots/{deployment}.{release.attempt}", json=self.sealed(release))

    async def state(self) -> dict[str, Any]:
        return dict((await self.client.get("/v1/state")).json())

    async def component(self, name: str = "main") -> dict[str, Any]:
        return next(c for c in (await self.state())["components"] if c["component"] == name)

    async def settled(self, generation: int, component: str = "main") -> dict[str, Any]:
        """The component's state once this generation's switch has ended, well or not."""

        async def look() -> dict[str, Any] | None:
            state = await self.component(component)
            return state if state["generation"] == generation and state["status"] != "switching" else None

        return dict(await until(look, f"generation {generation} of {component} is settled"))

    async def runs(self, artifact: Artifact, generation: int, **words: Any) -> dict[str, Any]:
        """Make it current and see that it is."""
        response = await self.desire(artifact, generation, **words)
        assert response.status_code == 200, response.text
        state = await self.settled(generation, words.get("component", "main"))
        assert state["status"] == "healthy", state
        return state

    async def slot(self, name: str, *statuses: str) -> dict[str, Any]:
        """The slot's state once it is one of `statuses`."""

        async def look() -> dict[str, Any] | None:
            response = await self.client.get(f"/v1/slots/{name}")
            return response.json() if response.status_code == 200 and response.json()["status"] in statuses else None

        return dict(await until(look, f"slot {name} is {statuses}"))

    async def reboot(self) -> None:
        """Everything ends in the same instant, without a word; the agent is not started again."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
        for record in self.kept().values():
            os.kill(record["keeper"], signal.SIGKILL)  # the kernel takes the release with it

        async def gone() -> bool:
            return not self.kept()

        await until(gone, "nothing runs any more")

    def kept(self) -> dict[str, dict[str, int]]:
        """The processes recorded in the data folder that live, by slot or `door`. The agent may be tidying up there."""
        found = {}
        for path in (
            Path(folder, "process.json") for folder, _, files in os.walk(self.data) if "process.json" in files
        ):
            try:
                record = json.loads(path.read_text())
            except FileNotFoundError:
                continue
            if started_at(record["keeper"]) == record["keeper_started"]:
                found[path.parent.parent.name] = record
        return found

    async def close(self) -> None:
        """End everything, by pid; what must not have been left behind is looked at by the tests before this."""
        await self.client.aclose()
        await self.front.aclose()
        if self.serving is not None:
            await self.stop()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for record in self.kept().values():
            os.kill(record["keeper"], signal.SIGTERM)

        async def all_gone() -> bool:
            return not self.kept()

        await until(all_gone, "every process has ended")
