"""Who is nobody here, what is not for us, and what is too late: nothing is changed, and who asked is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from adapters.discord import buttons, desk
from adapters.discord.failures import MALFORMED
from adapters.discord.interaction import Interaction as InteractionOfOurs
from core.cards import Card
from core.commands import Seen
from core.ports import AlphaFile, Incoming, Reply, Surroundings
from core.release.manifest import Manifest
from core.stages import Stage
from tests.adapters.discord.test_journey import answer
from tests.adapters.discord.world import DiscordWorld, Mode, servers
from tests.discord.peer import forms
from tests.discord.peer.discord import Discord, NotAnswered, texts
from tests.discord.peer.forms import fields
from tests.discord.peer.guilds import APP, GUILD, LABS, Interaction, Message
from tests.discord.peer.people import Human
from tests.discord.peer.troubles import ANSWER

SETTLE = "PATCH /webhooks/{id}/{token}/messages/{id}"
MESSAGE, DEFERRED, UPDATE = 4, 5, 7
"""Types of a first answer."""


async def staged(world: DiscordWorld) -> Message:
    """v1 on Public, and its card."""
    world.ships("v1")
    await answer(world, await world.discord.alice.slash("push", id="v1", description="Fixes the login"))
    await world.reaches("v1", Stage.STAGED)
    await world.settles()
    return world.discord.channel("#deployments").card("v1")


async def told_directly(discord: Discord, who: Human, words: str) -> None:
    await discord.until(lambda: any(words in text for text in texts(discord.dm(who).messages())))


# -- nobody's ----------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_not_listed_is_not_served(world: DiscordWorld) -> None:
    await world.discord.alice.says("@Ashat whoami", in_="#strange")
    await world.discord.alice.says("@Ashat whoami", in_="#ops")
    await told_directly(world.discord, world.discord.alice, "viewer")
    assert len(world.discord.dm(world.discord.alice).messages()) == 1
    assert world.discord.channel("#strange").messages() == []


async def test_who_is_on_no_listed_server_is_nobody_by_direct_message_too(world: DiscordWorld) -> None:
    fay = world.discord.human("fay")
    await fay.says("status", in_="@ashat")
    await told_directly(world.discord, fay, "full members")


async def test_a_stranger_gets_no_names_and_no_ids(world: DiscordWorld) -> None:
    await staged(world)
    said = await answer(world, await world.discord.human("mo").slash("status"))
    assert "v1" not in said
    assert "Alice" not in said
    assert await world.discord.human("mo").looks_for("status", "id") == []
    assert await world.discord.human("mo").looks_for("push", "id") == []


async def test_changes_are_made_in_listed_channels_only(world: DiscordWorld) -> None:
    world.ships("v1")
    pushed = await world.discord.alice.slash("push", in_="#leads", id="v1", description="x")
    assert "listed channels only" in await answer(world, pushed)
    assert "No deployments yet" in await answer(world, await world.discord.alice.slash("history", in_="#leads"))


@pytest.mark.parametrize("text", ["hey @Ashat push v1 x", "> @Ashat push v1 x", "push v1 x", "`@Ashat push v1 x`"])
async def test_only_what_begins_with_the_mention_is_meant(world: DiscordWorld, text: str) -> None:
    world.ships("v1")
    await world.discord.alice.says(text)
    await world.discord.alice.says("@Ashat whoami")
    await told_directly(world.discord, world.discord.alice, "deployer")
    assert world.discord.channel("#deployments").messages() == []


async def test_bots_edits_and_forwarded_messages_are_not_heard(world: DiscordWorld) -> None:
    world.ships("v1")
    discord = world.discord
    await discord.human("ci").says("@Ashat push v1 x")
    said = await discord.alice.says("push v1 x")
    await discord.alice.edits(said, "@Ashat push v1 x")
    await discord.alice.forwards(said)
    await discord.alice.says("@Ashat whoami")
    await told_directly(discord, discord.alice, "deployer")
    assert discord.channel("#deployments").messages() == []


# -- as text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["#deployments", "@ashat"])
async def test_a_push_as_text_posts_its_card_where_it_belongs(world: DiscordWorld, where: str) -> None:
    world.ships("v1")
    await world.discord.alice.says(f"{'' if where == '@ashat' else '@Ashat '}push v1 'Fixes the login'", in_=where)
    await world.discord.until(lambda: world.discord.channel("#deployments").cards())
    await told_directly(world.discord, world.discord.alice, "v1")


async def test_in_a_thread_of_a_listed_channel_it_counts_as_said_there(world: DiscordWorld) -> None:
    card = await staged(world)
    await world.discord.alice.says("@Ashat verify v1", thread=card)
    await world.reaches("v1", Stage.AWAITING_APPROVAL)


async def test_who_takes_no_direct_messages_is_told_so_shortly(world: DiscordWorld) -> None:
    world.discord.vi.account.closed = True
    await world.discord.vi.says("@Ashat status")
    await world.discord.until(lambda: world.discord.channel("#deployments").messages())
    (reply,) = world.discord.channel("#deployments").messages()
    assert "cannot write to you directly" in reply.text
    assert "Production" not in reply.text


# -- clicks ------------------------------------------------------------------------------------------------------------


async def test_a_button_on_an_old_card_says_what_happened_since(world: DiscordWorld) -> None:
    card = await staged(world)
    await answer(world, await world.discord.alice.clicks("Verify", on=card))
    await world.reaches("v1", Stage.AWAITING_APPROVAL)
    await world.settles()
    press = {"type": 2, "id": 1, "custom_id": buttons.custom_id("say", "verify v1", Seen(1, "ab" * 12, 0))}
    assert "That card is old" in await answer(world, await world.discord.alice.presses(press, card))


async def test_a_question_that_is_no_longer_one_is_answered_with_what_happened(world: DiscordWorld) -> None:
    card = await staged(world)
    press = {"type": 2, "id": 1, "custom_id": buttons.custom_id("sure", "approve v1", Seen(1, "ab" * 12, 1))}
    assert "old" in await answer(world, await world.discord.bo.presses(press, card))


@pytest.mark.parametrize("custom_id", ["from-before", "z:approve v1", "s:approve v1|x", "s:destroy v1", "q:", "w:"])
async def test_a_button_of_another_time_is_answered(world: DiscordWorld, custom_id: str) -> None:
    card = await staged(world)
    pressed = await world.discord.alice.presses({"type": 2, "id": 1, "custom_id": custom_id}, card)
    if pressed.modal is None:
        assert await answer(world, pressed)
    assert (await world.deployment("v1")).stage is Stage.STAGED


async def test_a_cancel_that_is_not_offered_any_more_is_not_carried_out(world: DiscordWorld) -> None:
    """The card was clicked as it was while the checks ran; they have failed, and it could still be cancelled."""
    card = await staged(world)
    world.public.fail_check("Health Check", seen="500")
    await answer(world, await world.discord.alice.clicks("Verify", on=card))
    await world.reaches("v1", Stage.FAILED)
    await world.settles()
    now = world.discord.channel("#deployments").card("v1")
    seen = buttons.read(forms.button(now.components, "Rollback")["custom_id"]).seen
    press = {"type": 2, "id": 1, "custom_id": buttons.custom_id("sure", "cancel v1", seen)}
    said = await answer(world, await world.discord.alice.presses(press, now))
    assert said.splitlines()[:2] == [
        "### That is not offered any more, and nothing was changed. This is how it is now:",
        "❌ Verification failed: v1",
    ]
    assert "[Rollback]" in said
    assert (await world.deployment("v1")).stage is Stage.FAILED


async def test_a_question_without_what_was_seen_is_asked_all_the_same(world: DiscordWorld) -> None:
    card = await staged(world)
    press = {"type": 2, "id": 1, "custom_id": "q:cancel v1"}
    assert "before it touches OMEGA" in await answer(world, await world.discord.alice.presses(press, card))
    assert (await world.deployment("v1")).stage is Stage.STAGED


async def test_not_now_takes_the_question_back(world: DiscordWorld) -> None:
    card = await staged(world)
    asked = await world.discord.alice.clicks("Cancel", on=card)
    assert "before it touches OMEGA" in await answer(world, asked)
    back = await world.discord.alice.clicks("Not now", on=asked)
    assert "Nothing was changed" in await answer(world, back)
    assert (await world.deployment("v1")).stage is Stage.STAGED


async def test_a_question_is_answered_in_its_place(world: DiscordWorld) -> None:
    card = await staged(world)
    asked = await world.discord.alice.clicks("Cancel", on=card)
    await answer(world, asked)
    before = len(world.discord.ephemeral(to=world.discord.alice))
    await world.discord.alice.clicks("Cancel", on=asked)
    await world.reaches("v1", Stage.CANCELLED)
    await world.discord.until(lambda: "OMEGA?" not in (asked.original.text if asked.original else ""))
    assert len(world.discord.ephemeral(to=world.discord.alice)) == before


async def test_an_answer_to_a_question_can_be_shared(world: DiscordWorld) -> None:
    await staged(world)
    asked = await world.discord.vi.slash("show", id="v1")
    await answer(world, asked)
    await answer(world, await world.discord.vi.clicks("Share", on=asked))
    await world.discord.until(lambda: any("Shared by Vi Day" in t for t in world.discord.shows("#deployments")))


# -- forms -------------------------------------------------------------------------------------------------------------


async def test_a_push_without_what_it_needs_opens_a_form(world: DiscordWorld) -> None:
    world.ships("v1", "v2")
    alice = world.discord.alice
    await alice.slash("push")
    sent = await alice.submits(**{"Update on ALPHA": "v2", "What changes": "token ghp_" + "a1" * 20})
    assert "GitHub token" in await answer(world, sent)
    await alice.clicks("New deployment", on=sent)
    fields = {"Update on ALPHA": "v2", "What changes": "Faster", "Linked tasks, one a line": "OPS-7"}
    await answer(world, await alice.submits(**fields))
    await world.settles()
    assert (await world.deployment("v2")).tasks == ("OPS-7",)


async def test_a_rejection_and_a_rollback_ask_for_their_reason(world: DiscordWorld) -> None:
    card = await staged(world)
    await answer(world, await world.discord.alice.clicks("Verify", on=card))
    await world.reaches("v1", Stage.AWAITING_APPROVAL)
    await world.settles()
    await world.discord.bo.clicks("Reject", on=world.discord.channel("#deployments").card("v1"))
    await answer(world, await world.discord.bo.submits(Why="Too slow"))
    await world.reaches("v1", Stage.REJECTED)
    assert "Too slow" in world.discord.shows("#deployments")[0] + "".join(texts(world.discord.thread(card)))


async def test_a_slash_rejection_without_its_reason_asks_for_it(world: DiscordWorld) -> None:
    card = await staged(world)
    await answer(world, await world.discord.alice.clicks("Verify", on=card))
    await world.reaches("v1", Stage.AWAITING_APPROVAL)
    await world.discord.bo.slash("reject", id="v1")
    await answer(world, await world.discord.bo.submits(Why="Too slow"))
    await world.reaches("v1", Stage.REJECTED)


# -- three seconds, fifteen minutes ------------------------------------------------------------------------------------


def answers_late(world: DiscordWorld, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The bot has every answer only once the event is set, and is not patient itself."""
    answer_, thinking = world.app.service.answer, asyncio.Event()

    async def late(message: Incoming) -> Reply:
        await thinking.wait()
        return await answer_(message)

    monkeypatch.setattr(desk, "_SOON", 0.0)
    monkeypatch.setattr(world.app.service, "answer", late)
    return thinking


@pytest.mark.parametrize("late", [False, True])
async def test_nothing_is_acknowledged_before_it_is_durable(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """Typed, clicked, confirmed or filled in: who is told that it was heard can rely on it."""
    thinking = answers_late(world, monkeypatch) if late else asyncio.Event()
    respond, kept = InteractionOfOurs._respond, dict[str, bool]()

    async def noted(self: InteractionOfOurs, kind: int, data: dict[str, Any] | None) -> None:
        waiting = await world.store.unsettled(world.clock.now() + timedelta(days=1), 100)
        carried_out = await world.store.settled("discord", self.id) is not None
        kept.setdefault(self.id, carried_out or self.id in [row.message.delivery for row in waiting])
        thinking.set()
        await respond(self, kind, data)
        thinking.clear()

    alice, bo = world.discord.alice, world.discord.bo
    monkeypatch.setattr(InteractionOfOurs, "_respond", noted)
    card = await staged(world)
    verified = await alice.clicks("Verify", on=card)
    await answer(world, verified)
    await world.reaches("v1", Stage.AWAITING_APPROVAL)
    asked = await bo.clicks("Approve", on=card)
    await answer(world, asked)
    approved = await bo.clicks("Approve", on=asked)
    await answer(world, approved)
    await world.reaches("v1", Stage.COMPLETED)
    await world.settles()
    await bo.clicks("Rollback", on=card)
    (label,) = fields(bo.modal)
    rolled_back = await bo.submits(**{label: "A drill"})
    await answer(world, rolled_back)
    assert [kept[one.id] for one in (alice.asked[0], verified, approved, rolled_back)] == [True] * 4


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_an_answer_that_is_there_soon_is_the_first_and_only_one(mode: Mode) -> None:
    async with servers(mode) as world:
        discord = world.discord
        asked = await discord.vi.slash("whoami")
        assert asked.callback == MESSAGE
        assert "viewer" in asked.text
        assert (await discord.vi.clicks("Share", on=asked)).callback == MESSAGE
        card = await staged(world)
        assert (await discord.alice.clicks("Verify", on=card)).callback == MESSAGE
        await world.reaches("v1", Stage.AWAITING_APPROVAL)
        await world.settles()
        meant = await discord.bo.clicks("Approve", on=card)
        assert meant.callback == MESSAGE
        assert "to OMEGA and its mainframes?" in meant.text
        assert (await discord.bo.clicks("Approve", on=meant)).callback == UPDATE
        await world.settles()
        assert SETTLE not in {call.route for call in discord.watch.calls}


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_a_question_that_takes_its_time_is_acknowledged_before_it_is_answered(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_SOON", 0.02)
    async with servers(mode) as world:
        looked, slow, found = world.store.surroundings, asyncio.Event(), list[int]()

        async def surroundings(id_: str, attempt: int | None = None) -> Surroundings:
            found.append(1)
            await slow.wait()
            return await looked(id_, attempt)

        monkeypatch.setattr(world.store, "surroundings", surroundings)
        asked = await world.discord.vi.slash("status")
        assert (asked.callback, asked.loading) == (DEFERRED, True)
        asking = len(found)
        slow.set()
        assert "Nothing is deploying" in await answer(world, asked)
        assert asking == 1, "it was asked once more for the answer"


@pytest.mark.parametrize("mode", ["gateway", "http"])
async def test_a_change_that_takes_its_time_is_kept_and_acknowledged_and_made_once(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_SOON", 0.02)
    async with servers(mode) as world:
        world.ships("v1")
        manifest, slow = world.alpha.manifest, asyncio.Event()

        async def late(file: AlphaFile) -> Manifest:
            await slow.wait()
            return await manifest(file)

        monkeypatch.setattr(world.alpha, "manifest", late)
        asked = await world.discord.alice.slash("push", id="v1", description="Fixes the login")
        assert (asked.callback, asked.loading) == (DEFERRED, True)
        waiting = await world.store.unsettled(world.clock.now() + timedelta(days=1), 10)
        assert [row.message.delivery for row in waiting] == [asked.id]
        slow.set()
        assert "v1" in await answer(world, asked)
        await world.settles()
        assert len(world.discord.channel("#deployments").cards()) == 1
        assert await world.store.unsettled(world.clock.now() + timedelta(days=1), 10) == []


async def test_an_answer_that_does_not_fit_comes_as_a_file(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def long(_: object) -> Reply:
        return Reply("done", Card("Everything", ("x" * 200,) * 60))

    monkeypatch.setattr(world.app.service, "answer", long)
    asked = await world.discord.vi.slash("history")
    assert asked.callback == DEFERRED
    assert "more lines are in the file" in await answer(world, asked)


async def test_a_drawing_that_is_refused_gives_way_to_the_words_in_its_place(world: DiscordWorld) -> None:
    world.discord.troubles.refuses(ANSWER, 400, MALFORMED)
    world.discord.troubles.refuses(SETTLE, 400, MALFORMED)
    asked = await world.discord.vi.slash("whoami")
    assert "viewer" in await answer(world, asked)
    assert asked.original is not None
    assert [one["type"] for one in asked.original.components] == [10]


async def test_an_acknowledgement_whose_connection_broke_is_sent_again(world: DiscordWorld) -> None:
    for when in ("before", "after"):
        world.discord.troubles.cuts(ANSWER, when)  # type: ignore[arg-type]
        assert "viewer" in await answer(world, await world.discord.vi.slash("whoami"))


async def test_what_was_acknowledged_too_late_is_answered_directly(world: DiscordWorld) -> None:
    """Discord has given up; the command was durable before, is carried out, and nothing more is sent in vain."""
    world.discord.troubles.refuses(ANSWER, 404, 10062)
    world.ships("v1")
    asking = asyncio.create_task(world.discord.alice.slash("push", id="v1", description="x"))
    await told_directly(world.discord, world.discord.alice, "v1")
    await world.settles()
    world.clock.move(4)
    with pytest.raises(NotAnswered):
        await asking
    assert (await world.deployment("v1")).stage is Stage.STAGED


async def test_where_the_token_has_died_the_answer_comes_directly(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    thinking = answers_late(world, monkeypatch)
    world.discord.troubles.refuses(SETTLE, 401, 50027)
    await world.discord.vi.slash("note", id="v1", text="Seen")
    thinking.set()
    await told_directly(world.discord, world.discord.vi, "viewer")


async def test_where_nobody_can_say_who_somebody_is_they_are_refused(world: DiscordWorld) -> None:
    world.discord.troubles.fails("GET /guilds/{id}/members/{id}", 503, times=5)
    await world.discord.alice.says("push v1 x", in_="@ashat")
    await told_directly(world.discord, world.discord.alice, "nothing was changed")


async def test_a_server_that_the_bot_has_left_keeps_nobody_of_the_others_out(world: DiscordWorld) -> None:
    discord = world.discord
    discord.state.guilds[LABS].members.pop(APP)
    await discord.alice.says("whoami", in_="@ashat")
    await told_directly(discord, discord.alice, "You are Alice Ng")
    discord.state.guilds[GUILD].members.pop(discord.alice.id)
    world.clock.move(3600)
    await discord.alice.says("whoami", in_="@ashat")
    await told_directly(discord, discord.alice, "does not tell Ashat who you are")


async def test_who_has_not_passed_the_screening_neither_looks_nor_acts(world: DiscordWorld) -> None:
    world.ships("v1", "secret-project-7")
    discord = world.discord
    discord.state.guilds[GUILD].pending.add(discord.alice.id)
    for asked in ("status", "push", "help"):
        shown = await discord.alice.slash(asked)
        assert shown.modal is None
        assert "full members" in await answer(world, shown)
    assert await discord.alice.looks_for("push", "id") == []
    begin = {"type": 2, "id": 1, "custom_id": buttons.custom_id("new", "")}
    card = await staged_by_bo(world)
    assert "full members" in await answer(world, await discord.alice.presses(begin, card))


async def staged_by_bo(world: DiscordWorld) -> Message:
    """v1, pushed by somebody who may be heard."""
    await answer(world, await world.discord.human("eve").slash("push", id="v1", description="Fixes the login"))
    await world.reaches("v1", Stage.STAGED)
    await world.settles()
    return world.discord.channel("#deployments").card("v1")


@pytest.mark.parametrize("times", [1, 3])
async def test_an_acknowledgement_waits_as_long_as_discord_asks(world: DiscordWorld, times: int) -> None:
    world.discord.troubles.limits(ANSWER, 0.3, times=times)
    assert "viewer" in await answer(world, await world.discord.vi.slash("whoami"))
    assert len(world.discord.called(ANSWER)) == times + 1


async def test_what_was_said_to_be_unchanged_is_not_carried_out_later(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store failed, and so did the answer that told so."""
    world.ships("v1")

    async def failing(*_: object) -> None:
        raise OSError("disk I/O error")

    with monkeypatch.context() as while_broken:
        while_broken.setattr(world.store, "commit", failing)
        while_broken.setattr(world.store, "decide", failing)
        world.discord.troubles.refuses(ANSWER, 404, 10062)
        asking = asyncio.create_task(world.discord.alice.slash("push", id="v1", description="x"))
        await told_directly(world.discord, world.discord.alice, "v1 is unchanged")
    world.clock.move(20)
    with pytest.raises(NotAnswered):
        await asking
    assert await world.app.service.sweep(10) == 0
    assert await world.store.deployment("v1") is None


async def test_an_answer_is_shared_once_however_often_its_button_is_clicked(world: DiscordWorld) -> None:
    discord = world.discord
    asked = await discord.vi.slash("status")
    for _ in range(2):
        assert "Shared." in await answer(world, await discord.vi.clicks("Share", on=asked))
    assert len(discord.channel("#deployments").messages()) == 1


async def test_help_can_be_shared_too(world: DiscordWorld) -> None:
    asked = await world.discord.vi.slash("help")
    assert "[Share]" in await answer(world, asked)


async def test_a_push_from_elsewhere_says_where_its_card_is(world: DiscordWorld) -> None:
    world.ships("v1")
    discord = world.discord
    await discord.alice.says("push v1 'Fixes the login'", in_="@ashat")
    await told_directly(discord, discord.alice, "Go to its card")
    (told,) = [m for m in discord.dm(discord.alice).messages() if "Go to its card" in m.text]
    assert f"https://discord.com/channels/{GUILD}/{world.platform.setup.home}" in str(told.components)


async def test_the_same_interaction_twice_acts_once(world: DiscordWorld) -> None:
    world.ships("v1")
    pushed = await world.discord.alice.slash("push", id="v1", description="x")
    await answer(world, pushed)
    await world.discord.gateway.dispatch("INTERACTION_CREATE", world.discord.payloads.interaction(pushed))
    await answer(world, await world.discord.alice.slash("whoami"))
    await world.settles()
    assert len(world.discord.channel("#deployments").cards()) == 1


async def test_a_fault_of_ours_is_said_with_its_reference(world: DiscordWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> Reply:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(world.app.service, "answer", broken)
    asked: Interaction = await world.discord.vi.slash("whoami")
    said = await answer(world, asked)
    assert "Our fault, reference" in said
    assert "disk" not in said
