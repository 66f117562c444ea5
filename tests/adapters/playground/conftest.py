"""A bot with its playground for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.playground.world import World, world


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made
