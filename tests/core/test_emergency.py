"""Emergencies and their countersignature, rollbacks that need two people, and approvals for later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core.cards import Card
from core.events import CountersignOverdue, Escalated, LaneTaken, RollbackStarted, StartSet
from core.facts import Facts
from core.moments import flat
from core.people import Person
from core.policy import Policy, Window
from core.routing import Route
from core.stages import Stage
from core.state import Deployment, ManifestFacts
from core.views.answers import AlphaSeen, status, when
from core.views.card import deployment_card
from tests.core.support.tables import kinds
from tests.core.support.team import ALICE, BO, CY, DI, EVE, EVERYBODY, OPS, POLICY, VI
from tests.core.support.world import World

ROUTES = (Route("console:api", components=("api",)), Route("console:all"))
EVA = replace(EVE, id="eva", name="Eva Ray", roles=EVE.roles | {"deployer"})


def _flat(card: Card) -> Card:
    """With times as plain words."""
    lines = tuple(flat(line) if isinstance(line, str) else line for line in card.lines)
    return replace(card, title=flat(card.title), lines=lines)


def _card(d: Deployment, facts: Facts, zone: str) -> Card:
    return _flat(deployment_card(d, facts, zone))


def _when(d: Deployment, facts: Facts, zone: str) -> Card:
    return _flat(when(d, facts, zone))


def waiting(*updates: str, policy: Policy = POLICY, pusher: Person = ALICE, irreversible: bool = False) -> World:
    manifest = ManifestFacts("main", irreversible=irreversible)
    world = World(policy=policy, people=(*EVERYBODY, EVA), updates=dict.fromkeys(updates, manifest))
    for update in updates:
        world.done(pusher, c.Push(update, "some change"))
        world.settle()
        world.done(ALICE, c.Verify(update))
        world.settle()
    return world


def latest(world: World, update: str = "v1") -> Deployment:
    d = world.latest(update)
    assert d is not None
    return d


def approve(world: World, update: str = "v1") -> None:
    world.done(BO, c.Approve(update))
    world.done(CY, c.Approve(update))


def go_on(world: World, minutes: float = 5) -> None:
    for _ in range(int(minutes * 30)):
        world.now += timedelta(seconds=2)
        world.tick()


NOW = c.Approve("v1", emergency="login is down")


# -- emergencies -------------------------------------------------------------------------------------------------------


def test_it_goes_through_freeze_lock_and_calendar_without_a_vote_and_owes_a_countersignature() -> None:
    policy = replace(POLICY, windows=(Window("night", "0 2 * * *", 3600),), routes=ROUTES)
    world = waiting("v1", policy=policy)
    world.done(EVE, c.Freeze("audit"))
    world.done(BO, c.Lock("mine"))
    assert world.done(EVE, NOW) == (
        "Emergency: v1 goes to OMEGA now",
        "OMEGA eu: nothing → v1",
        "Bo Li, Cy Roe or Eva Ray must countersign by Wed 14:00: `deploy countersign v1`. "
        "Until then main takes only rollbacks",
    )
    assert kinds(tuple(world.events("v1#1")))[-3:] == ["EmergencyDeclared", "Approved", "LaneTaken"]
    told = {message.channel for message in world.outbox if "declared an emergency" in message.card.title
            and message.kind in ("line", "broadcast")}  # fmt: skip
    assert told == {"console:main", "console:api", "console:all"}
    go_on(world)
    assert latest(world).stage is Stage.COMPLETED


def test_the_debt_blocks_the_component_heads_status_and_ends_with_a_countersignature() -> None:
    world = waiting("v1", "v2")
    world.done(EVE, NOW)
    go_on(world)
    world.done(BO, c.Approve("v2"))
    says = world.done(CY, c.Approve("v2"))
    line = (
        "Needs v1's emergency (“login is down”) to be countersigned: Bo Li, Cy Roe or Eva Ray can: "
        "`deploy countersign v1`"
    )
    assert says[-1] == line
    go_on(world)
    assert latest(world, "v2").stage is Stage.SCHEDULED
    facts = world.facts(VI, latest(world, "v2"))
    card = _flat(status([latest(world, "v2")], [world.lane("main")], {}, AlphaSeen("ALPHA", 1, "v1"), facts, "UTC"))
    assert str(card.lines[0]).startswith("🚨 v1 went to OMEGA in an emergency of Eve Poe's: “login is down”.")
    assert world.done(BO, c.Countersign("v1")) == ("Countersigned v1: “login is down”. main is open again",)
    assert world.done(CY, c.Countersign("v1")) == ("Bo Li has countersigned v1 already",)


def test_a_countersignature_wakes_those_who_waited_for_it() -> None:
    world = waiting("v1", "v2")
    world.done(EVE, NOW)
    go_on(world)
    approve(world, "v2")
    go_on(world)
    world.done(BO, c.Countersign("v1"))
    go_on(world)
    assert latest(world, "v2").stage is Stage.COMPLETED


def test_rollbacks_go_on_in_spite_of_the_debt() -> None:
    world = waiting("v1")
    world.done(EVE, NOW)
    go_on(world)
    world.done(BO, c.Rollback("v1"))
    go_on(world)
    assert latest(world).stage is Stage.ROLLED_BACK
    assert world.lane("main").debts


def test_nobody_who_declared_or_pushed_countersigns_and_no_shared_account() -> None:
    world = waiting("v1")
    world.done(EVE, NOW)
    go_on(world)
    assert world.refused(EVE, c.Countersign("v1")).why == (
        "You declared it, so another has to countersign. Bo Li, Cy Roe or Eva Ray can: `deploy countersign v1`"
    )
    assert world.refused(ALICE, c.Countersign("v1")).why.startswith("You pushed v1, so another has to countersign.")
    assert world.refused(OPS, c.Countersign("v1")).code == "shared"
    assert world.refused(DI, c.Countersign("v1")).code == "role"


def test_that_nobody_countersigned_in_time_is_told_once_and_stays_owed() -> None:
    world = waiting("v1")
    world.done(EVE, NOW)
    world.settle(limit=300)
    assert len([event for event in world.events("v1#1") if isinstance(event, CountersignOverdue)]) == 1
    assert world.lane("main").debts
    assert [message for message in world.outbox if message.card.title.startswith("🚨 Nobody has countersigned")]


@pytest.mark.parametrize(("who", "code"), [(BO, "role"), (DI, "role"), (OPS, "role"), (VI, "role")])
def test_only_admins_declare_it(who: Person, code: str) -> None:
    refused = waiting("v1").refused(who, NOW)
    assert refused.code == code
    assert "An emergency needs admin" in refused.why
    assert "Eve Poe" in refused.why


def test_the_pusher_cannot_declare_it() -> None:
    why = waiting("v1", pusher=EVA).refused(EVA, NOW).why
    can = 'Eve Poe can: `deploy approve v1 --emergency "<reason>"`'
    assert why == f"You pushed v1: an emergency is another's to declare. {can}"


def test_it_never_skips_verification() -> None:
    world = World(people=(*EVERYBODY, EVA), updates={"v1": ManifestFacts("main")})
    world.done(ALICE, c.Push("v1", "some change"))
    world.settle()
    assert world.refused(EVE, NOW).why == "Not ready for approval: v1 is unverified. `deploy verify v1`"
    world.public.endings["Health Check"] = "failed"
    world.done(ALICE, c.Verify("v1"))
    world.settle()
    assert world.refused(EVE, NOW).code == "not_ready"
    world.public.endings.clear()
    world.done(ALICE, c.Verify("v1"))
    world.settle()
    world.now += timedelta(days=2)
    assert world.done(EVE, NOW)[0].startswith("v1's verdict expired at ")
    world.settle()
    assert latest(world).stage is Stage.AWAITING_APPROVAL
    assert not [event for event in world.events("v1#1") if isinstance(event, LaneTaken)]


def test_it_never_skips_verification_of_what_is_approved_and_waits() -> None:
    """The verdict expired meanwhile: the checks run again, once, however often it is declared."""
    world = waiting("v1")
    world.done(EVE, c.Freeze("audit"))
    world.done(BO, c.Approve("v1"))
    world.done(CY, c.Approve("v1"))
    assert latest(world).stage is Stage.SCHEDULED
    world.now += timedelta(days=2)
    assert world.done(EVE, NOW)[0].startswith("v1's verdict expired at ")
    assert (latest(world).stage, latest(world).runs) == (Stage.VERIFYING, 2)
    assert world.refused(EVE, NOW).code == "not_ready"
    assert latest(world).runs == 2


def test_it_is_refused_where_nobody_could_countersign() -> None:
    world = waiting("v1")
    world.people = tuple(one for one in world.people if one.id in ("alice", "eve", "ops", "vi"))
    assert world.refused(EVE, NOW).code == "nobody"


def test_it_takes_what_is_approved_and_frozen_and_goes_before_what_waits() -> None:
    world = waiting("v1", "v2")
    world.done(EVE, c.Freeze("audit"))
    approve(world, "v2")
    approve(world, "v1")
    world.now += timedelta(seconds=1)
    assert world.done(EVE, NOW)[0] == "Emergency: v1 goes to OMEGA now"
    assert latest(world).stage is Stage.DEPLOYING
    go_on(world)
    assert latest(world, "v2").stage is Stage.AWAITING_APPROVAL, "its votes were for another change"


def test_it_waits_for_the_pause_of_everything() -> None:
    world = waiting("v1")
    world.done(DI, c.Pause())
    assert world.done(EVE, NOW)[0] == "Emergency: v1 goes to OMEGA as soon as it may"
    go_on(world)
    assert latest(world).stage is Stage.SCHEDULED
    world.done(DI, c.Resume())
    go_on(world)
    assert latest(world).stage is Stage.COMPLETED


def test_it_falls_with_its_declarers_role() -> None:
    world = waiting("v1")
    world.done(DI, c.Pause())
    world.done(EVE, NOW)
    world.people = tuple(replace(one, roles=VI.roles) if one.id == "eve" else one for one in world.people)
    go_on(world, 0.2)
    world.done(DI, c.Resume())
    go_on(world)
    assert latest(world).stage is Stage.AWAITING_APPROVAL
    assert latest(world).emergency is None


def test_the_card_tells_the_emergency_and_offers_to_countersign() -> None:
    world = waiting("v1")
    world.done(EVE, NOW)
    go_on(world)
    card = _card(latest(world), world.facts(None, latest(world)), "UTC")
    assert card.lines[-1] == (
        "🚨 Emergency by Eve Poe: “login is down”; needs a countersignature by Wed 14:00: Bo Li, Cy Roe or Eva Ray "
        "(`deploy countersign v1`)"
    )
    assert "Countersign" in [button.label for button in card.buttons]
    world.done(CY, c.Countersign("v1"))
    card = _card(latest(world), world.facts(None, latest(world)), "UTC")
    assert str(card.lines[-1]).endswith("countersigned by Cy Roe")


# -- rolling back what is irreversible ---------------------------------------------------------------------------------


def test_a_second_person_has_to_agree_and_both_know_what_cannot_be_undone() -> None:
    world = waiting("v1", irreversible=True)
    approve(world)
    go_on(world)
    says = world.done(BO, c.Rollback("v1", "login errors"))
    assert says == (
        "Asked to roll v1 back: OMEGA eu had nothing before, so it goes offline",
        "It is irreversible: the program goes back, and what it has changed in its data stays changed",
        "A second person has to agree: Alice Ng, Cy Roe, Di Fox or Eva Ray. `deploy rollback v1`",
    )
    assert world.done(BO, c.Rollback("v1"))[0].startswith("You have asked to roll v1 back. A second person")
    assert world.refused(OPS, c.Rollback("v1")).code == "shared"
    assert latest(world).stage is Stage.COMPLETED
    assert world.done(DI, c.Rollback("v1"))[-1] == "Agreed by Bo Li and Di Fox"
    started = next(event for event in world.events("v1#1") if isinstance(event, RollbackStarted))
    assert started.why == "login errors"
    go_on(world)
    assert latest(world).stage is Stage.ROLLED_BACK


def test_a_request_of_long_ago_is_nobodys_first() -> None:
    world = waiting("v1", irreversible=True)
    approve(world)
    go_on(world)
    world.done(BO, c.Rollback("v1"))
    world.now += timedelta(days=2)
    assert world.done(CY, c.Rollback("v1"))[0].startswith("Asked to roll v1 back")
    assert latest(world).stage is Stage.COMPLETED


def test_before_omega_one_is_enough() -> None:
    world = waiting("v1", irreversible=True)
    world.done(BO, c.Rollback("v1"))
    go_on(world, 1)
    assert latest(world).stage is Stage.ROLLED_BACK


# -- escalation --------------------------------------------------------------------------------------------------------


def test_one_group_after_another_is_asked_and_nobody_once_it_is_settled() -> None:
    policy = replace(POLICY, escalate_after=3600, escalate_to=("leads", "management"))
    leads, management = (frozenset({group}) for group in policy.escalate_to)
    world = World(policy=policy, updates={"v1": ManifestFacts("main")})
    world.people = (ALICE, BO, replace(CY, groups=leads), replace(EVE, groups=management))
    world.done(ALICE, c.Push("v1", "some change"))
    world.settle()
    world.done(ALICE, c.Verify("v1"))
    world.settle(limit=100)
    assert [event for event in world.events("v1#1") if isinstance(event, Escalated)] == [
        Escalated("leads", ("cy",)), Escalated("management", ()),
    ]  # fmt: skip
    asked = [message.person for message in world.outbox if message.vote]
    assert asked == ["bo", "cy", "cy"]
    world.done(ALICE, c.Verify("v1"))
    go_on(world, 0.5)
    approve(world)
    go_on(world)
    assert len([event for event in world.events("v1#1") if isinstance(event, Escalated)]) == 2


# -- approvals for later -----------------------------------------------------------------------------------------------

CALM = Window("low-traffic", "0 2 * * *", 3600, required=False)


def taken_at(world: World, update: str = "v1") -> str:
    line = next(line for line in world.journal if line.chain == f"{update}#1" and isinstance(line.event, LaneTaken))
    return f"{line.at:%a %H:%M}"


def test_it_goes_at_its_time_in_the_approvers_zone() -> None:
    world = waiting("v1")
    world.people = tuple(replace(one, time_zone="Asia/Tokyo") if one.id == "bo" else one for one in world.people)
    assert world.done(BO, c.Approve("v1", at="02:00"))[-2] == "Not before Wed 02:00 Asia/Tokyo"
    world.done(CY, c.Approve("v1"))
    assert latest(world).stage is Stage.SCHEDULED
    world.settle(limit=300)
    assert taken_at(world) == "Tue 17:00"


def test_it_goes_when_the_window_opens() -> None:
    world = waiting("v1", policy=replace(POLICY, windows=(CALM,)))
    world.done(BO, c.Approve("v1"))
    world.done(CY, c.Approve("v1", window="low-traffic"))
    world.settle(limit=300)
    assert taken_at(world) == "Wed 02:00"


def test_a_window_that_was_missed_is_waited_for_again() -> None:
    world = waiting("v1", policy=replace(POLICY, windows=(CALM,), verification_ttl=10 * 86_400))
    world.done(BO, c.Approve("v1", window="low-traffic"))
    world.done(CY, c.Approve("v1"))
    world.now += timedelta(hours=15)
    go_on(world, 1)
    assert latest(world).stage is Stage.SCHEDULED
    world.settle(limit=300)
    assert taken_at(world) == "Thu 02:00"


def test_others_pass_what_waits_for_its_time() -> None:
    world = waiting("v1", "v2")
    world.done(BO, c.Approve("v1", at="20:00"))
    world.done(CY, c.Approve("v1"))
    approve(world, "v2")
    assert latest(world, "v2").stage is Stage.DEPLOYING
    go_on(world)
    assert latest(world, "v2").stage is Stage.COMPLETED
    assert latest(world).stage is Stage.AWAITING_APPROVAL, "its votes were for another change"
    assert latest(world).start is None


def test_an_approver_moves_the_time_of_what_is_approved() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1", at="20:00"))
    world.done(CY, c.Approve("v1"))
    assert world.done(CY, c.Approve("v1", at="15:00")) == ("v1 is approved. Not before 15:00 UTC",)
    assert world.done(CY, c.Approve("v1", at="15:00"))[0].startswith("v1 waits for that already.")
    world.settle(limit=300)
    assert taken_at(world) == "Tue 15:00"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (c.Approve("v1", at="2020-01-01 10:00"), "time"),
        (c.Approve("v1", window="nights"), "window"),
        (c.Approve("v1", at="20:00", window="low-traffic"), "twice"),
    ],
)
def test_what_cannot_be_meant_counts_no_vote(command: c.Approve, code: str) -> None:
    world = waiting("v1", policy=replace(POLICY, windows=(CALM,)))
    assert world.refused(BO, command).code == code
    assert latest(world).votes == ()


def test_when_tells_the_time_that_was_asked_for() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1", at="20:00"))
    d = latest(world)
    card = _when(d, world.facts(VI, d), "UTC")
    assert card.title == "v1 can start 20:00 at the earliest"
    assert card.lines == ("Needs 1 more vote: Cy Roe", "Needs its time (Bo Li): 20:00")
    assert [event for event in world.events("v1#1") if isinstance(event, StartSet)]
