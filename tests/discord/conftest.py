"""Discord on loopback, for every test of this folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.discord.peer.contract import VARIABLE
from tests.discord.peer.discord import Discord

collect_ignore = [] if os.environ.get(VARIABLE) else ["test_contract.py"]
"""Without a copy of Discord's document there is nothing to hold anything against."""


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    """Guilds with people."""
    async with Discord() as running:
        yield running
