"""A short form of what `make torture` does many times, at many moments: `kill -9` in the middle of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.kills import POINTS


@pytest.mark.parametrize("point", ["upload", "migration", "switch", "verification", "receipt"])
async def test_an_agent_that_is_killed_comes_to_the_same_end(point: str, tmp_path: Path) -> None:
    await POINTS[point](tmp_path, 0.0)
