"""From the push to production on Discord: chosen, typed, clicked and filled in, over both transports."""

from __future__ import annotations

import pytest

from core.stages import Stage
from tests.adapters.discord.world import DiscordWorld, Mode, servers
from tests.discord.peer.discord import texts
from tests.discord.peer.guilds import Interaction


async def answer(world: DiscordWorld, asked: Interaction) -> str:
    """What the asker is told in the end."""
    await world.discord.until(lambda: asked.original is not None and not asked.loading)
    assert asked.original is not None
    return asked.original.text


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_a_deployment_goes_to_production_by_choosing_and_clicking(mode: Mode) -> None:
    async with servers(mode) as world:
        discord = world.discord
        world.ships("v1")
        pushed = await discord.alice.slash("push", id="v1", description="Fixes the *login* <@1>")
        await answer(world, pushed)
        await world.reaches("v1", Stage.STAGED)
        await world.settles()
        card = discord.channel("#deployments").card("v1")
        await answer(world, await discord.alice.clicks("Verify", on=card))
        await world.reaches("v1", Stage.AWAITING_APPROVAL)
        await world.settles()
        asked = await discord.bo.clicks("Approve", on=discord.channel("#deployments").card("v1"))
        assert "to OMEGA" in await answer(world, asked)
        await answer(world, await discord.bo.clicks("Approve", on=asked))
        await world.reaches("v1", Stage.COMPLETED)
        await world.settles()
        await world.production_runs("v1")
        assert "Completed" in discord.channel("#deployments").card("v1").text
        said = "\n".join(texts(discord.thread(card)))
        assert "Verification PASSED" in said
        assert discord.refusals(*((10015,) if mode == "http" else ())) == []
        assert discord.thread_of(card).name.startswith("v1")
