"""`kill -9` of a real bot in every stage, in the middle of real work on real servers; then it is started again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from adapters.store.sql import SqlStore
from bot.checkpoints import faults, whole
from bot.keys import load
from bot.proof import unlike
from bot.wiring import SystemClock
from tests.faults.fleet import Fleet, fleet, until

NOISE = ("CheckFinished", "MainframeChanged", "OutcomeStale", "HealthWorsened", "HealthRecovered")
"""What there may be several of, or depends on when somebody looked."""


@contextmanager
def killed(world: Fleet, id_: str, stage: str, *frozen: str) -> Iterator[None]:
    """The block leads to the stage, in which the servers that stand still keep it; there the bot is killed."""
    with world.frozen(*frozen):
        yield
        world.reaches(id_, stage)
        world.kill()
        assert world.stage(id_) == stage
    world.start()


def verified(world: Fleet, id_: str) -> None:
    world.ships(id_)
    world.says("push", id_, "Fix the login")
    world.says("verify", id_)
    world.reaches(id_, "awaiting_approval")


def each_once(world: Fleet, id_: str) -> None:
    times = Counter(kind for kind in world.journal(id_) if kind not in NOISE)
    allowed = {"DistributionTaken": 2, "BaselineSet": 2}
    doubled = {kind: count for kind, count in times.items() if count > allowed.get(kind, 1)}
    assert not doubled, f"{id_}: {doubled}"


def serve(world: Fleet, id_: str) -> None:
    for name in ("omega", "m1", "m2"):
        assert world.serves(name) == f"this is {id_}", name


@pytest.mark.timeout(240)
async def test_the_end_is_the_same_in_whatever_stage_the_bot_is_killed(tmp_path: Path) -> None:
    with fleet(tmp_path / "demo") as world:
        world.start()
        world.says("configure", "public", world.url("public"), "Staging")
        world.says("configure", "omega", world.url("omega"), "Production", "--region", "eu")
        staged_to_awaiting(world)
        deploying_and_distributing(world)
        scheduled_and_rolling_back(world)
        for id_ in ("v1", "v2", "v3", "v4"):
            each_once(world, id_)
        until(lambda: world.unsent() == 0, "everything that was to be told has been")
        world.kill()
        await audited(world, load(world.data / "bot.key.pem"))


def staged_to_awaiting(world: Fleet) -> None:
    world.ships("big", component="docs", ballast=32 << 20)
    world.says("push", "big", "Something that takes its time to copy")
    world.kill()
    assert world.stage("big") in ("planned", "staging")
    world.start()
    world.reaches("big", "staged")
    each_once(world, "big")
    world.says("cancel", "big")

    world.ships("v1")
    with killed(world, "v1", "staging", "public"):
        world.says("push", "v1", "Fix the login")
    world.reaches("v1", "staged")
    with killed(world, "v1", "verifying", "public"):
        world.says("verify", "v1")
    world.reaches("v1", "awaiting_approval")
    with killed(world, "v1", "awaiting_approval"):
        pass
    assert world.stage("v1") == "awaiting_approval"


def deploying_and_distributing(world: Fleet) -> None:
    with killed(world, "v1", "deploying", "omega"):
        world.says("approve", "v1")
    world.reaches("v1", "completed")
    serve(world, "v1")
    verified(world, "v2")
    with killed(world, "v2", "distributing", "m1", "m2"):
        world.says("approve", "v2")
    world.reaches("v2", "completed")
    serve(world, "v2")


def scheduled_and_rolling_back(world: Fleet) -> None:
    verified(world, "v3")
    verified(world, "v4")
    with killed(world, "v4", "scheduled", "omega"):
        world.says("approve", "v3")
        world.says("approve", "v4")
    world.reaches("v4", "completed")
    assert world.stage("v3") == "completed"
    serve(world, "v4")
    with killed(world, "v4", "rolling_back", "omega"):
        world.says("rollback", "v4", "login errors")
    world.reaches("v4", "rolled_back")
    serve(world, "v3")


async def audited(world: Fleet, signer: CryptoSigner) -> None:
    """Every chain is whole, every checkpoint stands, state is what they tell, and each completion was attested once."""
    store = await SqlStore.open(f"sqlite:///{world.data / 'bot' / 'ashat.db'}", SystemClock())
    try:
        assert await faults(store, [signer.public_key]) == []
        assert [fault async for fault in unlike(store)] == []
        for head in await store.heads():
            kinds = Counter([entry.kind async for entry in whole(store, head.chain)])
            assert kinds["Attested"] == kinds["Completed"], head.chain
    finally:
        await store.close()
