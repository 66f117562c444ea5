from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.updates import Update, updates
from tests.demo.slots import Running, running

Run = Callable[[str], Running]


@pytest.fixture(scope="session")
def catalogue() -> dict[str, Update]:
    return {update.id: update for update in updates()}


@pytest.fixture
def run(catalogue: dict[str, Update], tmp_path: Path) -> Iterator[Run]:
    """Starts updates; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda update_id: stack.enter_context(running(catalogue[update_id], tmp_path / update_id))
