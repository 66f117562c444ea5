from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.checks.app import App


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """A running release whose artifact folder is empty."""
    folder = tmp_path / "slot"
    folder.mkdir()
    served = App(folder)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def production(tmp_path: Path) -> AsyncIterator[App]:
    """Production's release on the same host."""
    folder = tmp_path / "baseline"
    folder.mkdir()
    served = App(folder)
    await served.start()
    yield served
    await served.stop()
