"""Agents that end with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import Agent

StartAgent = Callable[..., Awaitable[Agent]]


@pytest.fixture
async def start_agent(tmp_path: Path) -> AsyncIterator[StartAgent]:
    """Starts agents; whatever they started has ended when the test has."""
    agents: list[Agent] = []

    async def start(*settings: str, **words: Any) -> Agent:
        agent = Agent(tmp_path / f"agent{len(agents)}", *settings, **words)
        agents.append(agent)
        return await agent.start()

    yield start
    for agent in agents:
        await agent.close()


@pytest.fixture
async def agent(start_agent: StartAgent) -> Agent:
    return await start_agent()
