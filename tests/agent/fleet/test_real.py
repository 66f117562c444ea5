"""An OMEGA and a mainframe as they are shipped: processes, files, real releases behind real front doors."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.pair import MAINFRAME_TOKEN, distribute, healthy, omega_with_mainframe
from tests.agent.product import Artifact, product
from tests.agent.running import Agent


@pytest.fixture
async def omega_and_mainframe(tmp_path: Path) -> AsyncIterator[tuple[Agent, Agent]]:
    async with omega_with_mainframe(tmp_path) as both:
        yield both


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
