"""Releases of owner level on their way there and back: each mainframe runs what is for its tier, and nothing else."""

from __future__ import annotations

import pytest

from core import commands as c
from core.announce import fleet_lines
from core.stages import Stage
from core.state import ManifestFacts
from tests.core.support import laws
from tests.core.support.team import ALICE, BO, CY
from tests.core.support.world import World, digest_of

ALL = ManifestFacts("main")
OWNERS = ManifestFacts("main", "server-owner")
V, W, X = digest_of("v"), digest_of("w"), digest_of("x")


def shipped(**updates: ManifestFacts) -> World:
    """These are in production, one after another."""
    world = World(updates=dict(updates))
    laws.watch(world)
    for update in updates:
        world.done(ALICE, c.Push(update, "some change"))
        world.done(ALICE, c.Verify(update))
        world.settle()
        world.done(BO, c.Approve(update))
        world.done(CY, c.Approve(update))
        world.settle(limit=200)
        assert world.deployments[f"{update}#1"].stage is Stage.COMPLETED
    return world


def runs(world: World) -> tuple[str | None, str | None, str | None]:
    """OMEGA, an ordinary mainframe, an owner's."""
    host = world.omegas["eu"]
    ordinary, owners = host.mainframes["m1"], host.mainframes["m2"]
    return host.running.get("main"), ordinary.running.get("main"), owners.running.get("main")


def rolled_back(world: World, update: str) -> tuple[str, ...]:
    says = world.done(BO, c.Rollback(update))
    world.settle(limit=200)
    assert world.deployments[f"{update}#1"].stage is Stage.ROLLED_BACK
    laws.hold(world)
    laws.journal_gives_the_state(world)
    return says


def test_an_update_for_owners_reaches_them_alone() -> None:
    assert runs(shipped(v=ALL, w=OWNERS)) == (W, V, W)


def test_rolling_it_back_gives_the_others_nothing() -> None:
    world = shipped(v=ALL, w=OWNERS)
    given = world.omegas["eu"].mainframes["m1"].given["main"]
    rolled_back(world, "w")
    assert runs(world) == (V, V, V)
    assert world.omegas["eu"].mainframes["m1"].given["main"] is given


def test_rolling_back_what_replaced_it_takes_each_back_to_its_own() -> None:
    world = shipped(v=ALL, w=OWNERS, x=ALL)
    assert runs(world) == (X, X, X)
    says = rolled_back(world, "x")
    assert says == ("Rolling x back: OMEGA eu returns to w (mainframes below SERVER OWNER LEVEL: v)",)
    assert runs(world) == (W, V, W)
    rolled_back(world, "w")
    assert runs(world) == (V, V, V)
    rolled_back(world, "v")
    assert runs(world) == (None, None, None)


def test_two_for_owners_on_top_of_each_other() -> None:
    world = shipped(v=ALL, w=OWNERS, x=OWNERS)
    assert runs(world) == (X, V, X)
    rolled_back(world, "x")
    assert runs(world) == (W, V, W)


def test_the_first_release_may_be_for_owners() -> None:
    world = shipped(w=OWNERS, x=ALL)
    rolled_back(world, "x")
    assert runs(world) == (W, None, W)
    assert fleet_lines(world.deployments["x#1"]) == (
        "1 of 1 mainframes healthy", "1 of 1 mainframes offline",
    )  # fmt: skip
    rolled_back(world, "w")
    assert runs(world) == (None, None, None)
    assert fleet_lines(world.deployments["w#1"]) == ("1 of 1 mainframes offline",)


@pytest.mark.parametrize("mood", ["asleep", "well"])
def test_a_mainframe_that_slept_through_it_all_wakes_to_its_own(mood: str) -> None:
    world = shipped(v=ALL, w=OWNERS)
    world.omegas["eu"].mainframes["m1"].mood = mood  # type: ignore[assignment] # the literals above
    world.updates["x"] = ALL
    world.done(ALICE, c.Push("x", "some change"))
    world.done(ALICE, c.Verify("x"))
    world.settle()
    world.done(BO, c.Approve("x"))
    world.done(CY, c.Approve("x"))
    world.settle(limit=200)
    rolled_back(world, "x")
    world.omegas["eu"].mainframes["m1"].mood = "well"
    world.omegas["eu"].work()
    assert runs(world) == (W, V, W)
