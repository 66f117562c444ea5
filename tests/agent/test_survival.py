"""What goes on without the agent, what is taken up again after it, and what must never be left behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from agent.processes.kept import Keepers, alive, ending, started_at
from tests.agent.conftest import StartAgent
from tests.agent.product import product
from tests.agent.running import Agent, until


async def test_an_agent_that_is_killed_leaves_everything_serving_and_takes_it_up_again(start_agent: StartAgent) -> None:
    agent = await start_agent(process=True)
    one, two = product("one"), product("two")
    await agent.runs(one, 1)
    await agent.stage(two, "patch")
    staged = await agent.slot("patch.1", "healthy")
    before = agent.kept()
    agent.signal(signal.SIGKILL)
    assert (await agent.front.get("/")).text == "one"
    await agent.start()
    assert agent.kept() == before, "nothing was started twice"
    assert (await agent.component())["status"] == "healthy"
    assert await agent.slot("patch.1", "healthy") == staged
    await agent.runs(two, 2)
    assert (await agent.front.get("/")).text == "two"


async def test_an_agent_killed_in_the_middle_of_a_switch_finishes_it(start_agent: StartAgent) -> None:
    agent = await start_agent(process=True)
    await agent.runs(product("one"), 1)
    two = product("two", run='migrate = ["sleep", "1"]')
    await agent.desire(two, 2)
    agent.signal(signal.SIGKILL)
    assert (await agent.front.get("/")).text == "one"
    await agent.start()
    state = await agent.settled(2)
    assert (state["status"], state["running"]) == ("healthy", two.digest)
    assert (await agent.front.get("/")).text == "two"


async def test_sigterm_ends_the_agent_alone(start_agent: StartAgent) -> None:
    agent = await start_agent(process=True)
    await agent.runs(product("one"), 1)
    before = agent.kept()
    assert agent.signal(signal.SIGTERM) == 0
    assert agent.kept() == before
    assert (await agent.front.get("/")).text == "one"


async def test_with_end_slots_everything_ends_with_the_agent(start_agent: StartAgent) -> None:
    agent = await start_agent(process=True, end_slots=True)
    await agent.runs(product("one"), 1)
    pids = [record["child"] for record in agent.kept().values()]
    assert len(pids) == 2
    assert agent.signal(signal.SIGTERM) == 0
    assert agent.kept() == {}
    assert all(started_at(pid) is None for pid in pids)


async def test_with_end_slots_even_a_killed_agent_leaves_nothing_behind(start_agent: StartAgent) -> None:
    agent = await start_agent(process=True, end_slots=True)
    await agent.runs(product("one"), 1)
    pids = [record["child"] for record in agent.kept().values()]
    agent.signal(signal.SIGKILL)

    async def gone() -> bool:
        return not agent.kept() and all(started_at(pid) is None for pid in pids)

    await until(gone, "all processes have ended by themselves")


async def test_after_a_reboot_current_and_staged_releases_run_again(agent: Agent) -> None:
    one, two = product("one"), product("two")
    await agent.runs(one, 1)
    await agent.stage(two, "patch")
    await agent.slot("patch.1", "healthy")
    await agent.stop()
    for name, record in agent.kept().items():
        await Keepers().stop(run_folder(agent, name), grace=30)
        assert started_at(record["child"]) is None
    await agent.start()
    await agent.slot("patch.1", "healthy")
    assert (await agent.component())["status"] == "healthy"
    assert (await agent.front.get("/")).text == "one"


def run_folder(agent: Agent, name: str) -> Path:
    return agent.data / "door/run" if name == "door" else agent.data / "slots" / name / "run"


async def test_a_crashed_current_release_is_reported_and_started_again(agent: Agent) -> None:
    await agent.runs(product("one"), 1)
    before = agent.kept()["main@1"]
    assert (await agent.front.get("/die")).status_code == 502

    async def crashed() -> dict[str, object] | None:
        state = await agent.component()
        return state if state["status"] == "crashed" else None

    state = await until(crashed, "it is reported")
    assert "ended with status 3" in state["error"]
    assert "dying as asked" in state["error"]
    await agent.settled(1)

    async def healthy() -> bool:
        return (await agent.component())["status"] == "healthy"

    await until(healthy, "it runs again")
    assert (await agent.front.get("/")).text == "one"
    assert agent.kept()["main@1"] != before


async def test_a_front_door_that_is_killed_is_opened_again_at_the_same_address(agent: Agent) -> None:
    await agent.runs(product("one"), 1)
    before = agent.kept()["door"]
    os.kill(before["child"], signal.SIGKILL)

    async def again() -> bool:
        return agent.kept().get("door", before) != before

    await until(again, "another door runs")

    async def serves() -> bool:
        try:
            return (await agent.front.get("/")).text == "one"
        except httpx.TransportError:
            return False

    await until(serves, "it serves")


async def test_a_killed_keeper_takes_its_release_with_it(agent: Agent) -> None:
    await agent.runs(product("one"), 1)
    before = agent.kept()["main@1"]
    os.kill(before["keeper"], signal.SIGKILL)

    async def replaced() -> bool:
        return started_at(before["child"]) is None and agent.kept().get("main@1", before) != before

    await until(replaced, "the release is gone, and another runs")


async def test_a_second_agent_on_the_same_data_is_refused(start_agent: StartAgent) -> None:
    agent = await start_agent()
    agent.end_slots = False
    second = agent._spawn()
    assert second.wait(60) == 2
    assert f"another agent works in {agent.data}" in agent.log


async def test_a_staged_release_that_crashes_is_reported_and_stays_down(agent: Agent) -> None:
    await agent.stage(product("one"), "patch")
    slot = await agent.slot("patch.1", "healthy")
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(slot["url"] + "die")
    state = await agent.slot("patch.1", "crashed")
    assert "dying as asked" in state["error"]
    assert state["url"] is None
    assert ending(agent.data / "slots/patch.1/run") is not None
    assert not alive(agent.data / "slots/patch.1/run")
    assert json.loads((agent.data / "slots/patch.1/slot.json").read_text())["status"] == "crashed"
