"""What arrives over HTTP: only what Slack signed just now, for this app, from a person of this workspace."""

from __future__ import annotations

import io
import json
from datetime import datetime
from urllib.parse import urlencode

import aiohttp
import pytest

from adapters.chat.signed import MAX_BODY
from adapters.slack.ingress import Ingress
from adapters.slack.listening import by_person, clicked, is_ours
from adapters.slack.platform import SlackPlatform
from core.ports import Incoming
from core.stages import Stage
from tests.adapters.slack.world import SlackWorld, setup_of
from tests.slack.peer import forms
from tests.slack.peer.deliveries import NotAcknowledged, encoded, signed
from tests.slack.peer.slack import Slack, texts

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


async def asked(world: SlackWorld, body: str, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(world.url, data=io.BytesIO(body.encode()), headers=headers) as answer,
    ):
        return answer.status


def stamped(world: SlackWorld, body: str, late: int = 0, secret: str = "") -> dict[str, str]:
    timestamp = str(int(world.clock.now().timestamp()) - late)
    return signed(secret or world.slack.installation.signing_secret, body, timestamp)


def a_push(world: SlackWorld) -> str:
    room = world.slack.room("#deployments")
    payload = world.slack.payloads.slash(world.slack.alice.account, room, "/deploy", "push v1 'Fixes'")
    return encoded("slash_commands", payload)[0]


async def nothing_happened(world: SlackWorld) -> None:
    await world.settles()
    assert await world.store.deployment("v1") is None


async def test_what_slack_did_not_sign_just_now_is_401_and_touches_nothing(world: SlackWorld) -> None:
    world.ships("v1")
    body = a_push(world)
    good = stamped(world, body)
    for headers in (
        {},
        stamped(world, body, secret="another-secret"),
        stamped(world, body, late=301),
        stamped(world, body, late=-301),
        {**good, "X-Slack-Request-Timestamp": "soon"},
        {**good, "X-Slack-Request-Timestamp": "9" * 400},
        {**good, "X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": good["X-Slack-Signature"]},
        stamped(world, body + "&text=status"),
    ):
        assert await asked(world, body, {**FORM, **headers}) == 401
    await nothing_happened(world)


async def test_it_is_heard_until_it_is_durable_and_what_follows_other_acks_waits_for_it(
    world: SlackWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted, hearing = world.store.accept, list[int]()

    async def accept(message: Incoming, at: datetime) -> bool:
        hearing.append(world.platform._tasks._hearing)
        return await accepted(message, at)

    monkeypatch.setattr(world.store, "accept", accept)
    body = a_push(world)
    assert await asked(world, body, {**FORM, **stamped(world, body)}) == 200
    assert (hearing, world.platform._tasks._hearing) == ([1], 0)


async def test_what_is_malformed_or_too_large_is_refused(world: SlackWorld) -> None:
    for body, kind in (("{", JSON), ("[]", JSON), ("payload=%7B", FORM), ("payload=%5B%5D", FORM)):
        assert await asked(world, body, {**kind, **stamped(world, body)}) == 400
    huge = "text=" + "x" * MAX_BODY
    assert await asked(world, huge, {**FORM, **stamped(world, huge)}) == 413
    async with aiohttp.ClientSession() as session, session.get(world.url) as answer:
        assert answer.status == 405


async def test_slack_finds_the_address_by_its_challenge_and_health_says_only_ok(world: SlackWorld) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"})
    async with aiohttp.ClientSession() as session:
        async with session.post(world.url, data=body, headers={**JSON, **stamped(world, body)}) as answer:
            assert (answer.status, await answer.text()) == (200, "abc")
        async with session.get(world.url.replace("/slack/events", "/healthz")) as answer:
            assert await answer.text() == "ok"


async def test_a_replayed_request_acts_once(world: SlackWorld) -> None:
    world.ships("v1")
    body = a_push(world)
    headers = {**FORM, **stamped(world, body)}
    for _ in range(3):
        assert await asked(world, body, headers) == 200
    await world.settles()
    assert (await world.counted("v1"))["Pushed"] == 1
    assert len(world.slack.channel("#deployments").cards()) == 1


@pytest.mark.parametrize("change", [{"api_app_id": "A0OTHER"}, {"team_id": "T0OTHER"}, {"team_id": ""}])
async def test_a_signed_command_for_another_app_or_workspace_is_refused(
    world: SlackWorld, change: dict[str, str]
) -> None:
    world.ships("v1")
    payload = world.slack.payloads.slash(
        world.slack.alice.account, world.slack.room("#deployments"), "/deploy", "push v1 'Fixes'"
    )
    body = urlencode({**payload, **change})
    assert await asked(world, body, {**FORM, **stamped(world, body)}) == 403
    await nothing_happened(world)


async def test_a_person_of_another_workspace_is_not_heard(world: SlackWorld) -> None:
    world.ships("v1")
    with pytest.raises(NotAcknowledged, match="403"):
        await world.slack.human("fay").types("@ashat push v1 'Fixes'", in_="#shared")
    await nothing_happened(world)


@pytest.mark.parametrize("who", ["mo", "dee"])
async def test_guests_and_deleted_people_neither_look_nor_act(world: SlackWorld, who: str) -> None:
    world.ships("v1")
    human = world.slack.human(who)
    room = world.slack.room("#deployments")
    for text in ("push v1 'Fixes'", "status"):
        payload = world.slack.payloads.slash(human.account, room, "/deploy", text)
        await world.slack.delivers("slash_commands", payload)
    await world.slack.until(lambda: len(world.slack.ephemeral(to=human)) == 2)
    assert all("full members" in text for text in texts(world.slack.ephemeral(to=human)))
    await nothing_happened(world)


async def test_bots_edits_and_mentions_in_the_middle_do_not_act(world: SlackWorld) -> None:
    world.ships("v1")
    slack = world.slack
    await slack.human("ci").types("@ashat push v1 'Fixes'")
    await slack.alice.types("please ask @ashat push v1 'Fixes'")
    await slack.alice.types("nothing yet")
    await slack.alice.edits(slack.alice.said(), "@ashat push v1 'Fixes'")
    await nothing_happened(world)


async def test_changes_are_made_in_listed_channels_only_and_never_where_outsiders_read(world: SlackWorld) -> None:
    world.ships("v1")
    slack = world.slack
    for channel, why in (("#random", "listed channels"), ("#shared", "another organisation")):
        await slack.alice.types("/deploy push v1 'Fixes'", in_=channel)
        await told(slack, why)
    await nothing_happened(world)


async def told(slack: Slack, why: str) -> None:
    await slack.until(lambda: any(why in text for text in texts(slack.ephemeral(to=slack.alice))))


async def test_doubt_about_a_person_refuses(world: SlackWorld) -> None:
    world.ships("v1")
    world.slack.troubles.fails("users.info")
    await world.slack.alice.types("/deploy push v1 'Fixes'")
    await world.slack.until(lambda: world.slack.ephemeral(to=world.slack.alice))
    assert "could not say who you are" in texts(world.slack.ephemeral(to=world.slack.alice))[0]
    await nothing_happened(world)


async def test_a_button_on_an_old_screen_says_what_happened_since(world: SlackWorld) -> None:
    world.ships("v1")
    slack = world.slack
    await slack.alice.types("/deploy push v1 'Fixes'")
    await world.reaches("v1", Stage.STAGED)
    await world.settles()
    card = slack.channel("#deployments").card("v1")
    cancel = forms.button(card.blocks, "Cancel")
    await slack.alice.presses(*cancel, on=card)
    await world.reaches("v1", Stage.CANCELLED)
    await slack.bo.presses(*cancel, on=card)
    await slack.until(lambda: any("v1" in text for text in texts(slack.ephemeral(to=slack.bo))))
    assert (await world.counted("v1"))["Cancelled"] == 1


async def test_what_was_accepted_survives_a_death_before_its_answer(world: SlackWorld) -> None:
    """The inbox row is committed before the ack: another start carries it out, and tells the asker."""
    world.ships("v1")
    message = Incoming("slack", "t1", world.people.get("alice").accounts[0], "slack:C0DEPLOY", "push v1 'Fixes'")  # type: ignore[union-attr]  # alice is one of the team
    assert await world.app.door.submit(message)
    world.clock.move(20)
    await world.app.service.sweep(10)
    await world.settles()
    assert world.slack.channel("#deployments").card("v1")
    assert any("v1" in text for text in texts(world.slack.ephemeral(to=world.slack.alice)))


async def test_an_empty_secret_is_refused_at_the_start(world: SlackWorld) -> None:
    assert world.platform._listening is not None
    with pytest.raises(ValueError, match="secret is empty"):
        Ingress(world.platform._listening.app, " ", world.clock)


async def test_the_payload_rules_by_themselves(world: SlackWorld) -> None:
    setup = setup_of(world.slack)
    ours = {"api_app_id": setup.app, "team_id": setup.team}
    assert is_ours(ours, setup)
    assert not is_ours({**ours, "event": {"user_team": "T0OTHER"}}, setup)
    assert not is_ours({**ours, "user": {"id": "U1", "team_id": "T0OTHER"}}, setup)
    assert not is_ours({}, setup)
    for extra in ("bot_id", "subtype", "edited", "app_id"):
        assert not by_person({"user": "U1", "text": "x", extra: "y"})
    assert not by_person({"user": "U1", "text": "x", "attachments": [{"is_share": True}]})
    with pytest.raises(ValueError, match="none of Ashat's"):
        clicked({"trigger_id": "1", "user": {"id": "U1"}}, {"value": "{}"})


async def test_a_platform_is_opened_before_it_is_started(world: SlackWorld) -> None:
    with pytest.raises(RuntimeError, match="open the platform"):
        await SlackPlatform(setup_of(world.slack), world.clock).start()


@pytest.mark.parametrize("who", ["mo", "dee"])
async def test_guests_are_shown_no_form_and_none_of_alphas_updates(world: SlackWorld, who: str) -> None:
    world.ships("v1", "secret-project-7")
    human, room = world.slack.human(who), world.slack.room("#deployments")
    await world.slack.delivers("slash_commands", world.slack.payloads.slash(human.account, room, "/deploy", "push"))
    await world.slack.until(lambda: world.slack.ephemeral(to=human))
    assert "full members" in world.slack.ephemeral(to=human)[-1].text
    assert not world.slack.workspace.modals.get(human.id)


async def test_who_has_become_a_guest_is_offered_nothing_in_a_form_that_is_open(world: SlackWorld) -> None:
    world.ships("v1")
    alice = world.slack.alice
    await alice.types("/deploy push")
    await world.slack.until(lambda: world.slack.workspace.modals.get(alice.id))
    assert await alice.looks_for("", "Update on ALPHA") == ["v1"]
    alice.account.guest = "multi-channel"
    world.clock.move(3600)
    assert await alice.looks_for("", "Update on ALPHA") == []
