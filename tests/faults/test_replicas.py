"""Several bots on one PostgreSQL: they share the work, one takes over from another, and nothing is done twice.

Replicas and servers are processes. One replica is killed or frozen while OMEGA carries out what it asked for.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from securesystemslib.signer import CryptoSigner

from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from bot.wiring import SystemClock
from core.ports import Store
from core.stages import Stage
from tests.contract.servers import Processes, eventually, processes
from tests.contract.updates import product, tar_gz
from tests.faults.gate import Gate, Moment, gate

ROOT = Path(__file__).resolve().parents[2]
LEASE = 2.0
"""Seconds; the bot's own is 15."""
SLACK = 4.0
"""Seconds beyond what is promised that a busy machine may take."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("servers")) as started:
        yield started


@dataclass
class Replica:
    name: str
    process: Process
    log: Path
    owner: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def says(self, person: str, text: str) -> str:
        """What they are told."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"person": person, "text": text, "number": next(self._numbers)}).encode())
        self.process.stdin.write(b"\n")
        reply = await self.hears()
        assert reply["outcome"] == "done", reply
        return str(reply["title"])

    async def hears(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        assert line, f"{self.name} has ended: {self.log.read_text()[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def ends(self) -> None:
        """As a bot that is told to stop."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert await asyncio.wait_for(self.process.wait(), 60) == 0, self.log.read_text()[-3000:]

    def logged(self, what: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == what]


@dataclass
class World:
    """Two replicas on one database, their servers, and what they wrote into the channel."""

    replicas: tuple[Replica, ...]
    store: Store
    database_url: str
    omega: Gate
    alpha: Path
    paper: Path
    signer: CryptoSigner

    def ships(self, id_: str, component: str) -> None:
        (self.alpha / f"{id_}.tar.gz").write_bytes(tar_gz(product(f"this is {id_}", component, python=sys.executable)))

    async def reaches(self, id_: str, stage: Stage) -> None:
        async def now() -> Stage | None:
            d = await self.store.deployment(id_)
            assert d is None or d.stage is not Stage.FAILED, (await self.store.journal(d.key))[-1].data
            return d.stage if d else None

        await eventually(now, lambda found: found is stage)

    async def holder(self, key: str) -> tuple[Replica | None, int]:
        """Who works on it, and the fence."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            row = await (
                await connection.execute("SELECT lease_owner, fence FROM work WHERE key = %s", (key,))
            ).fetchone()
        assert row is not None
        return next((one for one in self.replicas if one.owner == row[0]), None), row[1]

    def others(self, replica: Replica) -> list[Replica]:
        return [one for one in self.replicas if one is not replica]

    def written(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.paper.read_text().splitlines()]

    async def nothing_was_told_twice(self, stopped: Replica | None = None) -> None:
        """Nor lost: the outbox is empty, and every message of it was sent once.

        But for one in each place that `stopped` was about to send, or had sent and not noted: it is sent again with
        the same nonce, by which a platform tells that it has it.
        """

        async def waiting() -> object:
            return await self.store.channels_waiting()

        await eventually(waiting, lambda channels: channels == [])
        writers: dict[tuple[str, str], list[str]] = defaultdict(list)
        for message in self.written():
            if message["nonce"]:
                writers[message["where"], message["nonce"]].append(message["by"])
        twice = {sent: names for sent, names in writers.items() if len(names) > 1}
        if stopped is not None:
            assert all(len(names) == 2 and names.count(stopped.name) == 1 for names in twice.values()), twice
            assert len({where for where, _ in twice}) == len(twice), twice
        else:
            assert twice == {}


@asynccontextmanager
async def replica(name: str, given: dict[str, Any], folder: Path) -> AsyncIterator[Replica]:
    """Its process, killed at the end wherever it is."""
    config, log = folder / f"{name}.json", folder / f"{name}.log"
    config.write_text(json.dumps({**given, "name": name}))
    command = (sys.executable, "-m", "tests.faults.replica", str(config))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=out)
    try:
        yield Replica(name, process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def running(
    servers: Processes, database_url: str, folder: Path, number: int = 2, lease: float = LEASE
) -> AsyncIterator[World]:
    """So many replicas that start at the same moment; the servers are configured."""
    (folder / "alpha").mkdir()
    (folder / "bot.key").write_bytes(servers.signer.private_bytes)
    (folder / "bot.key").chmod(0o600)
    async with AsyncExitStack() as stack:
        omega = await stack.enter_async_context(gate(servers.omega_url))
        given = {
            "database_url": database_url, "artifacts": str(folder / "artifacts"), "alpha": str(folder / "alpha"),
            "key_file": str(folder / "bot.key"), "paper": str(folder / "paper"), "token": servers.token,
            "agents": [servers.public_url, omega.url], "lease": lease,
        }  # fmt: skip
        store = await SqlStore.open(database_url, SystemClock())
        stack.push_async_callback(store.close)
        names = [f"replica-{n}" for n in range(number)]
        replicas = tuple([await stack.enter_async_context(replica(name, given, folder)) for name in names])
        for one in replicas:
            one.owner = (await one.hears())["owner"]
        world = World(replicas, store, database_url, omega, folder / "alpha", folder / "paper", servers.signer)
        await replicas[0].says("eve", f"deploy configure public {servers.public_url} Staging")
        await replicas[-1].says("eve", f"deploy configure omega {omega.url} Production")
        yield world


async def approved(world: World, id_: str, component: str) -> None:
    """Pushed at one replica, verified and approved at another."""
    first, second = world.replicas[0], world.replicas[-1]
    world.ships(id_, component)
    await first.says("alice", f"deploy push {id_} 'Fix the login'")
    await second.says("alice", f"deploy verify {id_}")
    await world.reaches(id_, Stage.AWAITING_APPROVAL)
    await first.says("bo", f"deploy approve {id_}")


async def counted(world: World, id_: str) -> Counter[str]:
    return Counter(entry.kind for entry in await world.store.journal(f"{id_}#1"))


async def whole_and_once(world: World, id_: str, stopped: Replica) -> None:
    """Every event once, every message once, and a journal that nobody forked."""
    kinds = await eventually(lambda: counted(world, id_), lambda found: found["Attested"] > 0)  # after the completion
    once = (
        "Pushed",
        "Staged",
        "VerificationPassed",
        "Approved",
        "LaneTaken",
        "RegionSwitched",
        "Completed",
        "Attested",
    )
    assert {kind: kinds[kind] for kind in once} == dict.fromkeys(once, 1)
    await world.nothing_was_told_twice(stopped)
    for one in world.replicas:
        if one.process.returncode is None:
            await one.ends()
    assert await faults(world.store, [world.signer.public_key]) == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("end", ["killed", "frozen"])
async def test_another_replica_takes_over_in_the_middle_of_an_effect(
    end: str, moment: Moment, servers: Processes, database_url: str, tmp_path: Path
) -> None:
    """`moment`: OMEGA has not got the request yet, or has carried it out and the answer is on its way."""
    name, component = f"v-{end}-{moment}", f"{end}-{moment}"
    async with running(servers, database_url, tmp_path) as world:
        world.omega.shut(f"PUT /v1/desired/{component}".encode(), moment)
        await approved(world, name, component)
        await asyncio.wait_for(world.omega.holds.wait(), 60)
        victim, fence = await world.holder(f"{name}#1")
        assert victim is not None
        if end == "killed":
            await victim.kill()
        else:
            victim.freeze()
        stopped = time.monotonic()
        heir, risen = await eventually(lambda: world.holder(f"{name}#1"), lambda found: found[1] > fence)
        took = time.monotonic() - stopped
        assert took < LEASE + 1 + SLACK
        await world.reaches(name, Stage.COMPLETED)
        assert heir in (None, *world.others(victim))
        assert risen == fence + 1

        world.omega.open()  # what was under way arrives after all
        if end == "frozen":
            victim.wake()
            await eventually(lambda: asyncio.to_thread(victim.logged, "lease lost"), bool)
            assert name in await victim.says("vi", f"deploy status {name}")
        print(f"{end} {moment}: taken over after {took:.2f} s, the lease is {LEASE:g} s")
        await whole_and_once(world, name, victim)


@pytest.mark.timeout(180)
async def test_three_replicas_share_the_work_and_the_channel(
    servers: Processes, database_url: str, tmp_path: Path
) -> None:
    """Six updates at once; then the replica that writes to the channel is killed, and another writes on.

    The lease is long, so that no replica of a busy machine loses the channel by being slow.
    """
    async with running(servers, database_url, tmp_path, number=3, lease=5 * LEASE) as world:
        ids = [f"shared-{number}" for number in range(6)]
        for number, id_ in enumerate(ids):
            world.ships(id_, f"part-{number}")
            await world.replicas[number % 3].says("alice", f"deploy push {id_} 'Fix the login'")
            await world.replicas[(number + 1) % 3].says("alice", f"deploy verify {id_}")
        for id_ in ids:
            await world.reaches(id_, Stage.AWAITING_APPROVAL)
        await world.nothing_was_told_twice()
        writers = {message["by"] for message in world.written()}
        assert len(writers) == 1, f"a channel has one writer, not {writers}"
        writer = next(one for one in world.replicas if one.name in writers)
        await writer.kill()
        other = world.others(writer)[0]
        await other.says("bo", f"deploy approve {ids[0]}")
        await world.reaches(ids[0], Stage.COMPLETED)
        await world.nothing_was_told_twice(writer)
        assert len({message["by"] for message in world.written()}) == 2
        await whole_and_once(world, ids[0], writer)
