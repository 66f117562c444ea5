"""The door: said twice, said at once, said too fast, said while something is broken, and cut off."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.store.memory import MemoryStore
from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from core.commands import Seen
from core.journal import Entry
from core.people import Person
from core.ports import Change, Reply
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.interleaved import interleaved
from tests.bot.support.people import TEAM, person
from tests.bot.support.world import World, running
from tests.bot.test_journey import arrive, complete
from tests.contract.updates import product, tar_gz

SHIPPED = tar_gz(product("the same", "main", "standard"))
APPROVERS = tuple(person(f"P{number} Q", "approver") for number in range(16))


class BrokenStore(MemoryStore):
    """Nothing can be committed while it is `broken`: a disk that is full."""

    broken = False

    async def commit(self, change: Change) -> None:
        if self.broken:
            raise OSError("no space left on device")
        await super().commit(change)


async def world_on(kind: str, tmp_path: Path, **workflow: int) -> World:
    clock = MovedClock()
    if kind == "sqlite":
        return World(await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock), clock=clock, **workflow)
    return World(interleaved(MemoryStore(clock), 6), clock=clock, **workflow)


async def system(world: World, kind: str) -> list[Entry]:
    return [entry for entry in await world.store.journal("system") if entry.kind == kind]


# -- said twice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "event"),
    [("push v2 'Another fix'", "Pushed"), ("verify v1", "VerificationStarted"), ("approve v1", "Voted"),
     ("rollback v1", "RollbackStarted"), ("note v1 hello", "Noted"), ("cancel v1", "Cancelled")],
)  # fmt: skip
async def test_a_delivery_that_comes_twice_acts_once_and_gets_the_same_reply(
    world: World, command: str, event: str
) -> None:
    await arrive(world, "v1")
    world.ships("v2")
    about = "v2" if event == "Pushed" else "v1"
    before = (await world.counted("v1"))[event] if about == "v1" else 0
    first = await world.bo.says(f"deploy {command}", delivery="same")
    again = await world.bo.says(f"deploy {command}", delivery="same")
    assert first.outcome == "done"
    assert again == first
    assert (await world.counted(about))[event] == before + 1


async def test_the_same_delivery_at_the_same_moment_acts_once(world: World) -> None:
    await arrive(world, "v1")
    replies = await asyncio.gather(*(world.bo.says("deploy note v1 hello", delivery="same") for _ in range(8)))
    assert len({str(reply) for reply in replies}) == 1
    assert (await world.counted("v1"))["Noted"] == 1


async def test_a_refusal_stands_although_it_would_be_allowed_now(world: World) -> None:
    world.ships("v1")
    refused = await world.bo.says("deploy approve v1", delivery="early")
    assert refused.outcome == "refused"
    await arrive(world, "v1")
    assert await world.bo.says("deploy approve v1", delivery="early") == refused
    assert await world.stage("v1") is Stage.AWAITING_APPROVAL


async def test_said_again_is_answered_with_what_is_going_on(world: World) -> None:
    await arrive(world, "v1")
    world.omega.slow()
    await world.bo.says("deploy approve v1")
    assert "approved already" in (await world.bo.says("deploy approve v1")).card.title
    assert "Deployment session already exists" in (await world.alice.says("deploy push v1 'Fix it'")).card.title
    await world.bo.says("deploy rollback v1")
    assert "rolling back already" in (await world.bo.says("deploy rollback v1")).card.title
    counted = await world.counted("v1")
    assert (counted["Voted"], counted["LaneTaken"], counted["RollbackStarted"], counted["Pushed"]) == (1, 1, 1, 1)


# -- at once -----------------------------------------------------------------------------------------------------------


async def sixteen_at_once(world: World, rounds: int, quorum: int) -> None:
    """Everybody approves at the same moment; each is answered, and one of them reaches the quorum."""
    for number in range(rounds):
        id_ = f"v{number}"
        await arrive(world, id_)
        replies = await asyncio.gather(*(world.speaker(one.id).says(f"deploy approve {id_}") for one in APPROVERS))
        assert [reply.outcome for reply in replies] == ["done"] * len(APPROVERS)
        counted = await world.counted(id_)
        assert (counted["Voted"], counted["Approved"], counted["LaneTaken"]) == (quorum, 1, 1)
        late = [reply for reply in replies if "approved already" in reply.card.title]
        assert len(late) == len(APPROVERS) - quorum
        await world.alice.says(f"deploy rollback {id_}")
        await world.settles()
    assert await faults(world.store, [world.signer.public_key]) == []


@pytest.mark.parametrize("seed", range(8))
async def test_sixteen_approvers_at_once_two_hundred_times(seed: int) -> None:
    clock = MovedClock()
    store = interleaved(MemoryStore(clock), seed)
    team = (*TEAM, *APPROVERS)
    async with running(World(store, team=team, clock=clock, quorum=3)) as world:
        await sixteen_at_once(world, 25, 3)


async def test_sixteen_approvers_at_once_on_sqlite(tmp_path: Path) -> None:
    clock = MovedClock()
    store = await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock)
    async with running(World(store, team=(*TEAM, *APPROVERS), quorum=3, clock=clock)) as world:
        await sixteen_at_once(world, 3, 3)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_approve_and_rollback_clicked_at_once_have_one_winner(kind: str, tmp_path: Path) -> None:
    async with running(await world_on(kind, tmp_path)) as world:
        for number in range(5):
            id_ = f"v{number}"
            await arrive(world, id_)
            clicks = [world.cy.says(f"deploy approve {id_}"), world.bo.says(f"deploy rollback {id_}")]
            replies = await asyncio.gather(*(clicks if number % 2 else reversed(clicks)))
            said = {reply.card.title for reply in replies}
            counted = await world.counted(id_)
            assert counted["RollbackStarted"] == 1
            if counted["Voted"]:
                assert {reply.outcome for reply in replies} == {"done"}, said
            else:
                assert any(title.startswith("Too late: Bo Li") for title in said), said
            await world.settles()
            assert await world.stage(id_) is Stage.ROLLED_BACK
            await world.production_runs(None) if counted["Voted"] else None


@pytest.mark.parametrize("limit", [{"max_active_per_person": 2}, {"max_staged_bytes": 2 * len(SHIPPED) + 1}])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_what_one_person_pushes_at_once_is_no_more_than_settings_allow(
    kind: str, limit: dict[str, int], tmp_path: Path
) -> None:
    async with running(await world_on(kind, tmp_path, **limit)) as world:
        ids = [f"v{number}" for number in range(8)]
        for id_ in ids:
            world.alpha.put(f"{id_}.tar.gz", SHIPPED, world.clock.now())
        replies = await asyncio.gather(*(world.alice.says(f"deploy push {id_} 'Fix it'") for id_ in ids))
        assert sorted(reply.outcome for reply in replies) == ["done"] * 2 + ["refused"] * 6
        assert len(await world.store.active()) == 2
        world.alpha.put("v9.tar.gz", SHIPPED, world.clock.now())
        assert (await world.bo.says("deploy push v9 'Fix it'")).outcome == "done", "the limit is each person's own"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_omega_stays_where_it_is_once_a_lane_is_taken(kind: str, tmp_path: Path) -> None:
    """An admin moves it while somebody approves, in either order. All its addresses are the same OMEGA's."""
    async with running(await world_on(kind, tmp_path)) as world:
        for number in range(12):
            id_ = f"v{number}"
            await arrive(world, id_)
            clicks = [
                world.eve.says(f"deploy configure omega {world.omega.url}/{id_} Moved"),
                world.bo.says(f"deploy approve {id_}"),
            ]
            replies = await asyncio.gather(*(clicks if number % 2 else reversed(clicks)))
            moved, approved = replies if number % 2 else reversed(replies)
            assert approved.outcome == "done"
            decided = [entry["command"] for entry in world.log if entry["event"] == "decided"][-2:]
            assert decided == (["configure", "approve"] if moved.outcome == "done" else ["approve", "configure"])
            assert moved.outcome == "done" or "has something on OMEGA main" in moved.card.title
            await world.alice.says(f"deploy rollback {id_}")
            await world.settles()


async def test_cancel_and_approve_at_once_the_second_is_told_who_won(world: World) -> None:
    await arrive(world, "v1")
    cancelled, approved = await asyncio.gather(world.alice.says("deploy cancel v1"), world.cy.says("deploy approve v1"))
    assert {cancelled.outcome, approved.outcome} == {"done", "refused"}
    if approved.outcome == "refused":
        assert approved.card.title.startswith("Too late: Alice Ng cancelled v1")
    else:
        assert "too late to cancel" in cancelled.card.title


async def test_an_old_button_is_told_what_happened_since(world: World) -> None:
    await arrive(world, "v1")
    digest = (await world.deployment("v1")).digest or ""
    await world.alice.says("deploy verify v1")
    await world.settles()
    refused = await world.bo.says("deploy approve v1", seen=Seen(1, digest, 1))
    assert (refused.outcome, refused.card.title[:16]) == ("refused", "That card is old")
    assert (await world.bo.says("deploy approve v1", seen=Seen(1, digest, 2))).outcome == "done"


# -- too fast ----------------------------------------------------------------------------------------------------------


async def test_more_commands_in_a_minute_than_settings_allow_are_refused_until_it_is_over() -> None:
    async with running(World(max_commands_per_minute=3)) as world:
        world.ships("v1", "v2")
        await world.alice.says("deploy push v1 'Fix the login'")
        world.clock.move(20)
        assert [(await world.alice.says("deploy status")).outcome for _ in range(2)] == ["done", "done"]
        refused = await world.alice.says("deploy push v2 'Fix it again'", delivery="fast")
        assert refused.outcome == "refused"
        assert refused.card.title == "3 commands in a minute are the limit. Nothing was changed; go on in 40 s"
        assert (await world.bo.says("deploy status")).outcome == "done", "the limit is each person's own"
        world.clock.move(41)
        assert (await world.alice.says("deploy push v2 'Fix it again'")).outcome == "done"
        assert await world.alice.says("deploy push v2 'Fix it again'", delivery="fast") == refused
        assert len(await system(world, "Opened")) == 2


async def test_a_clock_that_was_put_back_keeps_nobody_waiting() -> None:
    async with running(World(max_commands_per_minute=2)) as world:
        assert (await world.bo.says("deploy status")).outcome == "done"
        world.clock.move(-6 * 3600)
        for _ in range(4):
            world.clock.move(61)
            assert (await world.bo.says("deploy status")).outcome == "done"


async def test_a_command_that_was_too_fast_is_not_swept_up_later() -> None:
    async with running(World(max_commands_per_minute=1)) as world:
        world.ships("v1")
        await world.alice.says("deploy status")
        await world.alice.says("deploy push v1 'Fix the login'")
        world.clock.move(120)
        assert await world.app.service.sweep(10) == 0
        assert await world.store.deployment("v1") is None


async def test_strangers_have_a_limit_of_their_own_each() -> None:
    async with running(World(max_commands_per_minute=1)) as world:
        one, other = world.speaker("one"), world.speaker("other")
        assert "You have no role here" in (await one.says("deploy push v1 'Fix it'")).card.title
        assert "limit" in (await one.says("deploy push v1 'Fix it'")).card.title
        assert "You have no role here" in (await other.says("deploy push v1 'Fix it'")).card.title


# -- broken ------------------------------------------------------------------------------------------------------------


async def test_what_was_not_expected_gives_a_reference_that_is_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ships("v1")

    async def broken(id: str) -> object:  # noqa: A002 - the port's word
        raise RuntimeError("the disk of ALPHA is on fire")

    with monkeypatch.context() as patched:
        patched.setattr(world.alpha, "find", broken)
        told = await world.alice.says("deploy push v1 'Fix the login'")
    assert told.outcome == "failed"
    found = re.match(r"Our fault, reference (\w+); v1 is unchanged\. `deploy status v1`", told.card.title)
    assert found is not None, told.card.title
    assert found[1] in {entry.get("reference") for entry in world.log}
    assert "fire" not in str(told)
    world.clock.move(60)
    assert await world.app.service.sweep(10) == 0, "they were told that nothing changed, so nothing may change later"
    assert await world.store.deployment("v1") is None


async def test_a_question_that_fails_gives_a_reference_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> object:
        raise RuntimeError("no")

    monkeypatch.setattr(world.store, "surroundings", broken)
    assert "Our fault, reference" in (await world.alice.says("deploy status")).card.title


async def test_while_nothing_can_be_stored_a_message_is_kept_and_carried_out_later() -> None:
    clock = MovedClock()
    store = BrokenStore(clock)
    async with running(World(store, clock=clock)) as world:
        world.ships("v1")
        store.broken = True
        told = await world.alice.says("deploy push v1 'Fix the login'")
        assert "what you said is kept, and carried out as soon as that is possible" in told.card.title
        clock.move(30)
        await world.app.service.sweep(10)
        assert await store.deployment("v1") is None
        store.broken = False
        assert await world.app.service.sweep(10) == 1
        await world.settles()
        assert await world.stage("v1") is Stage.STAGED
        world.told("alice", "Deployment session created")


async def test_deployments_go_on_once_the_store_is_well_again() -> None:
    clock = MovedClock()
    store = BrokenStore(clock)
    async with running(World(store, clock=clock)) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        store.broken = True
        await world.passes(30)
        store.broken = False
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED
        await world.production_runs("v1")
        world.nothing_took_hold_twice()
        assert (await world.counted("v1"))["RegionSwitched"] == 1


# -- cut off -----------------------------------------------------------------------------------------------------------


async def test_a_message_that_was_cut_off_is_carried_out_and_answered_late(world: World) -> None:
    await arrive(world, "v1")
    await world.bo.is_cut_off_saying("deploy approve v1")
    world.clock.move(5)
    assert await world.app.service.sweep(10) == 0, "somebody may still be at it"
    world.clock.move(10)
    assert await world.app.service.sweep(10) == 1
    await world.settles()
    assert await world.stage("v1") is Stage.COMPLETED
    assert "Counted, 1 of 1" in world.told("bo", "Counted, 1 of 1").text


async def test_what_was_cut_off_is_carried_out_in_its_order(world: World) -> None:
    world.ships("v1")
    await world.alice.is_cut_off_saying("deploy push v1 'Fix the login'")
    world.clock.move(1)
    await world.alice.is_cut_off_saying("deploy note v1 'second thoughts'")
    world.clock.move(1)
    await world.alice.is_cut_off_saying("deploy cancel v1")
    world.clock.move(20)
    assert await world.app.service.sweep(10) == 3
    assert (await world.events("v1"))[:3] == ["Pushed", "Noted", "Cancelled"]


async def test_one_message_that_cannot_be_carried_out_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await arrive(world, "v1")
    world.ships("v2")
    await world.alice.is_cut_off_saying("deploy push v2 'Poison for a parser'")
    world.clock.move(1)
    await world.bo.is_cut_off_saying("deploy approve v1")
    world.clock.move(20)

    async def broken(id: str) -> object:  # noqa: A002 - the port's word
        raise RuntimeError("poison")

    monkeypatch.setattr(world.alpha, "find", broken)
    assert await world.app.service.sweep(10) == 2
    await world.settles()
    assert await world.stage("v1") is Stage.COMPLETED
    world.told("alice", "Our fault, reference")
    assert await world.app.service.sweep(10) == 0


async def test_a_late_reply_that_nobody_needs_any_more_is_not_sent(world: World) -> None:
    await arrive(world, "v1")
    await world.bo.is_cut_off_saying("deploy approve v1")
    world.clock.move(20)
    world.chat.down()
    await world.app.service.sweep(10)
    await world.passes(3600, step=60)
    world.chat.up()
    await world.passes(120, step=60)
    await world.settles()
    assert not [message for message in world.chat.messages if message.kind == "whisper"]
    assert "✅ v1 is complete" in world.thread("v1"), "what is no reply does not expire"


async def test_a_message_that_somebody_waits_for_is_not_swept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be answered twice: on the line, and late."""
    world.ships("v1")
    find, swept = world.alpha.find, 0

    async def slow(id: str) -> object:  # noqa: A002 - the port's word
        nonlocal swept
        world.clock.move(60)
        swept = await world.app.service.sweep(10)
        return await find(id)

    monkeypatch.setattr(world.alpha, "find", slow)
    told = await world.alice.says("deploy push v1 'Fix the login'")
    assert (told.outcome, swept) == ("done", 0)
    await world.settles()
    assert not [message for message in world.chat.messages if message.kind == "whisper"]


async def test_a_start_carries_out_what_the_crash_left(world: World) -> None:
    await arrive(world, "v1")
    await world.bo.is_cut_off_saying("deploy approve v1")
    await world.crash()
    await world.restart()
    await world.settles()
    assert await world.stage("v1") is Stage.COMPLETED
    world.told("bo", "Counted, 1 of 1")


# -- who is who --------------------------------------------------------------------------------------------------------


async def differences(world: World, team: tuple[Person, ...], **workflow: Any) -> tuple[str, ...]:
    """What a start with these people journals."""
    other = World(world.store, team=team, clock=world.clock, **workflow)
    seen = len(await system(world, "PeopleChanged"))
    async with running(other, configured=False):
        found = (await system(world, "PeopleChanged"))[seen:]
    return tuple(found[0].data["differences"]) if found else ()


async def test_the_first_start_journals_everybody_and_the_next_nothing(world: World) -> None:
    first = (await system(world, "PeopleChanged"))[0]
    assert "Bo Li (bo) came: approver, deployer and viewer" in first.data["differences"]
    assert (first.by, first.via) == ("ashat", "start")
    assert await differences(world, TEAM) == ()


async def test_a_start_journals_who_came_who_left_and_which_rules_changed(world: World) -> None:
    team = (*(one for one in TEAM if one.id not in ("cy", "vi")), person("Vi Day", "viewer", "approver"))
    found = await differences(world, team, quorum=2, own_push=True, quorum_by_component={"api": 3})
    assert found == (
        "Cy Roe (cy) left: approver and viewer",
        "Vi Day (vi): roles was viewer, is approver and viewer",
        "quorum was 1, is 2",
        "approving one's own push was no, is yes",
        "quorum of api was none, is 3",
    )


async def test_votes_of_somebody_who_may_no_longer_approve_fall_at_the_next_start() -> None:
    clock = MovedClock()
    store = MemoryStore(clock)
    async with running(World(store, clock=clock, quorum=2)) as world:
        await arrive(world, "v1")
        assert (await world.bo.says("deploy approve v1")).outcome == "done"
        await world.settles()
    team = tuple(person("Bo Li", "deployer") if one.id == "bo" else one for one in TEAM)
    async with running(World(store, clock=clock, quorum=2, team=team), configured=False) as world:
        await world.settles()
        assert (await world.deployment("v1")).votes == ()
        world.told("bo", "Your vote for v1 no longer counts")


# -- what is not said --------------------------------------------------------------------------------------------------


async def test_whoever_may_not_view_learns_no_name_and_no_id(world: World) -> None:
    await complete(world, "v1")
    for text in ("status", "status v1", "show v1", "history", "servers", "mainframes", "approve v1", "push v1 'Fix it'",
                 "approve nothing"):  # fmt: skip
        reply: Reply = await world.speaker("mallory").says(f"deploy {text}")
        assert reply.outcome == "refused", text
        assert reply.card.title.startswith("You have no role here"), reply.card.title
        assert not any(name in str(reply.card) for name in ("Alice", "Bo", "Eve", "v1")), reply.card


async def test_talk_is_ignored_and_leaves_nothing_behind(world: World) -> None:
    heads = await world.store.heads()
    assert (await world.alice.says("shall we deploy this afternoon?")).outcome in ("ignored", "usage")
    assert await world.store.heads() == heads
    world.clock.move(60)
    assert await world.app.service.sweep(10) == 0
