"""Worlds for the tests of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bot.support.world import World, running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A bot that runs on twins, with Public and one OMEGA configured."""
    async with running(World()) as made:
        yield made


@pytest.fixture
async def attentive() -> AsyncIterator[World]:
    """The same; and at the end every message must have been looked at."""
    async with running(World()) as made:
        yield made
    assert made.unread() == []
