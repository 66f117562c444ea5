"""A short form of what `make torture` asks real agents ten thousand times."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.product import crashing, product
from tests.agent.running import TOKEN, Agent
from tests.fuzz.api import Api, envelope


@pytest.fixture(params=["public", "omega"])
async def agent(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Agent]:
    agent = Agent(tmp_path / "agent", role=request.param, process=True, end_slots=True)
    try:
        yield await agent.start()
    finally:
        await agent.close()


async def test_whatever_is_asked_the_answer_is_a_documented_one(agent: Agent) -> None:
    digests = [artifact.digest for artifact in (product("one"), crashing()) if await agent.upload(artifact)]
    seen, signed = Counter[int](), Counter[int]()

    def ask() -> None:
        with Api(f"http://127.0.0.1:{agent.port}", {"Authorization": f"Bearer {TOKEN}"}) as api:
            api.fuzz(10, seen, derandomize=True)
            api.fuzz_signed(lambda release: envelope(agent.signer, release), digests, 40, signed, derandomize=True)

    await asyncio.to_thread(ask)
    assert seen.total() > 50, seen
    assert {400, 404} <= seen.keys(), seen
    assert {200, 409} <= signed.keys(), signed
    assert (await agent.state())["about"]["name"] == "tested", "it still answers"
