"""The guide's journeys in Slack, typed and clicked, over HTTP and over Socket Mode; and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

import pytest

from core.stages import Stage
from tests.slack.peer.blocks import words_of
from tests.slack.peer.deliveries import NotAcknowledged, encoded, signed
from tests.slack.peer.forms import button
from tests.slack.peer.slack import texts
from tests.slack.world import Mode, SlackWorld, live


@pytest.fixture(params=["http", "socket"])
def mode(request: pytest.FixtureRequest) -> Mode:
    chosen: Mode = request.param
    return chosen


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk would go through a proxy of the machine even on loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def world(mode: Mode) -> AsyncIterator[SlackWorld]:
    async with live(mode) as made:
        yield made


async def arrive(world: SlackWorld, id_: str) -> None:
    """Pushed and verified by typing: it waits for approval."""
    world.clock.move(1)
    world.ships(id_)
    await world.hears(world.slack.alice, f"/deploy push {id_} 'A change that matters'")
    await world.hears(world.slack.alice, f"/deploy verify {id_}")
    await world.settles()
    assert await world.stage(id_) is Stage.AWAITING_APPROVAL


# -- the guide's examples ----------------------------------------------------------------------------------------------


async def test_example_1_typed(mode: Mode) -> None:
    async with live(mode, configured=False) as world:
        alice, bo, eve = world.slack.alice, world.slack.bo, world.slack.eve
        world.ships("security-patch-001")
        told = await world.hears(eve, f"/deploy configure public {world.public.url} Staging")
        assert "Public is now Staging" in told
        await world.hears(eve, f"/deploy configure omega {world.omega.url} Production")
        told = await world.hears(
            alice, "/deploy push security-patch-001 'Critical security fixes for authentication module'"
        )
        assert "Deployment session created" in told
        await world.settles()
        await world.hears(alice, "/deploy verify security-patch-001")
        await world.settles()
        world.reads("security-patch-001", "✅ Verification PASSED!", "6 of 6")
        await world.hears(bo, "/deploy approve security-patch-001")
        await world.settles()
        world.reads("security-patch-001", "Completed", "3 of 3 mainframes healthy")
        await world.production_runs("security-patch-001")
        assert "security-patch-001" in await world.hears(world.slack.vi, "/deploy history")
        assert len(world.slack.channel("#deployments").cards()) == 1


async def test_example_1_clicked(world: SlackWorld) -> None:
    alice, bo = world.slack.alice, world.slack.bo
    world.ships("v1.2.2", "security-patch-001")
    await world.hears(alice, "/deploy")
    await alice.clicks("New deployment", on=world.slack.ephemeral(to=alice)[-1])
    await world.is_still()
    assert await alice.looks_for("patch", "Update") == ["security-patch-001"]
    await alice.submits(**{"Update": "security-patch-001", "What changes": "Critical security fixes"})
    await world.settles()
    card = world.its_card("security-patch-001")
    await world.sees_clicked(alice, "Verify", card)
    await world.settles()
    confirmed = await bo.clicks("Approve", on=card)
    assert confirmed
    await world.settles()
    world.reads("security-patch-001", "Completed", "Bo Li")
    await world.production_runs("security-patch-001")
    assert card is world.its_card("security-patch-001"), "it was edited in place"


async def test_example_2_typed_in_mentions_and_rolled_back_by_a_click(world: SlackWorld) -> None:
    alice, bo = world.slack.alice, world.slack.bo
    world.ships("feature-2024-q1", "feature-2024-q1-fixed")
    await world.hears(alice, "@ashat push feature-2024-q1 'New dashboard and analytics features'")
    await world.settles()
    world.public.fail_check("Health Check", seen="500")
    card = world.its_card("feature-2024-q1")
    await world.hears(alice, "@ashat verify feature-2024-q1", thread=card)
    await world.settles()
    world.reads("feature-2024-q1", "❌ Verification FAILED!", "Health Check: expected 200, got 500")
    assert "Not ready for approval" in await world.hears(bo, "/deploy approve feature-2024-q1")

    await world.sees_clicked(alice, "Rollback", card)
    assert await alice.submits(Why="the dashboard is empty") == {}
    await world.settles()
    assert await world.stage("feature-2024-q1") is Stage.ROLLED_BACK
    world.reads("feature-2024-q1", "Rolled back", "the dashboard is empty")

    world.public.pass_check("Health Check")
    await arrive(world, "feature-2024-q1-fixed")
    await world.hears(bo, "/deploy approve feature-2024-q1-fixed")
    await world.settles()
    await world.production_runs("feature-2024-q1-fixed")


async def test_example_3_three_updates_side_by_side_and_four_people_at_once(world: SlackWorld) -> None:
    slack = world.slack
    updates = (("hotfix-001", "web"), ("feature-update", "api"), ("docs-update", "docs"))
    for id_, component in updates:
        world.ships(id_, component=component)
    await asyncio.gather(
        slack.alice.types("/deploy push hotfix-001 'Critical bug fix'"),
        slack.bo.types("@ashat push feature-update 'New feature'"),
        slack.eve.types("push docs-update 'Documentation updates'", in_="@ashat"),
        slack.vi.types("/deploy status"),
    )
    await world.settles()
    status = await world.hears(slack.vi, "/deploy status")
    assert all(id_ in status for id_, _ in updates)
    for id_, _ in updates[:2]:
        await slack.alice.types(f"/deploy verify {id_}")
    await world.settles()
    card = world.its_card("hotfix-001")
    people = (slack.bo, slack.cy, slack.eve)
    await asyncio.gather(*(one.clicks("Approve", on=card) for one in people), slack.cy.clicks(
        "Approve", on=world.its_card("feature-update")))  # fmt: skip
    await world.settles()
    assert await world.stages() == {
        "hotfix-001": "completed", "feature-update": "completed", "docs-update": "staged",
    }  # fmt: skip
    assert len(slack.channel("#deployments").cards()) == 3
    world.nothing_took_hold_twice()


# -- what people type --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "plain"])
async def test_text_from_a_phone_with_escapes_and_the_word_payload(world: SlackWorld, *, escaped: bool) -> None:
    alice = world.slack.alice
    world.slack.installation.should_escape = escaped
    world.ships("v1")
    words = "Fixes the payload of <Save> & 'Load' for @bo, see https://tasks.example/1 -- at last..."
    await world.hears(alice, f'/deploy push v1 "{words}"', phone=True)
    await world.settles()
    kept = (await world.deployment("v1")).description
    for word in ("payload", "<Save> &", "tasks.example/1", "bo,"):
        assert word in kept, kept
    card = world.its_card("v1")
    assert "payload of <Save> &" in card.text
    assert "<@U0BO" not in str(card.blocks), "what was typed mentions nobody"
    assert not card.unfurls
    await world.hears(alice, '/deploy note v1 "payload=1"')
    assert any("payload=1" in text for text in texts(world.slack.thread(card)))


async def test_its_own_direct_messages_come_back_to_it_and_start_nothing(world: SlackWorld) -> None:
    slack = world.slack
    await world.hears(slack.alice, "status", in_="@ashat")
    answers = slack.dm(slack.alice).messages()
    assert len(answers) == 1
    calls = len(slack.site.calls)
    await slack.echoes(answers[0])
    await world.is_still()
    assert len(slack.site.calls) == calls
    assert slack.dm(slack.alice).messages() == answers


async def test_a_card_is_edited_in_place_and_at_most_every_three_seconds(mode: Mode) -> None:
    async with live(mode, edit_gap=3.0) as world:
        await arrive(world, "v1")
        await world.hears(world.slack.bo, "/deploy approve v1")
        await world.settles()
        world.reads("v1", "Completed")
        edits = world.its_card("v1").edits
        assert len(edits) >= 2
        assert all(later - earlier >= 3.0 for earlier, later in pairwise(edits)), edits
        assert len(world.slack.channel("#deployments").messages()) == 1


# -- once --------------------------------------------------------------------------------------------------------------


async def test_what_is_delivered_again_acts_once(world: SlackWorld) -> None:
    await arrive(world, "v1")
    slack = world.slack
    await slack.alice.types("@ashat note v1 'once'")
    await world.is_still()
    for _ in range(2):
        await slack.delivers_again()
    await slack.bo.clicks("Approve", on=world.its_card("v1"))
    for _ in range(2):
        await slack.delivers_again()
    await world.settles()
    events = await world.counted("v1")
    assert events["Noted"] == 1, events
    assert events["Approved"] == 1, events
    world.nothing_took_hold_twice()


async def test_an_old_button_answers_with_what_happened_since(world: SlackWorld) -> None:
    await arrive(world, "v1")
    card = world.its_card("v1")
    old = button(card.blocks, "Approve")
    await world.hears(world.slack.alice, "/deploy cancel v1")
    await world.settles()
    before = card.text
    seen = world.private(world.slack.bo)
    await world.slack.bo.presses(*old, card)
    await world.settles()
    told = "\n".join(world.private(world.slack.bo)[len(seen) :])
    assert "Alice Ng" in told
    assert "cancelled" in told
    assert card.text == before, "the card is not broken by it"


# -- Slack away, slow, unwilling ---------------------------------------------------------------------------------------


async def test_slack_is_gone_for_an_hour_and_every_channel_catches_up_in_order(mode: Mode) -> None:
    async with live(mode, routes=["C0OPS"]) as world:
        await arrive(world, "v1")
        await world.hears(world.slack.bo, "/deploy approve v1")
        world.slack.goes_away()
        await world.settles_servers()
        await world.production_runs("v1")
        await world.passes(3600, step=60)
        world.slack.comes_back()
        await world.is_heard()
        await world.settles()
        threads = {}
        for channel in ("#deployments", "#ops"):
            world.reads("v1", "Completed", channel=channel)
            replies = [text.splitlines()[0] for text in texts(world.slack.thread(world.its_card("v1", channel)))]
            assert len(replies) == len(set(replies)), f"said twice in {channel}: {replies}"
            threads[channel] = replies
        wanted = ["Action plan", "✅ Verification PASSED!", "Bo Li approved", "OMEGA main runs v1", "✅ v1 is complete"]
        assert threads["#deployments"] == wanted
        assert [word for word in wanted if word in threads["#ops"]] == threads["#ops"]


async def test_limits_errors_and_lost_answers_delay_and_never_double(world: SlackWorld) -> None:
    slack = world.slack
    slack.troubles.limits("chat.postMessage", retry_after=7)
    slack.troubles.cuts("chat.postMessage", "after")
    slack.troubles.fails("chat.postMessage", status=503)
    slack.troubles.fails("chat.update", status=500)
    slack.troubles.fails("chat.update", status=500, when="after")
    await arrive(world, "v1")
    assert not slack.troubles.planned
    replies = [text.splitlines()[0] for text in texts(slack.thread(world.its_card("v1")))]
    assert replies == ["Action plan", "✅ Verification PASSED!"]


async def test_an_archived_channel_is_parked_alone_and_comes_back(mode: Mode) -> None:
    async with live(mode, routes=["C0ATTIC"]) as world:
        await arrive(world, "v1")
        world.reads("v1", "✅ Verification PASSED!")
        assert _parked(world) == ["slack:C0ATTIC: the channel is archived"]
        world.slack.room("#attic").archived = False
        await world.passes(3700, step=100)
        world.reads("v1", "✅ Verification PASSED!", channel="#attic")


async def test_a_channel_that_is_archived_under_a_card_is_parked_too(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    await world.hears(slack.alice, "/deploy push v1 'A change'", in_="#ops")
    await world.settles()
    slack.room("#ops").archived = True
    await slack.alice.types("verify v1", in_="@ashat")
    await world.settles_servers()
    await world.passes(30)
    assert await world.stage("v1") is Stage.AWAITING_APPROVAL
    assert _parked(world) == ["slack:C0OPS: the channel is archived"]


async def test_a_revoked_token_stops_no_deployment(world: SlackWorld) -> None:
    await arrive(world, "v1")
    slack = world.slack
    await slack.bo.types("/deploy approve v1")
    slack.installation.revoked = "token_revoked"
    await world.settles_servers()
    await world.production_runs("v1")
    assert [line for line in _parked(world) if "token was revoked" in line]
    slack.installation.revoked = None
    await world.passes(3700, step=100)
    world.reads("v1", "Completed")


def _parked(world: SlackWorld) -> list[str]:
    return [f"{line['channel']}: {line['why']}" for line in world.log if line["event"] == "channel parked"]


# -- who is not heard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mo", "dee", "ci", "fay"])
async def test_guests_deleted_people_bots_and_foreign_teams_change_nothing(mode: Mode, name: str) -> None:
    """Also where settings list them as deployers: Slack says that they are no full members of this workspace."""
    async with live(mode, patience=0.5, listed=[name]) as world:
        await arrive(world, "v1")
        who = world.slack.human(name)
        before = await world.events("v1")
        with suppress(NotAcknowledged):  # whether the app answers those whom it does not hear is its own business
            await who.types("/deploy cancel v1")
        with suppress(NotAcknowledged):
            await who.types("@ashat cancel v1")
        with suppress(NotAcknowledged):
            await who.clicks("Cancel", on=world.its_card("v1"))
        await world.settles()
        assert len(world.slack.delivered) >= 5, "all of it came to the app"
        assert await world.events("v1") == before
        assert not any("v1" in text for text in texts(world.slack.ephemeral(to=who)))


async def test_a_foreign_team_is_refused_at_the_door() -> None:
    async with live("http", listed=["fay"]) as world:
        await arrive(world, "v1")
        fay, asked = world.slack.human("fay"), len(world.slack.called("users.info"))
        for act in (fay.types("/deploy status"), fay.clicks("Cancel", on=world.its_card("v1"))):
            with pytest.raises(NotAcknowledged, match="403"):
                await act
        assert len(world.slack.called("users.info")) == asked


async def test_a_shared_channel_gives_no_commands_and_a_mention_in_mid_sentence_is_talk(world: SlackWorld) -> None:
    slack = world.slack
    world.ships("v1")
    told = await world.hears(slack.alice, "/deploy push v1 'A change'", in_="#shared")
    assert "shared with another organisation" in told
    await world.hears(slack.alice, "I told @ashat push v1 'A change'")
    await world.hears(slack.alice, "hello there")
    await slack.alice.edits(slack.alice.said(), "@ashat push v1 'A change'")
    await world.settles()
    assert await world.stages() == {}
    assert slack.channel("#shared").messages() == []


async def test_requests_that_are_not_slacks_touch_nothing() -> None:
    async with live("http") as world:
        await arrive(world, "v1")
        assert world.web is not None
        http = world.slack.by_http(f"http://127.0.0.1:{world.web.port}/slack/events")
        alice = world.slack.alice
        room = world.slack.room("#deployments")
        body, kind = encoded("slash_commands", world.slack.payloads.slash(alice.account, room, "/deploy", "cancel v1"))
        now = str(int(world.clock.now().timestamp()))
        form = {"Content-Type": kind}
        requests = [
            (body, form, 401),
            (body, form | signed("another secret", body, now), 401),
            (body, form | signed(http.secret, body, str(int(now) - 301)), 401),
            (body, form | signed(http.secret, body, "soon"), 401),
            (body + "&x=1", form | signed(http.secret, body, now), 401),
            ("{", {"Content-Type": "application/json"} | signed(http.secret, "{", now), 400),
            ("x" * 2**21, form | signed(http.secret, "x" * 2**21, now), 413),
        ]
        before = await world.events("v1")
        for content, headers, wanted in requests:
            status, _, _ = await http.request(content, headers)
            assert status == wanted, headers
        await world.settles()
        assert await world.events("v1") == before


# -- the bot and its connections end in the middle ---------------------------------------------------------------------


async def test_the_bot_is_killed_between_click_and_effect(mode: Mode) -> None:
    async with live(mode) as world:
        await arrive(world, "v1")
        card = world.its_card("v1")
        await world.slack.bo.clicks("Approve", on=card)
        await world.is_killed()
        await world.restart()
        await world.is_heard()
        await world.settles()
        assert (await world.counted("v1"))["Approved"] == 1
        world.reads("v1", "Completed", "Bo Li")
        world.nothing_took_hold_twice()
        replies = [text.splitlines()[0] for text in texts(world.slack.thread(card))]
        assert len(replies) == len(set(replies)), replies


async def test_connections_that_are_refreshed_or_cut_lose_nothing() -> None:
    async with live("socket", patience=1.0) as world:
        slack = world.slack
        await arrive(world, "v1")
        await slack.links.disconnect("warning")
        await slack.links.disconnect("refresh_requested")
        await world.hears(slack.alice, "/deploy note v1 'after a refresh'")
        slack.links.cut()
        await world.is_heard()
        await world.hears(slack.alice, "/deploy note v1 'after a cut'")
        assert (await world.counted("v1"))["Noted"] == 2


# -- the Home tab ------------------------------------------------------------------------------------------------------


async def test_the_home_tab_shows_what_waits_for_me_and_a_click_there_counts(world: SlackWorld) -> None:
    bo = world.slack.bo
    await arrive(world, "v1")
    await bo.opens_home()
    await world.is_still()
    assert "v1" in "\n".join(words_of(bo.home.view["blocks"]))
    await bo.clicks("Approve", on=bo.home)
    await world.settles()
    world.reads("v1", "Completed", "Bo Li")
