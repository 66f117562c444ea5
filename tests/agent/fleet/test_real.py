"""An OMEGA and a mainframe as they are shipped: processes, files, real releases behind real front doors."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from core.release.signing import new_key, public_text, sign, signer_from_pem
from core.release.wire import DistributionState, Release
from tests.agent.product import Artifact, product
from tests.agent.running import Agent, until

MAINFRAME_TOKEN = "the-token-of-the-mainframe"


@pytest.fixture
async def omega_and_mainframe(tmp_path: Path) -> AsyncIterator[tuple[Agent, Agent]]:
    """Both know the same bot, and each other."""
    key = new_key()
    entry = f"""
[[mainframes]]
name = "tested"
owner = "Ada"
public_key = "{public_text(signer_from_pem(key))}"
token_sha256 = "{sha256(MAINFRAME_TOKEN.encode()).hexdigest()}"
"""
    omega = Agent(tmp_path / "omega", "", entry, role="omega", process=True)
    (tmp_path / "token").write_text(MAINFRAME_TOKEN)
    link = f'[omega]\nurl = "http://127.0.0.1:{omega.port}"\ntoken_file = "{tmp_path / "token"}"'
    mainframe = Agent(tmp_path / "mainframe", "keep_warm = false", link, role="mainframe", process=True)
    settings = mainframe.config.read_text()
    mainframe.config.write_text(settings.replace(public_text(mainframe.signer), public_text(omega.signer)))
    mainframe.data.mkdir()
    (mainframe.data / "agent.key").write_bytes(key)
    try:
        await asyncio.gather(omega.start(), mainframe.start())
        yield omega, mainframe
    finally:
        await mainframe.close()
        await omega.close()


async def distribute(omega: Agent, release: Release) -> None:
    body = {"release": sign(omega.signer, "release/v1", {"main": release.digest or "0" * 64}, release)}
    answer = await omega.client.put("/v1/distributions/main", json={**body, "hold": False, "order": 0})
    assert answer.status_code == 200, answer.text


async def healthy(omega: Agent, mainframe: Agent, generation: int) -> DistributionState:
    """The distribution, once the mainframe has proved that it runs `generation`."""

    async def look() -> DistributionState | None:
        answer = await omega.client.get("/v1/distributions/main")
        state = DistributionState.model_validate_json(answer.content)
        one = state.mainframes[0]
        assert one.status != "failed", (one.error, mainframe.log)
        return state if (one.status, state.generation) == ("healthy", generation) else None

    return DistributionState.model_validate(await until(look, f"generation {generation} is healthy on the mainframe"))


async def test_from_omega_to_a_mainframes_front_door(omega_and_mainframe: tuple[Agent, Agent]) -> None:
    omega, mainframe = omega_and_mainframe
    one, two = product("one"), product("two")
    for artifact in (one, two):
        await omega.upload(artifact)
    await distribute(omega, omega.release(one, 1))
    state = await healthy(omega, mainframe, 1)
    assert (await mainframe.front.get("/")).text == "one"
    assert state.mainframes[0].running == one.digest
    assert mainframe.signal(signal.SIGKILL) == -signal.SIGKILL
    await distribute(omega, omega.release(two, 2))
    omega.signal(signal.SIGKILL)
    assert (await mainframe.front.get("/")).text == "one"  # what it runs needs neither of them
    await asyncio.gather(omega.start(), mainframe.start())
    await healthy(omega, mainframe, 2)
    assert (await mainframe.front.get("/")).text == "two"


async def test_a_mainframe_cannot_fetch_what_it_was_not_given(omega_and_mainframe: tuple[Agent, Agent]) -> None:
    omega, _ = omega_and_mainframe
    other: Artifact = product("three")
    await omega.upload(other)
    path, headers = f"/v1/artifacts/{other.digest}", {"Authorization": f"Bearer {MAINFRAME_TOKEN}"}
    assert (await omega.client.get(path, headers=headers)).status_code == 404
    assert (await omega.client.get(path)).content == other.data
    assert (await omega.client.head(path)).headers["Upload-Complete"] == "?1"
