"""Discord on loopback, for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.discord.peer.discord import Discord


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    """Guilds with people."""
    async with Discord() as running:
        yield running
