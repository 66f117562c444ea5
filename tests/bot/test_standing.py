"""Roles by groups: certain when they count, denied in doubt, and never in the way of what settings give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.people.memory import MemoryMemberships
from bot.app import App
from bot.groups import AGAIN, FRESH
from core import plain
from core.people import Account, Group
from core.ports import Reply
from core.stages import Stage
from tests.bot.support.people import PLATFORM, TEAM, person
from tests.bot.support.world import World, running
from tests.bot.test_journey import arrive

RELEASE = Group("release", frozenset({"viewer", "approver"}), frozenset({(PLATFORM, "S1")}))
SHIP = Group("ship", frozenset({"viewer", "deployer"}), frozenset({(PLATFORM, "S2")}))
LISTED = tuple(person(one.name, *(role for role in one.roles if one.id in ("alice", "eve"))) for one in TEAM)
"""Alice deploys and Eve may all by the settings; Bo, Cy and Vi have no roles of their own."""


class GroupWorld(World):
    def __init__(self, groups: dict[str, set[str]], *, lists: bool, strangers_vote: bool, **workflow: Any) -> None:
        self.memberships = MemoryMemberships(PLATFORM, groups, lists=lists)
        self._strangers_vote = strangers_vote
        super().__init__(team=LISTED, **workflow)

    def make_app(self) -> App:
        made = super().make_app()
        parts = replace(
            made.parts, groups=(RELEASE, SHIP), memberships=(self.memberships,), strangers_vote=self._strangers_vote
        )
        return App(parts, self.settings, edit_gap=0.0)

    async def whoami(self, name: str) -> list[str]:
        return plain.lines((await self.speaker(name).says("deploy whoami")).card)


@asynccontextmanager
async def grouped(*, lists: bool = True, strangers_vote: bool = True, **workflow: Any) -> AsyncIterator[GroupWorld]:
    groups = {"S1": {"U-bo", "U-cy", "U-zed"}, "S2": {"U-bo"}}
    world = GroupWorld(groups, lists=lists, strangers_vote=strangers_vote, **workflow)
    async with running(world):
        yield world


@pytest.fixture(params=[True, False], ids=["lists", "asked one by one"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[GroupWorld]:
    async with grouped(lists=request.param) as made:
        yield made


def refused(reply: Reply) -> str:
    assert reply.outcome == "refused"
    return plain.lines(reply.card)[0]


async def test_a_group_gives_its_roles_and_whoami_says_so(world: GroupWorld) -> None:
    groups = "the group release: approver, viewer; the group ship: deployer, viewer"
    shown = await world.whoami("bo")
    assert shown[1:3] == [f"Roles: approver, deployer, viewer (from {groups})", "Groups: release, ship"]
    assert (await world.whoami("vi"))[0] == "You have no role here."
    assert (await world.whoami("eve"))[1].endswith("(from the settings, [people.eve])")


async def test_whoever_is_in_no_group_is_refused_as_before(world: GroupWorld) -> None:
    assert refused(await world.vi.says("deploy status")).startswith("You have no role here.")


async def test_what_settings_give_asks_nobody(world: GroupWorld) -> None:
    world.memberships.silent = True
    world.ships("v1")
    assert (await world.alice.says("deploy push v1 'Fixes'")).outcome == "done"
    assert (await world.alice.says("deploy status")).outcome == "done"
    assert world.memberships.asked == 0


async def test_a_vote_by_a_group_counts(world: GroupWorld) -> None:
    await arrive(world, "v1")
    await world.bo.says("deploy approve v1")
    await world.settles()
    assert await world.stage("v1") is Stage.COMPLETED


async def test_a_platform_that_does_not_answer_grants_nothing_and_says_so(world: GroupWorld) -> None:
    await arrive(world, "v1")
    world.clock.move(FRESH.total_seconds() + 1)
    world.memberships.silent = True
    why = refused(await world.bo.says("deploy approve v1"))
    assert why == (
        "You have no role here. An admin gives roles, in the settings under [people]. "
        "Chat did not say which groups you are in; try again"
    )
    asked = world.memberships.asked
    await world.bo.says("deploy approve v1")
    assert world.memberships.asked == asked, "it is left alone for a while"
    world.memberships.silent = False
    world.clock.move(AGAIN.total_seconds())
    assert (await world.bo.says("deploy approve v1")).outcome == "done"


async def test_an_answer_holds_for_half_a_minute_and_no_longer(world: GroupWorld) -> None:
    assert (await world.bo.says("deploy status")).outcome == "done"
    asked = world.memberships.asked
    for members in world.memberships.groups.values():
        members.discard("U-bo")
    assert (await world.bo.says("deploy status")).outcome == "done"
    assert world.memberships.asked == asked
    world.clock.move(FRESH.total_seconds())
    assert refused(await world.bo.says("deploy status")).startswith("You have no role here.")


async def test_a_clock_that_was_put_back_makes_no_old_answer_new(world: GroupWorld) -> None:
    assert (await world.bo.says("deploy status")).outcome == "done"
    world.memberships.silent = True
    world.clock.move(-3600)
    assert refused(await world.bo.says("deploy status")).startswith("You have no role here.")


@pytest.mark.parametrize("lists", [True, False])
async def test_who_left_the_group_before_the_quorum_has_no_vote_any_more(lists: bool) -> None:
    async with grouped(lists=lists, quorum=2) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        world.memberships.groups["S1"].discard("U-bo")
        world.clock.move(FRESH.total_seconds())
        await world.cy.says("deploy approve v1")
        await world.settles()
        assert await world.stage("v1") is Stage.AWAITING_APPROVAL
        assert [vote.person for vote in (await world.deployment("v1")).votes] == ["cy"]
        await world.eve.says("deploy approve v1")
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED


@pytest.mark.parametrize("lists", [True, False])
async def test_while_nobody_can_say_who_may_vote_no_vote_counts_and_none_falls(lists: bool) -> None:
    async with grouped(lists=lists, quorum=2) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        world.clock.move(FRESH.total_seconds())
        world.memberships.silent = True
        told = plain.lines((await world.eve.says("deploy approve v1")).card)
        assert told[-1] == "Whether Bo Li may still approve cannot be asked now. Approve again when it can"
        await world.passes(60)
        assert await world.stage("v1") is Stage.AWAITING_APPROVAL
        assert len((await world.deployment("v1")).votes) == 2
        world.shows("v1", "Approved 2 of 2: Bo Li, Eve Poe")
        world.memberships.silent = False
        world.clock.move(AGAIN.total_seconds())
        await world.eve.says("deploy approve v1")
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED


async def test_the_lane_is_not_taken_while_it_is_uncertain_whose_votes_count() -> None:
    async with grouped() as world:
        await arrive(world, "v1")
        world.clock.move(1)
        await arrive(world, "v2")
        world.omega.down()
        await world.bo.says("deploy approve v1")
        await world.bo.says("deploy approve v2")
        assert await world.stage("v2") is Stage.SCHEDULED
        world.clock.move(FRESH.total_seconds())
        world.memberships.silent = True
        world.omega.up()
        await world.passes(120)
        assert (await world.stage("v1"), await world.stage("v2")) == (Stage.COMPLETED, Stage.SCHEDULED)
        world.memberships.silent = False
        await world.reaches("v2", Stage.COMPLETED, limit=200)


async def test_after_a_restart_a_vote_stays_and_counts_once_it_is_certain() -> None:
    async with grouped(quorum=2) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        await world.crash()
        await world.restart()
        await world.passes(30)
        world.shows("v1", "Approved 1 of 2: Bo Li")
        await world.eve.says("deploy approve v1")
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED


async def test_members_of_a_group_are_asked_for_their_votes_whoever_lists_them() -> None:
    async with grouped() as world:
        await arrive(world, "v1")
        asked = {m.person for m in world.chat.messages if m.card.title == "v1 waits for your approval"}
        assert asked == {"bo", "cy", "eve", f"{PLATFORM}:U-zed"}


async def test_whom_nobody_lists_may_vote_by_a_group_where_one_human_surely_has_one_account() -> None:
    async with grouped() as world:
        await arrive(world, "v1")
        assert (await world.speaker("zed").says("deploy approve v1")).outcome == "done"
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED
        world.shows("v1", f"Approved: {PLATFORM}:U-zed")


async def test_elsewhere_they_may_do_the_rest_and_have_no_vote() -> None:
    async with grouped(strangers_vote=False) as world:
        await arrive(world, "v1")
        assert refused(await world.speaker("zed").says("deploy approve v1")).startswith("Approve needs approver")
        assert (await world.speaker("zed").says("deploy status")).outcome == "done"
        assert (await world.bo.says("deploy approve v1")).outcome == "done"


async def test_what_asks_a_platform_finds_strangers_on_no_other() -> None:
    async with grouped() as world:
        assert world.app.people.find(Account("elsewhere", "U-bo")) is None
        assert world.app.people.get("nobody") is None


async def test_a_start_journals_what_groups_give() -> None:
    async with grouped() as world:
        entries = await world.store.journal("system")
        rules = next(entry for entry in entries if entry.kind == "PeopleChanged").data["roster"]["rules"]
        assert rules["roles of the group release"] == ["approver", "viewer"]
        assert rules["members of the group release"] == [f"{PLATFORM} S1"]
