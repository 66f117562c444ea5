"""Locks, freezes, the calendar, the pause of everything: judged when the lane is taken, and never for a rollback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core.announce import named
from core.cards import Card
from core.events import LaneTaken, Paused, Resumed, RollbackStarted
from core.facts import Facts, Refused
from core.moments import flat
from core.people import Grant
from core.phases import blocks
from core.policy import Holiday, Policy, Window
from core.stages import Stage
from core.state import Deployment, ManifestFacts
from core.views.answers import AlphaSeen, status, when
from core.views.card import deployment_card
from core.workflow import Writing
from tests.core.support.tables import kinds
from tests.core.support.team import ALICE, BO, CY, DI, EVE, POLICY, VI
from tests.core.support.world import World


def _flat(card: Card) -> Card:
    """With times as plain words."""
    lines = tuple(flat(line) if isinstance(line, str) else line for line in card.lines)
    return replace(card, title=flat(card.title), lines=lines)


def _card(d: Deployment, facts: Facts, zone: str) -> Card:
    return _flat(deployment_card(d, facts, zone))


def _when(d: Deployment, facts: Facts, zone: str) -> Card:
    return _flat(when(d, facts, zone))


def waiting(*updates: str, policy: Policy = POLICY, approved: bool = False) -> World:
    """These wait for approval; or were approved before anything held them."""
    world = World(policy=policy, updates={one: ManifestFacts("main" if one != "docs" else "docs") for one in updates})
    for update in updates:
        world.done(ALICE, c.Push(update, "some change"))
        world.settle()
        world.done(ALICE, c.Verify(update))
        world.settle()
    for update in updates if approved else ():
        approve(world, update)
    return world


def stage(world: World, update: str) -> Stage:
    d = world.latest(update)
    assert d is not None
    return d.stage


def approve(world: World, update: str = "v1") -> tuple[str, ...]:
    world.done(BO, c.Approve(update))
    return world.done(CY, c.Approve(update))


HOLDS: dict[str, tuple[Writing, Writing, str]] = {
    "lock": (
        c.Lock("login errors", until="16:00"), c.Unlock(),
        "Needs Eve Poe's lock “login errors” to end: 16:00, or Eve Poe can: `deploy unlock`",
    ),
    "freeze": (
        c.Freeze("audit", "main", until="16:00"), c.Unfreeze(),
        "Needs the freeze “audit” to end: 16:00, or Eve Poe can: `deploy unfreeze --component main`",
    ),
    "freeze of a region": (
        c.Freeze("audit", region="eu", duration=7200), c.Unfreeze(),
        "Needs the freeze “audit” to end: 16:00, or Eve Poe can: `deploy unfreeze --region eu`",
    ),
    "pause": (
        c.Pause(), c.Resume(),
        "Needs the pause of everything to end (Eve Poe): Alice Ng, Bo Li, Cy Roe, Di Fox, Eve Poe or Ops Desk can: "
        "`deploy resume`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDS)
def test_what_is_approved_waits_until_it_is_lifted_and_then_goes_by_itself(name: str) -> None:
    begin, end, line = HOLDS[name]
    world = waiting("v1")
    if name == "pause":
        admin = replace(EVE, roles=EVE.roles | {"deployer"})
        world.people = tuple(admin if one.id == "eve" else one for one in world.people)
    world.done(EVE, begin)
    world.done(BO, c.Approve("v1"))
    says = world.done(CY, c.Approve("v1"))
    assert says[-2:] == ("Approved. v1 goes to OMEGA by itself once it may: `deploy when v1`", line)
    d = world.latest("v1")
    assert d is not None
    assert d.stage is Stage.SCHEDULED
    (pinged,) = [one.card.title for one in world.outbox if one.person == d.pusher and "is approved" in one.card.title]
    assert pinged.endswith("; it goes to OMEGA once it may")
    assert line in _card(d, world.facts(None, d), "UTC").lines or name == "pause"
    world.done(EVE, end)
    world.settle(limit=200)
    assert stage(world, "v1") is Stage.COMPLETED


@pytest.mark.parametrize("name", HOLDS)
def test_it_is_judged_when_the_lane_is_taken_and_not_when_it_was_asked_for(name: str) -> None:
    """v2 was approved while nothing held it, and queued behind v1."""
    world = waiting("v1", "v2")
    approve(world, "v1")
    approve(world, "v2")
    world.done(EVE, replace(HOLDS[name][0], until="2026-01-08 16:00", duration=None) if name != "pause" else c.Pause())
    if name == "pause":
        world.settle()
        assert stage(world, "v1") is Stage.DEPLOYING
        world.done(EVE, c.Resume())
        world.settle(limit=200)
        assert stage(world, "v2") is Stage.COMPLETED
        return
    world.now += timedelta(seconds=1)
    for _ in range(200):
        world.now += timedelta(seconds=2)
        world.tick()
    assert (stage(world, "v1"), stage(world, "v2")) == (Stage.COMPLETED, Stage.SCHEDULED)


@pytest.mark.parametrize("name", ["lock", "freeze", "freeze of a region"])
def test_it_ends_by_itself_at_its_time(name: str) -> None:
    world = waiting("v1")
    world.done(EVE, HOLDS[name][0])
    approve(world)
    began = world.now
    world.settle(limit=300)
    assert stage(world, "v1") is Stage.COMPLETED
    taken = next(line for line in world.journal if isinstance(line.event, LaneTaken))
    assert taken.at - began >= timedelta(minutes=110)


@pytest.mark.parametrize("begin", [hold[0] for hold in HOLDS.values()])
def test_none_of_them_blocks_a_rollback(begin: Writing) -> None:
    world = waiting("v1", approved=True)
    world.settle(limit=200)
    assert stage(world, "v1") is Stage.COMPLETED
    world.policy = replace(world.policy, holidays=(Holiday("always", ("01-01/12-31",)),))
    world.done(EVE, begin)
    world.done(BO, c.Rollback("v1", "login errors"))
    for _ in range(60):
        world.now += timedelta(seconds=2)
        world.tick()
    assert stage(world, "v1") is Stage.ROLLED_BACK


def test_another_component_goes_on() -> None:
    world = waiting("v1", "docs")
    world.done(EVE, c.Freeze("audit", "docs"))
    approve(world)
    assert stage(world, "v1") is Stage.DEPLOYING
    assert approve(world, "docs")[-1].startswith("Needs the freeze “audit” to end: Eve Poe can")
    assert stage(world, "docs") is Stage.SCHEDULED


# -- locks -------------------------------------------------------------------------------------------------------------


def test_a_second_lock_is_refused_and_names_the_holder_and_the_end() -> None:
    world = World(policy=replace(POLICY, quorum_by_component={"docs": 2}))
    world.done(BO, c.Lock("login errors", "main", duration=7200))
    assert world.refused(DI, c.Lock("mine", "main")).why == (
        "Bo Li holds main already: “login errors”, until 16:00. `deploy unlock --component main` lifts it"
    )
    assert world.refused(BO, c.Lock("again", "main")).why.startswith("You hold main already")
    world.done(DI, c.Lock("mine", "docs"))
    world.now += timedelta(hours=3)
    world.done(DI, c.Lock("now mine", "main"))
    assert [block.by for block in world.blocks.values()] == ["di", "di"]


@pytest.mark.parametrize("command", [c.Lock("x", "wbe"), c.Freeze("x", "wbe"), c.Freeze("x", "wbe", mainframe="m1")])
def test_a_component_that_nobody_knows_is_refused_with_the_nearest(command: c.Lock | c.Freeze) -> None:
    known = replace(POLICY, minimum_checks={"web": ()}, windows=(Window("calm", "0 2 * * *", 60, "UTC", ("db",)),))
    world = World(policy=known, updates={"v1": ManifestFacts("websites")})
    world.done(ALICE, c.Push("v1", "some change"))
    assert world.refused(EVE if isinstance(command, c.Freeze) else BO, command).why == (
        "No component wbe is known; nearest: web, websites or db. `deploy history` shows each deployment's"
    )
    assert not world.blocks
    for there in ("web", "db", "websites", "main"):
        world.done(BO, c.Lock("x", there))


def test_what_production_runs_is_known_also_where_settings_do_not_name_it() -> None:
    world = waiting("docs", approved=True)
    world.settle()
    assert stage(world, "docs") is Stage.COMPLETED
    world.done(BO, c.Lock("x", "docs"))


def test_whoever_has_no_role_for_a_component_is_not_told_of_it() -> None:
    granted = replace(
        POLICY, grants=(Grant(("vi",), frozenset({"deployer"}), ("web",)),), minimum_checks={"secret": ()}
    )
    guest = replace(VI, roles=frozenset())
    world = World(policy=granted, people=(guest, EVE))
    facts = world.facts(guest, None)
    assert facts.components == ("web",)
    assert blocks.unknown_component("secrt", facts) == (
        "No component secrt is known; nearest: web. `deploy history` shows each deployment's"
    )


def test_an_admin_breaks_a_lock_with_a_reason_and_nobody_else_does() -> None:
    world = World()
    world.done(BO, c.Lock("login errors"))
    assert world.refused(CY, c.Unlock("I need it")).why == (
        "The lock of everything is Bo Li's: “login errors”. Bo Li can lift it, or Eve Poe with a reason: "
        "`deploy unlock`"
    )
    assert world.refused(VI, c.Unlock()).code == "role"
    assert world.refused(EVE, c.Unlock()).code == "reason"
    assert world.done(EVE, c.Unlock("Bo is on holiday")) == ("Broke Bo Li's lock of everything",)
    line = next(message for message in world.outbox if "Bo is on holiday" in message.card.title)
    assert line.card.title == "Eve Poe unlocked everything (it was Bo Li's lock): “Bo is on holiday”"
    assert line.kind == "line"


def test_a_lock_stays_when_its_holder_leaves() -> None:
    world = waiting("v1")
    world.done(DI, c.Lock("login errors"))
    world.people = tuple(one for one in world.people if one.id != "di")
    approve(world)
    world.settle()
    assert stage(world, "v1") is Stage.SCHEDULED


@pytest.mark.parametrize(
    ("who", "command", "code"),
    [
        (VI, c.Lock("x y"), "role"),
        (BO, c.Freeze("x y"), "role"),
        (BO, c.Unfreeze(), "role"),
        (EVE, c.Unfreeze(), "nothing"),
        (EVE, c.Unlock("because"), "nothing"),
        (EVE, c.Freeze("x y", region="mars"), "region"),
        (EVE, c.Freeze("x y", duration=60, until="18:00"), "twice"),
        (EVE, c.Freeze("x y", until="2020-01-01 18:00"), "time"),
        (EVE, c.Resume(), "not_paused"),
    ],
)
def test_refusals(who: object, command: Writing, code: str) -> None:
    assert World().refused(who, command).code == code  # type: ignore[arg-type] # a Person


def test_which_one_is_meant_is_asked_where_there_are_several() -> None:
    world = World()
    world.done(EVE, c.Freeze("audit", "main"))
    world.done(EVE, c.Freeze("audit", region="eu"))
    world.done(EVE, c.Freeze("more audit", region="eu"))
    assert world.refused(EVE, c.Unfreeze()).why == (
        "Which one? There is `deploy unfreeze --component main` or `deploy unfreeze --region eu`"
    )
    assert world.done(EVE, c.Unfreeze(None, "eu")) == ("Unfroze everything on OMEGA eu: “audit”, “more audit”",)
    assert world.done(EVE, c.Unfreeze()) == ("Unfroze main: “audit”",)
    assert world.blocks == {}


# -- the calendar ------------------------------------------------------------------------------------------------------

NIGHT = Window("low-traffic", "0 2 * * *", 3600)


def test_a_window_and_a_holiday_hold_it_and_it_goes_when_both_allow() -> None:
    world = waiting("v1", policy=replace(POLICY, windows=(NIGHT,), holidays=(Holiday("Epiphany", ("01-06",)),)))
    assert approve(world)[-2:] == (
        "Needs the holiday Epiphany to end: Wed 00:00",
        "Needs the window low-traffic: Wed 02:00",
    )
    world.settle(limit=300)
    taken = next(line for line in world.journal if isinstance(line.event, LaneTaken))
    assert f"{taken.at:%a %H:%M}" == "Wed 02:00"


def test_a_verdict_that_ends_while_it_waits_lets_the_votes_fall() -> None:
    world = waiting("v1")
    world.done(EVE, c.Freeze("audit", until="2026-01-09 18:00"))
    approve(world)
    world.settle(limit=300)
    assert stage(world, "v1") is Stage.AWAITING_APPROVAL


# -- when --------------------------------------------------------------------------------------------------------------


def test_when_names_the_earliest_start_and_everything_before_it() -> None:
    world = waiting("v1", policy=replace(POLICY, windows=(NIGHT,)))
    world.done(EVE, c.Freeze("audit", until="2026-01-08 01:00"))
    d = world.latest("v1")
    assert d is not None
    card = _when(d, world.facts(VI, d), "UTC")
    assert card.title == "v1 can start Thu 02:00 at the earliest"
    assert card.lines == (
        "Needs 2 more votes: Bo Li or Cy Roe",
        "Needs the freeze “audit” to end: Thu 01:00, or Eve Poe can: `deploy unfreeze`",
        "Needs the window low-traffic: Wed 02:00",
        "Its verdict ends before that, at Wed 14:00: `deploy verify v1` again, and vote again",
    )


def test_when_says_that_waiting_alone_does_not_help() -> None:
    world = waiting("v1")
    world.done(EVE, c.Freeze("audit"))
    d = world.latest("v1")
    assert d is not None
    assert _when(d, world.facts(VI, d), "UTC").title == "v1 cannot start by waiting alone"
    world.done(EVE, c.Unfreeze())
    assert _when(d, world.facts(VI, d), "UTC").title == "v1 may start as soon as this is met"


def test_status_heads_with_what_holds_production() -> None:
    world = waiting("v1")
    world.done(BO, c.Lock("login errors", "main", duration=7200))
    from core.views.answers import AlphaSeen

    d = world.latest("v1")
    assert d is not None
    card = _flat(status([d], [], {}, AlphaSeen("ALPHA", 1, "v1"), world.facts(VI, None), "UTC"))
    assert card.lines[0] == "🔒 Locked: main until 16:00, by Bo Li: “login errors”. `deploy unlock --component main`"


# -- the pause of everything -------------------------------------------------------------------------------------------


def test_everything_that_moves_is_held_at_once_and_goes_on_at_once() -> None:
    world = waiting("v1", "docs", approved=True)
    says = world.done(DI, c.Pause())
    assert says[:2] == ("Paused everything", "Held: v1 (deploying) and docs (deploying)")
    world.settle()
    held = [world.latest(update) for update in ("v1", "docs")]
    assert all(d is not None and d.hold is not None and d.hold.wide for d in held)
    assert {stage(world, "v1"), stage(world, "docs")} == {Stage.DEPLOYING}
    assert world.done(BO, c.Pause("v1")) == (
        "v1 is paused already: everything is paused by Di Fox. `deploy resume` lets all go on",
    )
    assert world.refused(BO, c.Resume("v1")).code == "paused_all"
    assert world.done(BO, c.Pause())[0].startswith("Everything is paused already, by Di Fox since ")
    world.done(BO, c.Resume())
    world.settle(limit=200)
    assert (stage(world, "v1"), stage(world, "docs")) == (Stage.COMPLETED, Stage.COMPLETED)
    assert [kind for kind in kinds(tuple(world.events("v1#1"))) if kind in ("Paused", "Resumed")] == [
        "Paused",
        "Resumed",
    ]


def test_what_was_paused_by_itself_stays_so() -> None:
    world = waiting("v1", approved=True)
    world.done(BO, c.Pause("v1"))
    world.done(DI, c.Pause())
    assert world.done(DI, c.Resume()) == ("Done: everything goes on", "Still paused by themselves: v1")
    world.settle()
    assert not [event for event in world.events("v1#1") if isinstance(event, Resumed)]


def test_no_step_is_done_after_the_commit_that_paused_everything() -> None:
    world = waiting("v1", approved=True)
    before = len(world.omegas["eu"].accepted)
    world.done(DI, c.Pause())
    world.look("v1#1")
    assert len(world.omegas["eu"].accepted) == before
    assert [event for event in world.events("v1#1") if isinstance(event, Paused)]
    world.done(BO, c.Rollback("v1"))
    assert isinstance(world.events("v1#1")[-1], RollbackStarted)
    world.settle()
    assert stage(world, "v1") is Stage.ROLLED_BACK


# -- where it is told --------------------------------------------------------------------------------------------------


def told(world: World, command: Writing) -> dict[str, str]:
    """By channel, what was told of it."""
    world.outbox.clear()
    world.done(EVE, command)
    return {message.channel: flat(message.card.title) for message in world.outbox if message.kind == "line"}


def test_what_concerns_production_is_told_in_every_home_channel_wherever_it_was_said() -> None:
    world = World(policy=replace(POLICY, homes=("slack:C1", "discord:2")))
    said = f"{EVE.name} froze everything until 18:00 UTC: “audit”. Rollbacks go on"
    channels = {"console:main", "slack:C1", "discord:2"}
    assert told(world, c.Freeze("audit", until="18:00")) == dict.fromkeys(channels, said)
    assert told(world, c.Unfreeze()).keys() == channels
    assert told(world, c.Configure("public", "https://public.example", "Staging")).keys() == channels


@pytest.mark.parametrize("title", ["↩️ v1 is rolled back", "v1: so it goes", "OMEGA is worse since v1"])
def test_a_name_that_a_milestone_has_is_not_said_twice(title: str) -> None:
    d = waiting("v1").deployments["v1#1"]
    assert named(title, d) == title
    for other in ("v10 is next", "after rev1", "v1.2 goes on", "It goes on"):
        assert named(other, d) == f"v1: {other}"


# -- in the status of all ----------------------------------------------------------------------------------------------


def _under_way(world: World) -> list[str]:
    unfinished = tuple(d for d in world.deployments.values() if not d.ended)
    facts = replace(world.facts(VI, None), unfinished=unfinished)
    card = _flat(status(unfinished, tuple(world.lanes.values()), {}, AlphaSeen("ALPHA", 0, None), facts, "UTC"))
    return [str(line) for line in card.lines if "scheduled" in str(line)]


def test_the_status_says_when_what_is_approved_starts_or_what_it_waits_for() -> None:
    world = waiting("v1", "v2", "docs")
    world.done(BO, c.Approve("v1", at="20:00"))
    world.done(CY, c.Approve("v1"))
    (line,) = _under_way(world)
    assert ", starts 20:00 at the earliest. Alice Ng: some change" in line
    world.done(EVE, c.Freeze("audit", "docs"))
    approve(world, "docs")
    assert ", needs the freeze “audit” to end. Alice Ng" in _under_way(world)[1]


def test_the_status_says_behind_whom_it_is_queued() -> None:
    world = waiting("v1", "v2")
    world.omegas["eu"].slow = True
    approve(world, "v2")
    world.tick()
    world.done(BO, c.Approve("v1", at="20:00"))
    world.done(CY, c.Approve("v1"))
    (line,) = _under_way(world)
    assert ", starts 20:00 at the earliest, queued behind v2 (deploying). Alice Ng" in line


def test_a_component_that_is_close_to_a_known_one_is_mistyped_and_another_is_new() -> None:
    world = waiting("v1", "docs")
    refused = world.says(EVE, c.Lock("audit", "dosc"))
    assert isinstance(refused, Refused)
    assert refused.why.startswith("No component dosc is known; nearest: docs")
    locked = world.done(EVE, c.Lock("audit", "billing"))
    assert locked[1] == (
        "Nothing of billing is on its way or in production yet: it holds what is pushed under that name"
    )
