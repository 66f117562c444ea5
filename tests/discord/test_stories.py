"""The guide's journeys on Discord, by command, by word and by button; and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.stages import Stage
from tests.discord.peer import forms, troubles
from tests.discord.peer.components import TEXT
from tests.discord.peer.discord import texts
from tests.discord.peer.guilds import LABS
from tests.discord.world import DiscordWorld, live, plain


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk would go through a proxy of the machine even on loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def world() -> AsyncIterator[DiscordWorld]:
    async with live() as made:
        yield made


async def arrive(world: DiscordWorld, id_: str) -> None:
    """Pushed and verified by command: it waits for approval."""
    world.clock.move(1)
    world.ships(id_)
    await world.hears(world.discord.alice, "push", id=id_, description="A change that matters")
    await world.settles()
    await world.hears(world.discord.alice, "verify", id=id_)
    await world.settles()
    assert await world.stage(id_) is Stage.AWAITING_APPROVAL


# -- the guide's examples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_example_1_by_command(mode: str) -> None:
    async with live(mode, configured=False) as world:  # type: ignore[arg-type]
        alice, bo, eve = world.discord.alice, world.discord.bo, world.discord.eve
        world.ships("security-patch-001")
        told = await world.hears(eve, "configure", role="public", url=world.public.url, name="Staging")
        assert "Public is now Staging" in told
        await world.hears(eve, "configure", role="omega", url=world.omega.url, name="Production")
        assert await alice.looks_for("push", "id", "sec") == ["security-patch-001"]
        words = "Critical security fixes for authentication module"
        assert "Deployment session created" in await world.hears(
            alice, "push", id="security-patch-001", description=words
        )
        await world.settles()
        await world.hears(alice, "verify", id="security-patch-001")
        await world.settles()
        world.reads("security-patch-001", "✅ Verification PASSED!", "6 of 6")
        await world.hears(bo, "approve", id="security-patch-001")
        await world.settles()
        world.reads("security-patch-001", "Completed", "3 of 3 mainframes healthy")
        await world.production_runs("security-patch-001")
        assert "security-patch-001" in await world.hears(world.discord.vi, "history")
        assert len(world.discord.channel("#deployments").cards()) == 1


async def test_example_1_by_button(world: DiscordWorld) -> None:
    discord = world.discord
    world.ships("v1.2.2", "security-patch-001")
    opened = await discord.alice.slash("push")
    assert opened.modal, "what is missing is asked for in a form"
    labels = [*forms.fields(discord.alice.modal)]
    await discord.alice.submits(**{labels[0]: "security-patch-001", labels[1]: "Critical security fixes"})
    await world.settles()
    card = world.its_card("security-patch-001")
    await world.sees_clicked(discord.alice, "Verify", card)
    await world.settles()
    told = await world.sees_clicked(discord.bo, "Approve", card)
    assert "OMEGA" in told, "the consequences are told before it counts"
    await world.settles()
    world.reads("security-patch-001", "Completed", "Bo Li")
    await world.production_runs("security-patch-001")
    assert card is world.its_card("security-patch-001"), "it was edited in place"


async def test_example_2_by_word_and_rolled_back_by_a_click(world: DiscordWorld) -> None:
    discord = world.discord
    world.ships("feature-2024-q1", "feature-2024-q1-fixed")
    await world.reads_mention(discord.alice, "@Ashat push feature-2024-q1 'New dashboard and analytics features'")
    await world.settles()
    world.public.fail_check("Health Check", seen="500")
    card = world.its_card("feature-2024-q1")
    await world.reads_mention(discord.alice, "@Ashat verify feature-2024-q1", thread=card)
    await world.settles()
    world.reads("feature-2024-q1", "❌ Verification FAILED!", "Health Check: expected 200, got 500")
    assert "Not ready for approval" in await world.hears(discord.bo, "approve", id="feature-2024-q1")

    await discord.alice.clicks("Rollback", on=card)
    (label,) = forms.fields(discord.alice.modal)
    told = [one["content"] for one in discord.alice.modal["components"] if one["type"] == TEXT]
    assert told == ["feature-2024-q1 leaves Public; nothing was pushed to OMEGA."]
    await discord.alice.submits(**{label: "the dashboard is empty"})
    await world.settles()
    assert await world.stage("feature-2024-q1") is Stage.ROLLED_BACK
    world.reads("feature-2024-q1", "Rolled back", "the dashboard is empty")

    world.public.pass_check("Health Check")
    await world.reads_mention(discord.alice, "push feature-2024-q1-fixed 'Dashboard features (fixed)'", in_="@ashat")
    await world.settles()
    await world.reads_mention(discord.alice, "@Ashat verify feature-2024-q1-fixed")
    await world.settles()
    await world.reads_mention(discord.bo, "@Ashat approve feature-2024-q1-fixed")
    await world.settles()
    await world.production_runs("feature-2024-q1-fixed")


async def test_example_3_three_updates_side_by_side_and_four_people_at_once(world: DiscordWorld) -> None:
    discord = world.discord
    updates = (("hotfix-001", "web"), ("feature-update", "api"), ("docs-update", "docs"))
    for id_, component in updates:
        world.ships(id_, component=component)
    await asyncio.gather(
        discord.alice.slash("push", id="hotfix-001", description="Critical bug fix"),
        discord.bo.says("@Ashat push feature-update 'New feature'"),
        discord.eve.says("push docs-update 'Documentation updates'", in_="@ashat"),
        discord.vi.slash("status"),
    )
    await discord.until(lambda: len(discord.channel("#deployments").cards()) == 3)
    await world.settles()
    status = await world.hears(discord.vi, "status")
    assert all(id_ in status for id_, _ in updates)
    for id_, _ in updates[:2]:
        await world.hears(discord.alice, "verify", id=id_)
    await world.settles()
    card, other = world.its_card("hotfix-001"), world.its_card("feature-update")
    people = (discord.bo, discord.cy, discord.eve)
    asked = await asyncio.gather(*(who.clicks("Approve", on=card) for who in people))
    asked.append(await discord.cy.clicks("Approve", on=other))
    await world.is_still()
    await asyncio.gather(
        *(who.clicks("Approve", on=one) for who, one in zip((*people, discord.cy), asked, strict=True))
    )
    await world.settles()
    assert await world.stages() == {
        "hotfix-001": "completed", "feature-update": "completed", "docs-update": "staged",
    }  # fmt: skip
    assert len(discord.channel("#deployments").messages()) == 3
    world.nothing_took_hold_twice()


# -- the bot, the gateway, Discord away --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_the_bot_is_killed_between_click_and_effect(mode: str) -> None:
    async with live(mode) as world:  # type: ignore[arg-type]
        await arrive(world, "v1")
        discord, card = world.discord, world.its_card("v1")
        asked = await discord.bo.clicks("Approve", on=card)
        await world.is_still()
        await discord.bo.clicks("Approve", on=asked)
        await world.is_killed()
        await world.restart()
        await world.is_heard()
        await world.settles()
        assert (await world.counted("v1"))["Approved"] == 1
        world.reads("v1", "Completed", "Bo Li")
        world.nothing_took_hold_twice()
        said = world.milestones("v1")
        assert len(said) == len(set(said)), said
        await discord.alice.clicks("Details", on=card)
        await world.is_still()
        assert "v1" in discord.alice.asked[-1].text, "a button of before the restart is as good as ever"


async def test_discord_is_gone_for_an_hour_and_every_channel_catches_up_in_order() -> None:
    async with live(routes=["discord:400000000000000002"]) as world:
        discord = world.discord
        await arrive(world, "v1")
        await world.hears(discord.bo, "approve", id="v1")
        discord.goes_away()
        await world.settles_servers()
        await world.production_runs("v1")
        await world.passes(3600, step=60)
        discord.comes_back()
        await world.is_heard()
        await world.settles()
        assert len(discord.gateway.identifies) == 2, "the old session was over"
        threads = {}
        for channel in ("#deployments", "#ops"):
            world.reads("v1", "Completed", channel=channel)
            threads[channel] = world.milestones("v1", channel)
        wanted = ["Action plan", "✅ Verification PASSED!", "Bo Li approved", "OMEGA main runs v1", "✅ v1 is complete"]
        assert threads["#deployments"] == wanted
        assert [word for word in wanted if word in threads["#ops"]] == threads["#ops"]


async def test_a_deployment_is_pushed_on_slack_and_approved_on_discord() -> None:
    async with live(with_slack=True, routes=["discord:400000000000000001"]) as world:
        assert world.slack
        discord, slack = world.discord, world.slack
        world.ships("v1")
        await slack.alice.types("/deploy push v1 'A change for both'")
        await world.settles()
        for text in (plain(world.its_card("v1")), slack.channel("#deployments").card("v1").text):
            assert "A change for both" in text
            assert "Alice Ng" in text
        await world.sees_clicked(discord.alice, "Verify", world.its_card("v1"))
        await world.settles()
        await world.sees_clicked(discord.bo, "Approve", world.its_card("v1"))
        await world.settles()
        world.reads("v1", "Completed", "Bo Li")
        there = slack.channel("#deployments").cards()
        assert len(there) == 1
        assert "Completed" in there[0].text
        assert "Bo Li" in there[0].text
        said = [text.splitlines()[0] for text in texts(slack.thread(there[0]))]
        assert world.milestones("v1") == said, "the same milestones on both, each once"
        await world.production_runs("v1")


# -- what goes wrong on the way ----------------------------------------------------------------------------------------


async def test_limits_errors_and_lost_answers_delay_and_never_double(world: DiscordWorld) -> None:
    spoil = world.discord.troubles
    spoil.limits(troubles.POST, retry_after=0.01)
    spoil.cuts(troubles.POST, "after")
    spoil.fails(troubles.POST, status=500, when="after")
    spoil.fails(troubles.EDIT, status=503)
    spoil.fails(troubles.EDIT, status=503, when="after")
    spoil.limits(troubles.EDIT, retry_after=0.01, everywhere=True)
    await arrive(world, "v1")
    assert not spoil.planned
    assert world.milestones("v1") == ["Action plan", "✅ Verification PASSED!"]
    assert len(world.discord.channel("#deployments").messages()) == 1


async def test_interruptions_in_mid_deployment_lose_no_click(world: DiscordWorld) -> None:
    gateway = world.discord.gateway
    await arrive(world, "v1")
    card = world.its_card("v1")
    gateway.cut()
    await world.hears(world.discord.alice, "note", id="v1", text="after a cut")
    await gateway.reconnect()
    await world.hears(world.discord.alice, "note", id="v1", text="after a reconnect")
    await gateway.garbles("MESSAGE_CREATE", {"id": 7})
    await world.sees_clicked(world.discord.bo, "Approve", card)
    await world.settles()
    assert (await world.counted("v1"))["Noted"] == 2
    world.reads("v1", "Completed", "Bo Li")
    said = world.milestones("v1")
    assert len(said) == len(set(said)), said


async def test_a_deleted_message_thread_and_channel_stop_no_deployment() -> None:
    async with live(routes=["discord:400000000000000002", "discord:400000000000000011"]) as world:
        discord = world.discord
        await arrive(world, "v1")
        await discord.deletes_thread(discord.thread_of(world.its_card("v1")))
        await discord.deletes_channel("#ops")
        discord.channel("#experiments").forbids("send_messages")
        await discord.eve.deletes(world.its_card("v1"))
        await world.hears(discord.bo, "approve", id="v1")
        await world.settles_servers()
        await world.passes(30)
        await world.production_runs("v1")
        world.reads("v1", "Completed")
        parked = {line["channel"] for line in world.log if line["event"] == "channel parked"}
        assert "discord:400000000000000002" in parked
        assert len(discord.channel("#deployments").cards()) == 1


async def test_an_archived_thread_gets_the_rest_of_its_milestones(world: DiscordWorld) -> None:
    await arrive(world, "v1")
    card = world.its_card("v1")
    await world.discord.archives(world.discord.thread_of(card))
    await world.sees_clicked(world.discord.bo, "Approve", card)
    await world.settles()
    assert world.milestones("v1")[-1] == "✅ v1 is complete"


async def test_a_button_on_a_card_that_is_a_month_old_says_what_happened_since(world: DiscordWorld) -> None:
    await arrive(world, "v1")
    card = world.its_card("v1")
    old = forms.button(card.components, "Approve")
    await world.hears(world.discord.alice, "cancel", id="v1")
    await world.settles()
    world.clock.move(30 * 86_400)
    asked = await world.discord.bo.presses(old, card)
    await world.is_still()
    assert "Alice Ng" in asked.text
    assert "cancelled" in asked.text


async def test_commands_are_in_every_listed_guild_and_people_act_in_both(world: DiscordWorld) -> None:
    world.ships("v1")
    told = await world.hears(world.discord.alice, "push", id="v1", description="From the labs", in_="#experiments")
    assert "Deployment session created" in told
    await world.settles()
    assert world.discord.commands.all(LABS)
    world.reads("v1", "From the labs", channel="#experiments")
