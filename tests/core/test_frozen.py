"""A frozen mainframe: nothing new reaches it while all else goes on, and afterwards it runs what its peers run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core.cards import Bar
from core.events import LaneTaken, MainframesLetIn, Retried, RollbackStarted
from core.facts import FleetSeen, RegistrySeen
from core.moments import flat
from core.phases import blocks
from core.release.wire import Registered
from core.stages import Stage
from core.state import LeftOut, ManifestFacts
from core.views.answers import mainframes as answered
from core.views.answers import when
from core.views.card import deployment_card
from tests.core.support import laws
from tests.core.support.team import ALICE, BO, CY, EVE
from tests.core.support.world import World, digest_of

ALL, OWNERS = ManifestFacts("main"), ManifestFacts("main", "server-owner")
V, W, X = (digest_of(update) for update in "vwx")
FAIR = c.Freeze("trade fair", mainframe="m1", until="2026-01-06 18:00")
FOREVER = c.Freeze("trade fair", mainframe="m1")


def world_with(**updates: ManifestFacts) -> World:
    world = World(updates=updates or dict.fromkeys("vwx", ALL))
    laws.watch(world)
    return world


def approved(world: World, update: str) -> None:
    world.done(ALICE, c.Push(update, "some change"))
    world.settle()
    world.done(ALICE, c.Verify(update))
    world.settle()
    world.done(BO, c.Approve(update))
    world.done(CY, c.Approve(update))


def goes_on(world: World, rounds: int = 60) -> None:
    """A minute or two: the end of a freeze in hours does not come by it."""
    for _ in range(rounds):
        world.now += timedelta(seconds=2)
        world.tick()


def ship(world: World, *updates: str) -> None:
    for update in updates:
        approved(world, update)
        goes_on(world)
        assert stage(world, update) is Stage.COMPLETED


def roll_back(world: World, update: str) -> None:
    world.done(BO, c.Rollback(update))
    goes_on(world)
    assert stage(world, update) is Stage.ROLLED_BACK


def stage(world: World, update: str) -> Stage:
    return world.deployments[f"{update}#1"].stage


def runs(world: World, component: str = "main") -> tuple[str | None, str | None]:
    """An ordinary mainframe, an owner's."""
    fleet = world.omegas["eu"].mainframes
    return fleet["m1"].running.get(component), fleet["m2"].running.get(component)


def shown(world: World, update: str) -> list[str]:
    d = world.deployments[f"{update}#1"]
    lines = deployment_card(d, world.facts(None, d), "UTC").lines
    return [flat(line.text if isinstance(line, Bar) else line) for line in lines]


def told(world: World) -> list[str]:
    return [flat(one.card.title) for one in world.outbox if one.kind in ("milestone", "broadcast", "line")]


def holds(world: World) -> None:
    laws.hold(world)
    laws.journal_gives_the_state(world)


# -- what it means -----------------------------------------------------------------------------------------------------


def test_it_keeps_what_it_runs_the_deployment_completes_without_it_and_every_answer_says_so() -> None:
    world = world_with()
    ship(world, "v")
    assert world.done(EVE, FAIR) == (
        "Froze mainframe m1 until 18:00: “trade fair”. Rollbacks go on. `deploy unfreeze --mainframe m1` lifts it",
        "m1 keeps what it runs; everything else goes on without it",
    )
    line = "❄ m1 (OMEGA eu) is frozen until 18:00, by Eve Poe: “trade fair”. It gets nothing"
    world.done(ALICE, c.Push("w", "some change"))
    world.settle()
    world.done(ALICE, c.Verify("w"))
    goes_on(world)
    assert line in shown(world, "w")
    d = world.deployments["w#1"]
    assert line in [flat(str(one)) for one in when(d, world.facts(None, d), "UTC").lines]
    world.done(BO, c.Approve("w"))
    world.done(CY, c.Approve("w"))
    goes_on(world)
    assert stage(world, "w") is Stage.COMPLETED
    assert runs(world) == (V, W)
    assert shown(world, "w")[2] == "OMEGA eu and 1 of 1 mainframes healthy; replaced v"
    assert line in shown(world, "w")
    assert "❄ It goes on without those that are frozen" in told(world)
    assert [one.status for one in world.deployments["w#1"].mainframes] == ["frozen", "healthy", "unlicensed"]
    holds(world)


def test_it_is_journaled_when_the_lane_is_taken_by_whom_why_and_until_when() -> None:
    world = world_with()
    world.done(EVE, FAIR)
    world.done(EVE, c.Freeze("older and shorter", mainframe="m1", duration=60))
    ship(world, "v")
    (taken,) = [event for event in world.events("v#1") if isinstance(event, LaneTaken)]
    end = next(block.until for block in world.blocks.values() if block.why == "trade fair")
    assert taken.left_out == (LeftOut("eu", "m1", "eve", "trade fair", end),)
    world.done(EVE, c.Unfreeze(mainframe="m1"))
    holds(world)


def test_after_the_unfreeze_it_is_brought_up_by_itself_and_that_is_announced() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v", "w")
    assert runs(world) == (None, W)
    world.settle(limit=200)  # nobody looks again while nothing can change
    assert world.done(EVE, c.Unfreeze()) == (
        "Unfroze mainframe m1: “trade fair”", "m1 is brought to what its peers run of main now, by itself",
    )  # fmt: skip
    world.settle(limit=200)
    assert runs(world) == (W, W)
    assert "❄ Frozen no more: m1, brought to what their peers run of main" in told(world)
    (end,) = [one.card.lines for one in world.outbox if one.card.title == "Mainframes that were frozen"]
    assert end == ("m1: healthy",)
    assert shown(world, "w")[2] == "OMEGA eu and 2 of 2 mainframes healthy; replaced v"
    assert world.deployments["w#1"].letting_in == ()
    assert not [event for event in world.events("v#1") if isinstance(event, MainframesLetIn)]
    holds(world)


def test_at_the_end_of_its_time_too() -> None:
    world = world_with()
    world.done(EVE, FAIR)
    ship(world, "v")
    world.settle(limit=300)
    assert runs(world) == (V, V)
    assert world.now.hour >= 18
    holds(world)


def test_one_that_fails_then_is_told_with_its_error() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v")
    world.omegas["eu"].mainframes["m1"].mood = "fails"
    world.done(EVE, c.Unfreeze())
    world.settle(limit=200)
    pings = [one for one in world.outbox if one.person == "alice" and "that were frozen" in one.card.title]
    assert [one.card.lines for one in pings] == [("m1: failed: it would not start",)]
    assert stage(world, "v") is Stage.COMPLETED


def test_what_was_frozen_while_it_was_on_its_way_arrives_and_the_answer_says_so() -> None:
    world = world_with()
    approved(world, "v")
    assert world.done(EVE, FOREVER)[-1] == "On its way already, and goes on there too: v. `deploy pause` holds it"
    goes_on(world)
    assert runs(world) == (V, V)
    holds(world)


def test_lifted_while_the_deployment_is_on_its_way_it_is_brought_up_at_its_end() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    approved(world, "v")
    assert world.done(EVE, c.Unfreeze())[1] == "m1 is brought up by itself once v is through; it is deploying"
    assert "Frozen no more, brought up once this is through: m1" in shown(world, "v")
    goes_on(world)
    assert runs(world) == (V, V)


def test_what_missed_nothing_is_told_so() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    assert world.done(EVE, c.Unfreeze())[1] == "m1 missed nothing; from now on it gets what its peers get"


@pytest.mark.parametrize("hold", [c.Freeze("audit", "main"), c.Lock("looking into it"), c.Pause()])
def test_nothing_is_brought_up_while_something_else_keeps_production_as_it_is(hold: c.Command) -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v")
    world.done(EVE if isinstance(hold, c.Freeze) else ALICE, hold)  # type: ignore[arg-type] # commands that write
    says = world.done(EVE, c.Unfreeze(mainframe="m1"))
    assert says[1].endswith("once nothing else keeps production as it is, by itself")
    goes_on(world)
    assert runs(world) == (None, V)
    lifts: dict[type, Callable[[], object]] = {
        c.Freeze: lambda: world.done(EVE, c.Unfreeze()),
        c.Lock: lambda: world.done(ALICE, c.Unlock()),
        c.Pause: lambda: world.done(ALICE, c.Resume()),
    }
    lifts[type(hold)]()
    goes_on(world)
    assert runs(world) == (V, V)


def test_for_one_component_the_others_reach_it() -> None:
    world = world_with(v=ALL, docs=ManifestFacts("docs"))
    world.done(EVE, c.Freeze("trade fair", "main", mainframe="m1"))
    ship(world, "v", "docs")
    assert runs(world) == (None, V)
    assert runs(world, "docs") == (digest_of("docs"), digest_of("docs"))


def test_an_emergency_reaches_it() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    world.done(ALICE, c.Push("v", "some change"))
    world.settle()
    world.done(ALICE, c.Verify("v"))
    world.settle()
    world.done(EVE, c.Approve("v", emergency="login is down"))
    goes_on(world)
    assert runs(world) == (V, V)
    holds(world)


def test_where_all_are_frozen_it_completes_also_if_that_was_seen_while_everything_was_paused() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    world.done(EVE, c.Freeze("trade fair", mainframe="m2"))
    approved(world, "v")
    while stage(world, "v") is not Stage.DISTRIBUTING:
        world.look("v#1", killed_after=4)
    world.done(ALICE, c.Pause())
    goes_on(world, 20)
    assert [one.status for one in world.deployments["v#1"].mainframes] == ["frozen", "frozen", "unlicensed"]
    world.done(ALICE, c.Resume())
    goes_on(world)
    assert stage(world, "v") is Stage.COMPLETED
    assert runs(world) == (None, None)


# -- rollbacks ---------------------------------------------------------------------------------------------------------


def test_a_rollback_reaches_a_frozen_one_that_runs_what_is_rolled_back() -> None:
    world = world_with()
    ship(world, "v", "w")
    world.done(EVE, FOREVER)
    roll_back(world, "w")
    assert runs(world) == (V, V)
    holds(world)


def test_one_that_never_took_it_keeps_what_it_runs_and_ends_where_its_peers_are() -> None:
    world = world_with()
    ship(world, "v")
    world.done(EVE, FOREVER)
    ship(world, "w", "x")
    given = world.omegas["eu"].mainframes["m1"].given["main"]
    roll_back(world, "x")
    assert runs(world) == (V, W)
    assert world.omegas["eu"].mainframes["m1"].given["main"] is given
    (started,) = [event for event in world.events("x#1") if isinstance(event, RollbackStarted)]
    assert [one.name for one in started.left_out] == ["m1"]
    world.done(EVE, c.Unfreeze())
    goes_on(world)
    assert runs(world) == (W, W)
    assert shown(world, "x")[-1] == "Mainframes 2 of 2 healthy"
    holds(world)


def test_one_whose_freeze_has_ended_goes_back_with_all_others() -> None:
    world = world_with()
    ship(world, "v")
    world.done(EVE, FOREVER)
    ship(world, "w")
    world.omegas["eu"].away = True
    world.done(EVE, c.Unfreeze())
    goes_on(world, 5)
    assert world.deployments["w#1"].letting_in == (("eu", "m1"),)
    world.omegas["eu"].away = False
    roll_back(world, "w")
    assert runs(world) == (V, V)
    assert world.deployments["w#1"].letting_in == ()
    holds(world)


def test_what_was_not_distributed_yet_is_undone_on_no_frozen_one() -> None:
    """It was frozen after the lane was taken, and missed the release that production returns to."""
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v")
    world.done(ALICE, c.Push("w", "some change"))
    world.settle()
    world.done(ALICE, c.Verify("w"))
    world.settle()
    world.done(EVE, c.Unfreeze())
    world.done(BO, c.Approve("w"))
    world.done(CY, c.Approve("w"))
    world.done(EVE, FOREVER)
    assert world.deployments["w#1"].left_out == ()
    world.omegas["eu"].breaks = True
    goes_on(world)
    assert stage(world, "w") is Stage.FAILED
    world.omegas["eu"].breaks = False
    roll_back(world, "w")
    assert runs(world) == (None, V)
    world.done(EVE, c.Unfreeze())
    goes_on(world)
    assert runs(world) == (V, V)
    holds(world)


@pytest.mark.parametrize("lifted_after", ["w", "rollback"])
def test_levels_and_freezes_together(lifted_after: str) -> None:
    """An ordinary mainframe that missed v under a freeze, with owners on w: it gets v, and never what is for owners."""
    world = world_with(v=ALL, w=OWNERS)
    world.done(EVE, FOREVER)
    ship(world, "v", "w")
    assert [one.status for one in world.deployments["w#1"].mainframes] == ["not_included", "healthy", "unlicensed"]
    if lifted_after == "rollback":
        roll_back(world, "w")
        assert runs(world) == (None, V)
    world.done(EVE, c.Unfreeze())
    goes_on(world)
    assert runs(world) == (V, W if lifted_after == "w" else V)
    holds(world)


def test_a_frozen_owners_one_misses_what_is_for_owners_and_rolls_back_to_its_own() -> None:
    world = world_with(v=ALL, w=OWNERS, x=ALL)
    world.done(EVE, c.Freeze("trade fair", mainframe="m2"))
    ship(world, "v", "w", "x")
    assert runs(world) == (X, None)
    world.done(EVE, c.Unfreeze())
    roll_back(world, "x")
    assert runs(world) == (V, W)
    holds(world)


# -- trying again, and agents of an earlier version --------------------------------------------------------------------


def test_a_retry_takes_those_along_that_are_frozen_no_more() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    world.omegas["eu"].mainframes["m2"].mood = "fails"
    approved(world, "v")
    goes_on(world)
    assert stage(world, "v") in (Stage.FAILED, Stage.DISTRIBUTING)
    world.omegas["eu"].mainframes["m2"].mood = "well"
    world.done(EVE, c.Unfreeze())
    if stage(world, "v") is Stage.FAILED:
        world.done(ALICE, c.Retry("v"))
        (retried,) = [event for event in world.events("v#1") if isinstance(event, Retried)]
        assert retried.left_out == ()
    goes_on(world)
    assert stage(world, "v") is Stage.COMPLETED
    assert runs(world) == (V, V)


def test_an_older_agent_is_given_nothing_before_it_is_updated_or_the_freeze_lifted() -> None:
    world = world_with()
    ship(world, "v")
    world.omegas["eu"].leaves_out = False
    world.done(EVE, FOREVER)
    approved(world, "w")
    goes_on(world)
    d = world.deployments["w#1"]
    assert d.stage is Stage.FAILED
    assert d.failure == (
        "OMEGA eu has an older agent, which cannot leave frozen mainframes out (m1), so nothing goes there; "
        "`deploy retry w` once that agent is updated, or the freeze lifted"
    )
    assert world.omegas["eu"].running["main"] == V
    assert runs(world) == (V, V)
    world.omegas["eu"].leaves_out = True
    world.done(ALICE, c.Retry("w"))
    goes_on(world)
    assert runs(world) == (V, W)
    holds(world)


def test_an_older_agent_never_blocks_a_rollback() -> None:
    world = world_with()
    ship(world, "v")
    world.done(EVE, FOREVER)
    ship(world, "w")
    world.omegas["eu"].leaves_out = False
    roll_back(world, "w")
    assert runs(world) == (V, V)


# -- what is asked and answered ----------------------------------------------------------------------------------------


def test_a_mainframe_that_nobody_knows_is_refused_with_the_nearest() -> None:
    world = world_with()
    assert world.refused(EVE, c.Freeze("trade fair", mainframe="m11")).why == (
        "OMEGA knows no mainframe m11; nearest: m1, m2 or m3. `deploy mainframes` lists them"
    )
    facts = world.facts(EVE, None)
    verdict = blocks.freeze(c.Freeze("fair", region="eu", mainframe="m9"), facts)
    assert "not configured" in str(verdict)


def test_where_omega_does_not_answer_it_stands_by_name_and_says_so() -> None:
    world = world_with()
    world.omegas["eu"].away = True
    says = world.done(EVE, c.Freeze("trade fair", mainframe="m11"))
    assert says[1] == (
        "OMEGA eu did not answer, so it is not known whether m11 is there; the freeze counts for the mainframe of that "
        "name. `deploy mainframes` lists them"
    )
    world.omegas["eu"].away = False
    ship(world, "v")
    world.done(EVE, c.Unfreeze(mainframe="m11"))
    goes_on(world)
    assert world.deployments["v#1"].letting_in == world.deployments["v#1"].left_out == ()


def test_a_region_that_answers_is_enough() -> None:
    world = world_with()
    known = (RegistrySeen("eu", ("m1",)), RegistrySeen("us", None))
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "Production", "us"))
    facts = world.facts_of(FOREVER, EVE)
    verdict = blocks.freeze(FOREVER, replace(facts, registries=known))
    assert "did not answer" not in str(verdict)
    assert "did not answer" in str(blocks.freeze(replace(FOREVER, mainframe="m9"), replace(facts, registries=known)))


def test_where_one_of_several_regions_has_it_the_freeze_is_of_that_region() -> None:
    world = world_with()
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "Production", "us"))
    world.omegas["us"].mainframes.pop("m1")
    assert world.done(EVE, FOREVER)[0] == (
        "Froze mainframe m1 of OMEGA eu until it is lifted: “trade fair”. Rollbacks go on. "
        "`deploy unfreeze --region eu --mainframe m1` lifts it"
    )
    world.done(EVE, c.Freeze("audit", "main", mainframe="m2"))
    ship(world, "v")
    assert [one.key for one in world.deployments["v#1"].left_out] == [("eu", "m1"), ("eu", "m2"), ("us", "m2")]
    assert world.done(EVE, c.Unfreeze(mainframe="m1"))[0] == "Unfroze mainframe m1 of OMEGA eu: “trade fair”"


def test_mainframes_are_listed_with_who_froze_them() -> None:
    world = world_with()
    world.done(EVE, FAIR)
    row = Registered(name="m1", owner="Ann", tier="standard", licence_until=None, licensed=True, online=True,
                     last_seen=None)  # fmt: skip
    card = answered([("eu", [row], None)], {}, world.facts(None, None), "UTC")
    assert flat(str(card.lines[0])).endswith(
        "runs nothing yet; ❄ frozen until 18:00, by Eve Poe: “trade fair”, gets nothing new. "
        "`deploy unfreeze --mainframe m1`"
    )


def test_which_freeze_is_meant_is_asked_and_several_of_one_mainframe_are_lifted_together() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    world.done(EVE, FAIR)
    world.done(EVE, c.Freeze("audit", mainframe="m2", component="main", region="eu"))
    assert world.refused(EVE, c.Unfreeze()).why == (
        "Which one? There is `deploy unfreeze --mainframe m1` or "
        "`deploy unfreeze --component main --region eu --mainframe m2`"
    )
    assert world.done(EVE, c.Unfreeze(mainframe="m1"))[0] == "Unfroze mainframe m1: “trade fair”, “trade fair”"
    assert world.done(EVE, c.Unfreeze())[0] == "Unfroze main on mainframe m2 of OMEGA eu: “audit”"


def test_what_was_seen_before_it_was_let_in_settles_nothing() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v")
    before = [outcome for _, outcome in world.outcomes if isinstance(outcome, FleetSeen)][-1]
    world.omegas["eu"].away = True
    world.done(EVE, c.Unfreeze())
    goes_on(world, 3)
    world.observe("v#1", before)
    assert world.deployments["v#1"].letting_in == (("eu", "m1"),)
    world.omegas["eu"].away = False
    goes_on(world)
    assert runs(world) == (V, V)


def test_something_newer_takes_over_what_was_being_brought_up() -> None:
    world = world_with()
    world.done(EVE, FOREVER)
    ship(world, "v")
    world.omegas["eu"].mainframes["m1"].mood = "silent"
    world.done(EVE, c.Unfreeze())
    goes_on(world, 3)
    assert world.deployments["v#1"].letting_in == (("eu", "m1"),)
    world.omegas["eu"].mainframes["m1"].mood = "well"
    approved(world, "w")
    goes_on(world)
    assert runs(world) == (W, W)
    assert world.deployments["v#1"].letting_in == ()
    holds(world)
