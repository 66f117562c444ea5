"""A store on SQLite in a folder of its own, and a plain connection to look behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.store.sql import SqlStore
from tests.contract.store.samples import StoppedClock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ashat.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    yield opened
    await opened.close()


@pytest.fixture
def behind(file: Path, store: SqlStore) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection
