"""Votes: what each is for, when it falls, who may cast it, and what the quorum leads to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core.events import Approved, Event, LaneTaken, ServerConfigured, Voted, VotesFell
from core.facts import Decided
from core.policy import Covers, Policy, approvers, gates, names, votes_that_count
from core.stages import Stage
from core.state import ManifestFacts, Vote
from core.workflow import decide
from tests.core.support.making import DIGEST, in_stage, without_omega
from tests.core.support.tables import kinds, outcome
from tests.core.support.team import ALICE, BO, CY, DI, EVE, EVERYBODY, OPS, POLICY, VI
from tests.core.support.world import World


def waiting(*updates: str, policy: Policy = POLICY, pusher: object = ALICE) -> World:
    """A world in which these wait for approval, one component, all pushed by Alice."""
    world = World(policy=policy, updates={update: ManifestFacts("main") for update in updates})
    for update in updates:
        world.done(pusher, c.Push(update, "some change"))  # type: ignore[arg-type] # a Person
        world.settle()
        world.done(ALICE, c.Verify(update))
        world.settle()
        assert stage(world, update) is Stage.AWAITING_APPROVAL
    return world


def stage(world: World, update: str) -> Stage:
    d = world.latest(update)
    assert d is not None
    return d.stage


def fell(world: World, update: str) -> list[VotesFell]:
    return [event for event in world.events(f"{update}#1") if isinstance(event, VotesFell)]


def live(world: World, update: str) -> World:
    world.done(BO, c.Approve(update))
    world.done(CY, c.Approve(update))
    world.settle(limit=200)
    assert stage(world, update) is Stage.COMPLETED
    return world


def only(found: Iterable[Event], wanted: type[Event]) -> Event:
    return next(event for event in found if isinstance(event, wanted))


# -- what a vote leads to ----------------------------------------------------------------------------------------------


def test_two_votes_make_a_quorum_of_two_and_take_the_lane_in_the_same_decision() -> None:
    world = waiting("v1")
    assert world.done(BO, c.Approve("v1"))[0].startswith("Counted, 1 of 2: v1, ")
    assert stage(world, "v1") is Stage.AWAITING_APPROVAL
    says = world.done(CY, c.Approve("v1"))
    assert says[0].startswith("Counted, 2 of 2: v1, ")
    assert says[1:] == ("OMEGA eu: nothing → v1", "Approved. v1 goes to OMEGA now")
    assert stage(world, "v1") is Stage.DEPLOYING
    assert kinds(tuple(world.events("v1#1")))[-3:] == ["Voted", "Approved", "LaneTaken"]


def test_a_quorum_of_one_needs_one_vote() -> None:
    world = waiting("v1", policy=replace(POLICY, quorum=1))
    world.done(CY, c.Approve("v1"))
    assert stage(world, "v1") is Stage.DEPLOYING


def test_a_component_may_ask_for_more_votes() -> None:
    world = waiting("v1", policy=replace(POLICY, quorum=1, quorum_by_component={"main": 2}))
    world.done(CY, c.Approve("v1"))
    assert stage(world, "v1") is Stage.AWAITING_APPROVAL


def test_one_person_has_one_vote() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    assert world.done(BO, c.Approve("v1")) == ("Your vote for v1 is counted already: 1 of 2",)
    assert len([event for event in world.events("v1#1") if isinstance(event, Voted)]) == 1


def test_standing_votes_are_enough_once_the_quorum_is_smaller() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    world.policy = replace(world.policy, quorum=1)
    world.done(BO, c.Approve("v1"))
    assert stage(world, "v1") is Stage.DEPLOYING


# -- who may not -------------------------------------------------------------------------------------------------------


def test_nobody_approves_their_own_push() -> None:
    assert waiting("v1").refused(ALICE, c.Approve("v1")).why == "You pushed v1. Bo Li or Cy Roe can approve."


@pytest.mark.parametrize(
    ("pushed", "asked", "why"),
    [
        ("discord:1", "slack:C1", "You pushed v1, also from Discord. Bo Li or Cy Roe can approve."),
        ("slack:C1", "discord:1", "You pushed v1, also from Slack. Bo Li or Cy Roe can approve."),
        ("slack:C1", "slack:C2", "You pushed v1. Bo Li or Cy Roe can approve."),
    ],
)
def test_who_pushed_on_another_platform_is_the_same_person(pushed: str, asked: str, why: str) -> None:
    making = in_stage("awaiting_approval")
    facts = replace(making.facts(ALICE), channel=asked, deployment=replace(making.deployment, home=pushed))
    refused = decide(c.Approve("v1"), facts)
    assert (refused.code, refused.why) == ("own_push", why)  # type: ignore[union-attr] # it is refused


def test_a_setting_allows_the_pusher_to_vote() -> None:
    world = waiting("v1", policy=replace(POLICY, own_push=True, quorum=1))
    world.done(ALICE, c.Approve("v1"))
    assert stage(world, "v1") is Stage.DEPLOYING


def test_a_shared_account_has_no_vote() -> None:
    why = "Ops Desk is a shared account, and a vote is one person's. Bo Li or Cy Roe can approve."
    assert waiting("v1").refused(OPS, c.Approve("v1")).why == why


def test_every_unmet_condition_is_listed() -> None:
    refused = decide(c.Approve("v1"), without_omega(in_stage("staged")).facts(ALICE))
    assert outcome(refused).split(" | ")[2:] == [
        "Not ready for approval: v1 is unverified. `deploy verify v1`",
        "You pushed v1. Bo Li or Cy Roe can approve.",
        "OMEGA Server not configured; your vote was not counted. Eve Poe can: `deploy configure omega <url> <name>`",
    ]


def test_who_can_approve_leaves_out_who_has_voted_and_who_cannot() -> None:
    making = in_stage("awaiting_approval")
    assert approvers(making.deployment, making.facts()) == [BO, CY]
    assert approvers(making.vote(BO).deployment, making.facts()) == [CY]
    assert names([BO, CY, DI]) == "Bo Li, Cy Roe or Di Fox"
    assert names([]) == "nobody"


def test_gates_name_everything_that_is_between_it_and_production() -> None:
    making = without_omega(in_stage("awaiting_approval"))
    making.lane = replace(making.lane, holder="v9#1")
    late = making.facts().now + timedelta(days=2)
    found = gates(making.deployment, replace(making.facts(), now=late))
    assert [(gate.kind, gate.needs, gate.who) for gate in found] == [
        ("omega", "OMEGA Server not configured", ("eve",)),
        ("expired", "a verdict that is still valid", ()),
        ("votes", "2 more votes", ("bo", "cy")),
        ("lane", "the end of v9#1", ()),
    ]


# -- clicks and verdicts that are old ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen",
    [c.Seen(1, DIGEST, 0), c.Seen(2, DIGEST, 1), c.Seen(1, "00" * 32, 1), c.Seen(1, "00" * 12, 1),
     c.Seen(1, DIGEST[:23], 1), c.Seen(1, "", 1)],
)  # fmt: skip
def test_a_click_on_an_old_card_changes_nothing(seen: c.Seen) -> None:
    line = outcome(decide(c.Approve("v1", seen), in_stage("awaiting_approval").facts(BO)))
    assert line == (
        "refused | stale_button | That card is old: v1 is now awaiting approval, run 1. Nothing was changed. "
        "`deploy status v1` shows it as it is"
    )


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:24]])
def test_a_click_on_the_card_as_it_is_counts(digest: str) -> None:
    """A button that has no room for the whole digest holds its beginning."""
    verdict = decide(c.Approve("v1", c.Seen(1, digest, 1)), in_stage("awaiting_approval").facts(BO))
    assert isinstance(verdict, Decided)
    assert kinds(verdict.events) == ["Voted"]


def test_an_expired_verdict_runs_the_checks_again_and_counts_no_vote() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    world.now += timedelta(seconds=POLICY.verification_ttl)
    (says,) = world.done(CY, c.Approve("v1"))
    assert says == (
        "v1's verdict expired at 14:00. The checks run again; you will be asked for your vote when they pass."
    )
    assert kinds(tuple(world.events("v1#1")))[-2:] == ["VotesFell", "VerificationStarted"]
    world.settle()
    assert stage(world, "v1") is Stage.AWAITING_APPROVAL


def test_an_expired_verdict_cannot_be_renewed_where_every_check_is_off() -> None:
    world = waiting("v1")
    world.now += timedelta(seconds=POLICY.verification_ttl)
    world.policy = replace(world.policy, checks=())
    assert world.refused(BO, c.Approve("v1")).code == "no_checks"


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_a_second_deployment_waits_behind_the_first() -> None:
    world = waiting("v1", "v2")
    world.done(BO, c.Approve("v1"))
    world.done(CY, c.Approve("v1"))
    world.done(BO, c.Approve("v2"))
    says = world.done(CY, c.Approve("v2"))
    assert says[1:] == (
        "OMEGA eu: v1 → v2",
        "Approved, queued behind v1; everything is judged again when its turn comes",
    )
    assert stage(world, "v2") is Stage.SCHEDULED
    assert world.done(BO, c.Approve("v2")) == ("v2 is approved already (Bo Li and Cy Roe), queued behind v1",)
    world.settle(limit=200)
    assert (stage(world, "v1"), stage(world, "v2")) == (Stage.COMPLETED, Stage.COMPLETED)
    assert not fell(world, "v2")
    approved = only(world.events("v2#1"), Approved)
    taken = only(world.events("v2#1"), LaneTaken)
    assert isinstance(approved, Approved)
    assert approved.behind == "v1"
    assert isinstance(taken, LaneTaken)
    assert [(region, ref and ref.id) for region, ref in taken.replaces] == [("eu", "v1")]


def test_one_that_is_held_in_the_queue_lets_the_next_pass_and_is_judged_again() -> None:
    world = waiting("v1", "v2", "v3")
    world.public.away = True
    world.omegas["eu"].slow = True
    for update in ("v1", "v2"):
        world.done(BO, c.Approve(update))
        world.done(CY, c.Approve(update))
    world.done(BO, c.Pause("v2"))
    world.done(BO, c.Approve("v3"))
    assert world.done(CY, c.Approve("v3"))[-1].startswith("Approved, queued behind v1;")
    world.heal()
    world.settle(limit=200)
    assert (stage(world, "v2"), stage(world, "v3")) == (Stage.AWAITING_APPROVAL, Stage.COMPLETED)
    assert fell(world, "v2")[0].people == ("bo", "cy")


# -- votes fall when what they cover changes ---------------------------------------------------------------------------


def test_votes_fall_when_another_deployment_is_in_production_first() -> None:
    world = waiting("v1", "v2")
    world.done(BO, c.Approve("v2"))
    live(world, "v1")
    assert [event.people for event in fell(world, "v2")] == [("bo",)]
    told = [message for message in world.outbox if message.kind == "direct" and message.person == "bo"]
    assert "Your vote for v2 no longer counts" in [message.card.title for message in told]


def test_a_rollback_voids_votes_even_where_the_same_release_runs_again() -> None:
    world = waiting("v0", "v1", "v2")
    live(world, "v0")
    world.done(BO, c.Approve("v2"))
    live(world, "v1")
    world.now += timedelta(seconds=1)
    world.done(CY, c.Approve("v2"))
    assert [vote.person for vote in votes(world, "v2")] == ["cy"]
    world.now += timedelta(seconds=1)
    world.done(BO, c.Rollback("v1"))
    world.settle(limit=200)
    assert votes(world, "v2") == ()
    world.done(BO, c.Approve("v2"))
    assert [vote.person for vote in votes(world, "v2")] == ["bo"]


def test_a_vote_before_a_rollback_does_not_count_after_it() -> None:
    """Production runs again what it ran when Bo voted; the next approval is a fresh act all the same."""
    making = in_stage("awaiting_approval").vote(BO)
    making.lane = replace(making.lane, voided_at=making.now)
    verdict = decide(c.Approve("v1"), replace(making.facts(CY), now=making.now + timedelta(seconds=1)))
    assert isinstance(verdict, Decided)
    assert kinds(verdict.events) == ["VotesFell", "Voted"]


def votes(world: World, update: str) -> tuple[Vote, ...]:
    d = world.latest(update)
    assert d is not None
    return d.votes


def test_votes_fall_when_a_region_is_added() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "Production", "us"))
    assert isinstance(world.journal[-1].event, ServerConfigured)
    world.settle()
    assert [event.people for event in fell(world, "v1")] == [("bo",)]


def test_votes_fall_when_their_voter_loses_the_role() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    world.people = tuple(replace(one, roles=VI.roles) if one.id == BO.id else one for one in world.people)
    assert world.done(CY, c.Approve("v1"))[0].startswith("Counted, 1 of 2")
    assert [event.people for event in fell(world, "v1")] == [("bo",)]


def test_a_new_run_voids_votes() -> None:
    world = waiting("v1")
    world.done(BO, c.Approve("v1"))
    world.done(ALICE, c.Verify("v1"))
    assert [event.why for event in fell(world, "v1")] == ["a new verification run was started"]
    world.settle()
    assert votes(world, "v1") == ()


@pytest.mark.parametrize(
    ("change", "events"),
    [("expired", ["VotesFell"]), ("quorum", ["VotesFell"]), ("role", ["VotesFell"]), ("nothing", ["LaneTaken"])],
)
def test_every_gate_is_judged_again_when_the_lane_is_taken(change: str, events: list[str]) -> None:
    from core.facts import LaneFree
    from core.workflow import conclude

    facts = in_stage("scheduled").facts()
    match change:
        case "expired":
            facts = replace(facts, now=facts.now + timedelta(days=2))
        case "quorum":
            facts = replace(facts, policy=replace(POLICY, quorum=3))
        case "role":
            facts = replace(facts, people=tuple(one for one in EVERYBODY if one.id != BO.id))
    assert kinds(conclude(LaneFree(), facts)) == events


def test_what_a_vote_covers_is_exactly_this() -> None:
    one = Covers(DIGEST, 1, "main", "standard", False, (("eu", None),))
    others = [
        replace(one, digest="00" * 32), replace(one, run=2), replace(one, component="docs"),
        replace(one, level="server-owner"), replace(one, irreversible=True), replace(one, replaces=()),
        replace(one, replaces=(("eu", DIGEST),)),
    ]  # fmt: skip
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 8


def test_the_words_of_a_vote_name_what_it_would_undo() -> None:
    second = ManifestFacts("main", contains=("v0.9",), irreversible=True)
    world = World(updates={"v1": ManifestFacts("main"), "v2": second})
    for update in world.updates:
        world.done(ALICE, c.Push(update, "some change"))
        world.done(ALICE, c.Verify(update))
        world.settle()
    live(world, "v1")
    says = world.done(BO, c.Approve("v2"))
    assert says[1] == "OMEGA eu: v1 → v2; would undo v1; irreversible"


def test_the_vote_of_the_pusher_stops_counting_with_the_setting_that_allowed_it() -> None:
    making = in_stage("awaiting_approval").vote(ALICE, BO)
    facts = making.facts()

    def counted(policy: Policy) -> tuple[str, ...]:
        return votes_that_count(making.deployment, replace(facts, policy=policy))

    assert counted(replace(POLICY, own_push=True)) == ("alice", "bo")
    assert counted(POLICY) == ("bo",)
