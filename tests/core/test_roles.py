"""Roles for some components and servers, and groups that must be among the votes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import commands as c
from core.people import Grant, Person, Role, with_viewing
from core.policy import EVERY, Policy, Scope, holds, quorum, roles_in
from core.stages import Stage
from core.state import ManifestFacts
from core.views.answers import whoami
from core.views.card import deployment_card
from core.workflow import decide
from tests.core.support.making import in_stage
from tests.core.support.tables import outcome
from tests.core.support.team import ALICE, BO, CY, DI, EVE, OMEGA_EU, OMEGA_US, OPS, POLICY, PUBLIC_SERVER, VI
from tests.core.support.world import World

NINA = Person("nina", "Nina Oh", frozenset(), frozenset({"security"}))


def grant(roles: str, *to: str, components: tuple[str, ...] = (), servers: tuple[str, ...] = ()) -> Grant:
    given: list[Role] = [role for role in ("deployer", "approver", "admin") if role in roles]  # type: ignore[misc]
    return Grant(to, with_viewing(given), components, servers)


@pytest.mark.parametrize(
    ("given", "scope", "allowed"),
    [
        (grant("approver", "nina"), Scope("main", ("eu", "us")), True),
        (grant("approver", "@security"), Scope("main", ("eu", "us")), True),
        (grant("approver", "@ops"), Scope("main", ("eu",)), False),
        (grant("approver", "bo"), Scope("main", ("eu",)), False),
        (grant("deployer", "nina"), Scope("main", ("eu",)), False),
        (grant("approver", "nina", components=("main",)), Scope("main", ("eu",)), True),
        (grant("approver", "nina", components=("main",)), Scope("api", ("eu",)), False),
        (grant("approver", "nina", components=("main",)), Scope(EVERY), False),
        (grant("approver", "nina"), Scope(EVERY), True),
        (grant("approver", "nina", servers=("eu",)), Scope("main", ("eu",)), True),
        (grant("approver", "nina", servers=("eu",)), Scope("main", ("eu", "us")), False),
        (grant("approver", "nina", servers=("eu",)), Scope(), True),
    ],
)
def test_a_grant_holds_where_it_says_and_nowhere_else(given: Grant, scope: Scope, allowed: bool) -> None:
    assert holds(NINA, ("approver",), Policy(grants=(given,)), scope) is allowed


def test_nothing_is_granted_by_default() -> None:
    assert roles_in(NINA, Policy()) == frozenset()
    assert roles_in(NINA, Policy(grants=(grant("deployer", "nina"),))) == {"deployer", "viewer"}


def world(*, grants: tuple[Grant, ...] = (), groups: tuple[str, ...] = (), people: tuple[Person, ...] = ()) -> World:
    """v1 of main waits for approval, pushed by Alice; EU and US would change."""
    made = World(
        policy=replace(POLICY, grants=grants, groups=groups), updates={"v1": ManifestFacts("main")},
        people=(ALICE, *(people or (BO, CY)), DI, EVE, VI, OPS, NINA), servers=[PUBLIC_SERVER, OMEGA_EU],
    )  # fmt: skip
    made.done(ALICE, c.Push("v1", "some change"))
    made.settle()
    made.done(ALICE, c.Verify("v1"))
    made.settle()
    return made


def test_who_holds_the_role_elsewhere_is_told_so_and_who_can() -> None:
    here = world(grants=(grant("approver", "nina", components=("docs",)),))
    why = here.refused(NINA, c.Approve("v1")).why
    assert why == (
        "Approve needs approver; you are not for main on OMEGA eu. "
        "Ask Alice Ng, Bo Li, Cy Roe or Ops Desk. `deploy whoami`"
    )


def test_an_approver_of_one_region_cannot_approve_what_changes_two() -> None:
    here = world(grants=(grant("approver", "@security", servers=("eu",)),))
    here.done(NINA, c.Approve("v1"))
    here._configured(OMEGA_US)
    assert here.refused(NINA, c.Approve("v1")).code == "role"
    here.settle()
    d = here.latest("v1")
    assert d is not None
    assert d.votes == ()


def test_a_deployer_on_public_alone_verifies_and_cannot_pause_production() -> None:
    here = world(grants=(grant("deployer", "nina", servers=("public",)),))
    here.done(NINA, c.Verify("v1"))
    here.settle()
    here.done(BO, c.Approve("v1"))
    here.done(CY, c.Approve("v1"))
    assert here.refused(NINA, c.Pause("v1")).code == "role"


def test_an_admin_of_one_region_configures_that_one() -> None:
    here = world(grants=(grant("admin", "nina", servers=("us",)),))
    here.done(NINA, c.Configure("omega", "https://us.omega.test", "US", "us"))
    assert here.refused(NINA, c.Configure("omega", "https://eu.omega.test", "EU", "eu")).code == "role"


def test_a_vote_falls_with_the_group_that_gave_the_role() -> None:
    here = world(grants=(grant("approver", "@security"),))
    here.done(NINA, c.Approve("v1"))
    here.people = tuple(replace(one, groups=frozenset()) if one.id == "nina" else one for one in here.people)
    here.settle()
    d = here.latest("v1")
    assert d is not None
    assert d.votes == ()


# -- groups in the quorum ----------------------------------------------------------------------------------------------

SECURITY, OPERATIONS = frozenset({"security"}), frozenset({"ops"})
S, P, B = (replace(BO, groups=SECURITY), replace(CY, groups=OPERATIONS),
           replace(DI, id="bea", name="Bea Ash", groups=SECURITY | OPERATIONS, roles=BO.roles))  # fmt: skip
N = replace(DI, id="ned", name="Ned Orr", roles=BO.roles)


@pytest.mark.parametrize(
    ("voters", "missing", "lacking"),
    [
        ((), ("security", "ops"), 2),
        ((S,), ("ops",), 1),
        ((N,), ("security", "ops"), 2),
        ((N, S), ("ops",), 1),
        ((B,), ("ops",), 1),
        ((B, S), (), 0),
        ((B, P), (), 0),
        ((S, P), (), 0),
        ((S, N, B), (), 0),
    ],
)
def test_each_group_needs_another_person(voters: tuple[Person, ...], missing: tuple[str, ...], lacking: int) -> None:
    making = in_stage("awaiting_approval").vote(*voters)
    policy = replace(POLICY, groups=("security", "ops"))
    state = quorum(making.deployment, replace(making.facts(), people=(S, P, B, N), policy=policy))
    assert (state.missing, state.lacking) == (missing, lacking)


def test_the_quorum_waits_for_the_group_and_says_who_can_stand_for_it() -> None:
    here = world(groups=("security",), people=(BO, CY, replace(N, groups=SECURITY)))
    here.done(BO, c.Approve("v1"))
    says = here.done(CY, c.Approve("v1"))
    assert says[0].startswith("Counted, 2 of 2: v1")
    assert says[-1] == "Needs security: Ned Orr"
    d = here.latest("v1")
    assert d is not None
    assert d.stage is Stage.AWAITING_APPROVAL
    card = deployment_card(d, here.facts(None, d), "UTC")
    assert "Approved 2 of 2: Bo Li, Cy Roe · Needs security: Ned Orr" in card.lines
    here.done(N, c.Approve("v1"))
    assert here.latest("v1").stage is Stage.DEPLOYING  # type: ignore[union-attr] # it is there


def test_whoami_tells_roles_where_they_come_from_and_groups() -> None:
    policy = replace(POLICY, grants=(grant("approver", "@security", components=("main",), servers=("eu",)),))
    card = whoami(NINA, "console", replace(in_stage("staged").facts(NINA), policy=policy), shell=True)
    assert card.lines[:3] == (
        "Roles: none (from the settings, [people.nina])",
        "Roles for main on eu: approver, viewer (from a grant to @security)",
        "Groups: security",
    )


# -- taking a vote back ------------------------------------------------------------------------------------------------


def test_a_vote_that_is_taken_back_counts_no_more_and_may_be_given_again() -> None:
    here = world()
    here.done(BO, c.Approve("v1"))
    assert here.done(BO, c.Unapprove("v1")) == ("Your vote for v1 is taken back: 0 of 2",)
    assert here.refused(BO, c.Unapprove("v1")).code == "no_vote"
    assert here.done(CY, c.Approve("v1"))[0].startswith("Counted, 1 of 2")
    assert here.done(BO, c.Approve("v1"))[0].startswith("Counted, 2 of 2")


def test_a_spare_vote_may_be_taken_back_from_what_waits_for_its_turn() -> None:
    making = in_stage("scheduled")
    facts = making.facts(BO)
    one = replace(facts, policy=replace(POLICY, quorum=1))
    assert outcome(decide(c.Unapprove("v1"), one)) == "VoteWithdrawn | Your vote for v1 is taken back: 1 of 1"
    assert outcome(decide(c.Unapprove("v1"), facts)).endswith("1 of 2; it waits for approval again")
