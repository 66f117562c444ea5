"""Every test of the contract runs on the store in memory, on SQLite and on PostgreSQL."""

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


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Store]:
    opened: Store
    match request.param:
        case "memory":
            opened = MemoryStore(clock)
        case "sqlite":
            opened = await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock)
        case _:
            opened = await SqlStore.open(request.getfixturevalue("database_url"), clock)
    yield opened
    await opened.close()
