"""Every test of the contract runs on the store in memory and on the one on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.store.memory import MemoryStore
from adapters.store.sql import SqlStore
from core.ports import Store
from tests.contract.store.samples import StoppedClock


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "memory":
        opened = MemoryStore(clock)
    else:
        opened = await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock)
    yield opened
    await opened.close()
