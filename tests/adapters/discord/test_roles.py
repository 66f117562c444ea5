"""Roles of a server give roles, by what each click carries; and of those who only write, by asking."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.people import Group, with_viewing
from core.stages import Stage
from tests.adapters.discord.test_journey import answer
from tests.adapters.discord.test_refusals import told_directly
from tests.adapters.discord.world import DiscordWorld, servers
from tests.discord.peer.guilds import GUILD, LABS

MEMBER = "GET /guilds/{id}/members/{id}"
DEPLOYER = "200000000000000112"


@pytest.fixture
async def world() -> AsyncIterator[DiscordWorld]:
    groups = (
        Group("ops", with_viewing(["deployer"]), frozenset({("discord", f"{GUILD}/{DEPLOYER}")})),
        Group("everyone", with_viewing([]), frozenset({("discord", f"{GUILD}/{GUILD}")})),
    )
    async with servers(groups=groups) as running:
        assert running.discord.role("deployer") == DEPLOYER
        yield running


async def test_a_role_that_the_click_carries_counts_at_once_and_nobody_is_asked(world: DiscordWorld) -> None:
    discord, mo = world.discord, world.discord.human("mo")
    world.ships("v1")
    refused = await answer(world, await mo.slash("push", id="v1", description="x"))
    assert "no role here" in refused
    discord.gives(mo, "deployer")
    asked = len(discord.called(MEMBER))
    await answer(world, await mo.slash("push", id="v1", description="x"))
    await world.reaches("v1", Stage.STAGED)
    assert len(discord.called(MEMBER)) == asked
    discord.gives(mo)
    assert "no role here" in await answer(world, await mo.slash("verify", id="v1"))
    assert (await world.deployment("v1")).stage is Stage.STAGED


async def test_roles_of_another_server_do_not_count(world: DiscordWorld) -> None:
    mo = world.discord.human("mo")
    world.discord.gives(mo, "deployer", guild=LABS)
    world.ships("v1")
    refused = await answer(world, await mo.slash("push", in_="#experiments", id="v1", description="x"))
    assert "no role here" in refused


async def test_who_writes_directly_is_asked_about(world: DiscordWorld) -> None:
    discord, mo = world.discord, world.discord.human("mo")
    world.ships("v1")
    discord.gives(mo, "deployer")
    await mo.says("push v1 'Fixes the login'", in_="@ashat")
    await told_directly(discord, mo, "v1")
    await world.reaches("v1", Stage.STAGED)
    assert discord.called(MEMBER)
