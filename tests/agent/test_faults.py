"""A full disk, a crash an hour later, a clock that jumps: what the agent makes of them, and that it comes back."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Protocol

import pytest

from agent.host import Host
from agent.settings import load_settings
from tests.agent.fleet.world import World
from tests.agent.pair import distribute, distribution, healthy, omega_with_mainframe
from tests.agent.product import Artifact, product
from tests.agent.running import Agent, until

MIB = 1024 * 1024


class Disk(Protocol):
    """The disk of one agent."""

    folder: Path

    def fill(self, agent: Agent) -> None: ...

    def clear(self, agent: Agent) -> None: ...


class Limit:
    """The kernel lets the agent's process, and what it starts, write nothing: works for every user, on every disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, agent: Agent) -> None:
        self._allow(agent, 0)

    def clear(self, agent: Agent) -> None:
        self._allow(agent, resource.RLIM_INFINITY)

    def _allow(self, agent: Agent, size: int) -> None:
        assert agent.process is not None
        resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class Small:
    """A file system of its own without a byte left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "small"
        self.folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "ashat-test", str(self.folder)], check=True)

    def fill(self, agent: Agent) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            for size in (MIB, 4096, 1):
                with pytest.raises(OSError, match="No space left"):
                    _write_endlessly(ballast, b"\1" * size)

    def clear(self, agent: Agent) -> None:
        (self.folder / "ballast").unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def _write_endlessly(file: IO[bytes], data: bytes) -> None:
    while True:
        file.write(data)


@pytest.fixture(params=["limit", *(["file system"] if os.geteuid() == 0 else [])])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "limit":
        yield Limit(tmp_path)
        return
    small = Small(tmp_path)
    yield small
    small.close()


async def test_on_a_full_disk_nothing_is_lost_and_everything_goes_on_once_there_is_room(disk: Disk) -> None:
    agent = Agent(disk.folder / "agent", process=True)
    one, two, three = product("one"), product("two"), product("three")
    try:
        await agent.start()
        await agent.runs(one, 1)
        assert (await agent.upload(two)).status_code == 204
        disk.fill(agent)
        uploaded = await agent.upload(three)
        assert (uploaded.status_code, uploaded.json()["kind"]) == (507, "no_space"), uploaded.text
        wish = agent.sealed(agent.release(two, 2))
        for path, body in (
            ("/v1/desired/main", wish),
            ("/v1/slots/patch.1", agent.sealed(agent.release(two, purpose="stage", deployment="patch"))),
        ):
            answer = await agent.client.put(path, json=body)
            assert (answer.status_code, answer.json()["kind"]) == (507, "no_space"), answer.text
        assert ((await agent.component())["generation"], (await agent.state())["slots"]) == (1, [])
        assert (await agent.front.get("/")).text == "one"
        await until_it_was_looked_around(agent)
        disk.clear(agent)
        assert (await agent.upload(three)).status_code == 204
        assert (await agent.client.put("/v1/desired/main", json=wish)).status_code == 200
        assert (await agent.settled(2))["running"] == two.digest
        assert (await agent.front.get("/")).text == "two"
    finally:
        await agent.close()


async def until_it_was_looked_around(agent: Agent) -> None:
    """A current release that dies on a full disk is noticed and, once there is room, started again."""
    os.kill(agent.kept()["main@1"]["child"], signal.SIGKILL)

    async def noticed() -> bool:
        return (await agent.component())["status"] == "crashed"

    await until(noticed, "it is noticed")


async def test_a_disk_that_fills_up_during_a_switch_leaves_the_old_release_and_is_named(disk: Disk) -> None:
    agent = Agent(disk.folder / "agent", process=True)
    one = product("one")
    go = disk.folder / "go"  # not in the slot, which is cleared away where the switch fails
    two = product("two", run=f'migrate = ["sh", "-c", "while test ! -e {go}; do sleep 0.05; done"]')
    try:
        await agent.start()
        await agent.runs(one, 1)
        await agent.desire(two, 2)

        async def migrates() -> bool:
            return (agent.data / "slots/main@2/migrate/process.json").exists()

        await until(migrates, "it migrates")
        go.touch()
        disk.fill(agent)
        assert (await agent.front.get("/")).text == "one"
        disk.clear(agent)

        async def has_tried() -> dict[str, Any] | None:
            state = await agent.component()
            return state if state["status"] != "switching" else None

        state = await until(has_tried, "it ends")
        if state["status"] == "failed":
            assert state["running"] == one.digest, state
            assert (await agent.desire(two, 2)).status_code == 200
        assert (await agent.settled(2))["running"] == two.digest
        assert (await agent.front.get("/")).text == "two"
    finally:
        await agent.close()


async def test_omega_on_a_full_disk_takes_on_nothing_and_distributes_once_there_is_room(tmp_path: Path) -> None:
    disk = Limit(tmp_path)
    async with omega_with_mainframe(tmp_path) as (omega, mainframe):
        one = product("one")
        await omega.upload(one)
        release = omega.release(one, 1)
        disk.fill(omega)
        answer = await omega.client.put("/v1/distributions/main", json=distribution(omega, release))
        assert (answer.status_code, answer.json()["kind"]) == (507, "no_space"), answer.text
        assert (await omega.client.get("/v1/distributions/main")).status_code == 404
        disk.clear(omega)
        await distribute(omega, release)
        await healthy(omega, mainframe, 1)


class Moved:
    """A wall clock and a monotonic one, both moved by the test."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.monotonic = 1000.0

    def now(self) -> datetime:
        return self.wall

    def seconds(self) -> float:
        return self.monotonic


class Hosted:
    """A host in this process, whose clocks are the test's; the agent around it is left out."""

    def __init__(self, folder: Path, clock: Moved) -> None:
        self.agent = Agent(folder)
        self.clock = clock
        settings = load_settings(self.agent.config)
        self.host = Host(settings, clock.now, seconds=clock.seconds, tied=True)

    async def put(self, artifact: Artifact) -> None:
        async def pieces() -> Any:
            yield artifact.data

        await self.host.artifacts.append(artifact.digest, 0, len(artifact.data), pieces())

    async def runs(self, artifact: Artifact, generation: int) -> None:
        await self.put(artifact)
        release = self.agent.release(artifact, generation)
        await self.host.desire(release, self.agent.sealed(release)["release"])
        await self.is_("healthy", artifact.digest)

    async def is_(self, status: str, digest: str) -> None:
        async def so() -> bool:
            state = self.host.component("main")
            return (state.status, state.running) == (status, digest)

        await until(so, f"main is {status} with {digest[:8]}")


@pytest.fixture
async def hosted(tmp_path: Path) -> Any:
    hosted = Hosted(tmp_path / "agent", Moved())
    await hosted.host.start()
    hosted.host.tend()
    yield hosted
    await hosted.host.close(end=True)
    await hosted.agent.close()


async def test_a_release_that_crashes_an_hour_later_is_started_again_as_after_its_first_crash(hosted: Hosted) -> None:
    one = product("one")
    await hosted.runs(one, 1)
    for wait, hour in ((0.5, False), (1.0, False), (2.0, True), (0.5, False), (1.0, False)):
        before = hosted.agent.kept()["main@1"]
        os.kill(before["child"], signal.SIGKILL)
        await hosted.is_("crashed", one.digest)
        hosted.clock.monotonic += wait - 0.01
        await asyncio.sleep(0)
        assert hosted.host.component("main").status == "crashed"
        hosted.clock.monotonic += 0.02
        await hosted.is_("healthy", one.digest)
        assert hosted.agent.kept()["main@1"] != before
        if hour:
            hosted.clock.monotonic += 3600


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
async def test_a_clock_that_jumps_changes_nothing_on_a_host(hosted: Hosted, jump: timedelta) -> None:
    one, two = product("one"), product("two")
    await hosted.runs(one, 1)
    await hosted.runs(two, 2)
    hosted.clock.wall += jump
    assert set(hosted.agent.kept()) == {"door", "main@1", "main@2"}
    before = hosted.agent.kept()["main@1"]
    await hosted.runs(one, 3)
    assert hosted.agent.kept()["main@1"] == before, "it was still warm"
    hosted.clock.wall -= jump
    hosted.clock.monotonic += 3600

    async def cooled() -> bool:
        return set(hosted.agent.kept()) == {"door", "main@1"}

    await until(cooled, "what is no longer warm has ended")
    await hosted.is_("healthy", one.digest)


@pytest.mark.parametrize("jumps", [(timedelta(days=3), timedelta(days=-6)), (timedelta(days=-3), timedelta(days=6))])
async def test_a_clock_that_jumps_stops_no_distribution(tmp_path: Path, jumps: tuple[timedelta, ...]) -> None:
    world = World(tmp_path)
    world.mainframe("m1")
    await world.start_omega()
    try:
        world.wake("m1")
        for generation, jump in enumerate((timedelta(0), *jumps), 1):
            world.clock.time += jump
            digest = world.artifact(secrets.token_bytes(100))
            await world.distribute(world.bot.release(generation, digest))
            assert (await world.shows("m1", "healthy")).running == digest
    finally:
        await world.close()
