"""Making releases current: the switch, its failures, generations, going offline, and a switch under load."""

from __future__ import annotations

from tests.agent.product import crashing, product
from tests.agent.running import Agent


async def test_a_release_is_switched_to_and_replaced(agent: Agent) -> None:
    one, two = product("one"), product("two")
    state = await agent.runs(one, 1)
    assert (state["running"], state["replaced"], state["deployment"]) == (one.digest, None, "u#1")
    assert (await agent.front.get("/")).text == "one"
    state = await agent.runs(two, 2)
    assert (state["running"], state["replaced"]) == (two.digest, one.digest)
    assert (await agent.front.get("/")).text == "two"
