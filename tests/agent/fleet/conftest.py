"""The fleet's world, ended after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.fleet.world import Wire, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def wire(world: World) -> AsyncIterator[Wire]:
    made = Wire(world)
    await made.open()
    yield made
    await made.close()
