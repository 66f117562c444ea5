"""From the push to production in Slack: typed, clicked and filled in, over both transports."""

from __future__ import annotations

import pytest

from core.people import Group
from core.stages import Stage
from tests.adapters.slack.world import Mode, SlackWorld, workspace
from tests.slack.peer.blocks import words_of
from tests.slack.peer.slack import Slack, texts


async def answered(slack: Slack, who: str, words: str) -> None:
    human = slack.human(who)
    await slack.until(lambda: any(words in text for text in texts(slack.ephemeral(to=human))))


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_deployment_goes_to_production_by_typing_and_clicking(mode: Mode) -> None:
    async with workspace(mode) as world:
        slack = world.slack
        world.ships("v1")
        await slack.alice.types("/deploy push v1 'Fixes the payload of the login'")
        await slack.until(lambda: slack.channel("#deployments").cards())
        await world.reaches("v1", Stage.STAGED)
        await world.settles()
        await slack.alice.clicks("Verify", on=slack.channel("#deployments").card("v1"))
        await answered(slack, "alice", "v1")
        await world.reaches("v1", Stage.AWAITING_APPROVAL)
        await world.settles()
        card = slack.channel("#deployments").card("v1")
        assert "Fixes the payload of the login" in card.text
        confirmed = await slack.bo.clicks("Approve", on=card)
        assert confirmed is not None
        assert "to OMEGA" in confirmed
        await answered(slack, "bo", "v1")
        await world.reaches("v1", Stage.COMPLETED)
        await world.settles()
        await world.production_runs("v1")
        assert "Completed" in slack.channel("#deployments").card("v1").text
        said = "\n".join(texts(slack.thread(card)))
        assert "Verification PASSED" in said
        assert "v1 is complete" in said
        assert any("waits for your approval" in text for text in texts(slack.dm(slack.cy).messages()))
        assert slack.refusals() == []


async def test_help_offers_a_form_that_is_checked_and_pushes(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1", "v2")
    await slack.alice.types("/deploy")
    await slack.until(lambda: slack.ephemeral(to=slack.alice))
    await slack.alice.clicks("New deployment", on=slack.ephemeral(to=slack.alice)[-1])
    await slack.until(lambda: slack.workspace.modals.get(slack.alice.id))
    assert await slack.alice.looks_for("v2", "Update on ALPHA") == ["v2"]
    fields = {"Update on ALPHA": "v2", "What changes": "token=ghp_0123456789012345678901234567890123456"}
    assert "What changes" in await slack.alice.submits(**fields)
    assert await slack.alice.submits(**{**fields, "What changes": "Faster", "Linked tasks, one a line": "OPS-7"}) == {}
    await world.settles()
    assert (await world.deployment("v2")).tasks == ("OPS-7",)


async def test_a_push_that_lacks_something_opens_the_form_with_what_was_given(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await slack.alice.types("/deploy push v1")
    await slack.until(lambda: slack.workspace.modals.get(slack.alice.id))
    assert "v1" in str(slack.alice.modal.view["blocks"][0])


async def test_a_rejection_asks_for_its_reason(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await slack.alice.types("@ashat push v1 'Fixes'")
    await world.settles()
    await slack.alice.types("@ashat verify v1", thread=slack.channel("#deployments").card("v1"))
    await world.reaches("v1", Stage.AWAITING_APPROVAL)
    await world.settles()
    await slack.cy.clicks("Reject", on=slack.channel("#deployments").card("v1"))
    await slack.until(lambda: slack.workspace.modals.get(slack.cy.id))
    assert await slack.cy.submits(Why='The login is "slow"') == {}
    await world.settles()
    assert (await world.deployment("v1")).ended_why == 'The login is "slow"'


async def test_a_rollback_says_what_it_does_before_it_is_asked_for(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    for text, stage in (("push v1 'Fixes'", Stage.STAGED), ("verify v1", Stage.AWAITING_APPROVAL)):
        await slack.alice.types(f"/deploy {text}")
        await world.reaches("v1", stage)
    await slack.bo.types("/deploy approve v1")
    await world.reaches("v1", Stage.COMPLETED)
    await world.settles()
    await slack.bo.clicks("Rollback", on=slack.channel("#deployments").card("v1"))
    await slack.until(lambda: slack.workspace.modals.get(slack.bo.id))
    shown = "\n".join(words_of(slack.workspace.modals[slack.bo.id][-1].view["blocks"]))
    assert "goes offline on OMEGA main, where nothing of it ran before" in shown
    assert await slack.bo.submits() == {}
    await world.reaches("v1", Stage.ROLLED_BACK)
    assert slack.refusals() == []


async def test_a_direct_message_shows_its_card_in_the_home_channel(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await slack.alice.types("push v1 'Fixes'", in_="@ashat")
    await world.settles()
    assert slack.channel("#deployments").card("v1")
    await slack.until(lambda: slack.dm(slack.alice).messages())


async def test_the_home_tab_shows_what_waits_for_me(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    for line in ("push v1 'Fixes'", "verify v1"):
        await slack.alice.types(f"@ashat {line}")
        await world.settles()
    await slack.bo.opens_home()
    await slack.until(lambda: slack.workspace.homes.get(slack.bo.id))
    await slack.bo.clicks("Approve", on=slack.bo.home)
    await world.reaches("v1", Stage.COMPLETED)


async def test_an_answer_is_shared_by_its_button(world: SlackWorld) -> None:
    slack = world.slack
    await slack.vi.types("/deploy status")
    await slack.until(lambda: slack.ephemeral(to=slack.vi))
    await slack.vi.clicks("Share", on=slack.ephemeral(to=slack.vi)[-1])
    await slack.until(lambda: slack.channel("#deployments").messages())
    assert "Shared by Vi Day" in slack.channel("#deployments").messages()[-1].text


async def test_a_user_group_gives_its_role_while_slack_says_that_somebody_is_in_it() -> None:
    shippers = Group("shippers", frozenset({"viewer", "deployer"}), frozenset({("slack", "S0OPS")}))
    async with workspace(groups=(shippers,)) as world:
        slack, (_, members) = world.slack, world.slack.workspace.groups["S0OPS"]
        world.ships("v1", "v2")
        await slack.vi.types("/deploy push v1 'Fixes'")
        await answered(slack, "vi", "Push needs deployer; you are viewer")
        members.add("U0VI")
        world.clock.move(60)
        await slack.vi.types("/deploy push v1 'Fixes'")
        await answered(slack, "vi", "Deployment session created")
        await slack.vi.opens_home()
        await slack.until(lambda: "U0VI" in slack.workspace.homes)
        assert "the group shippers: deployer, viewer" in "\n".join(words_of(slack.vi.home.view["blocks"]))
        members.discard("U0VI")
        world.clock.move(60)
        slack.troubles.fails("usergroups.users.list", 503, times=1)
        await slack.vi.types("/deploy push v2 'Fixes'")
        await answered(slack, "vi", "Slack did not say which groups you are in")
        assert set(await world.stages()) == {"v1"}
        assert slack.refusals("HTTP 503") == []


async def test_an_answer_is_shared_once_and_where_it_was_asked_for(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await slack.alice.types("/deploy push v1 'Fixes'")
    await slack.until(lambda: slack.channel("#deployments").cards())
    await world.settles()
    card = slack.channel("#deployments").card("v1")
    await slack.vi.types("@ashat status", thread=card)
    await slack.until(lambda: slack.ephemeral(to=slack.vi))
    asked = slack.ephemeral(to=slack.vi)[-1]
    for clicks in (1, 2):
        await slack.vi.clicks("Share", on=asked)
        await slack.until(lambda clicks=clicks: texts(slack.ephemeral(to=slack.vi)).count("Shared.") == clicks)
    assert sum("Shared by Vi Day" in text for text in texts(slack.thread(card))) == 1
    assert not any("Shared by" in text for text in texts(slack.channel("#deployments").messages()))


async def test_a_direct_answer_is_nobody_elses(world: SlackWorld) -> None:
    slack = world.slack
    await slack.vi.types("status", in_="@ashat")
    await slack.until(lambda: any("Nothing is deploying" in text for text in texts(slack.dm(slack.vi).messages())))
    assert not any("Share" in str(one.blocks) for one in slack.dm(slack.vi).messages())


async def test_a_mention_in_a_direct_message_is_no_part_of_the_command(world: SlackWorld) -> None:
    await world.slack.vi.types("@ashat whoami", in_="@ashat")
    vi = world.slack.vi
    await world.slack.until(lambda: any("You are Vi Day" in text for text in texts(world.slack.dm(vi).messages())))


async def test_a_push_from_elsewhere_says_where_its_card_is(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await slack.alice.types("push v1 'Fixes'", in_="@ashat")
    await slack.until(lambda: any("Go to its card" in str(one.blocks) for one in slack.dm(slack.alice).messages()))
    shown = [one for one in slack.dm(slack.alice).messages() if "Go to its card" in str(one.blocks)][-1]
    assert f"channel={world.platform.setup.home}" in str(shown.blocks)
    await slack.alice.clicks("Go to its card", on=shown)
