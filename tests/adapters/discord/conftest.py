"""Discord and a bot, for every test of this folder that asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.discord.world import DiscordWorld, servers


@pytest.fixture
async def world() -> AsyncIterator[DiscordWorld]:
    """Over the gateway."""
    async with servers() as running:
        yield running
