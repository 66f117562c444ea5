"""Questions: answered from what is stored and from what servers say, also while some of them do not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.channels.memory import text_of
from bot.wiring import policy_of
from core.people import Grant
from core.ports import Reply
from core.stages import Stage
from tests.bot.support.people import TEAM, person
from tests.bot.support.world import World, running
from tests.bot.test_journey import arrive, complete


def text(reply: Reply) -> str:
    """All that it says."""
    return text_of(reply.card)


async def test_the_empty_answers_say_what_to_type() -> None:
    async with running(World(), configured=False) as world:
        assert "Nothing is deploying" in text(await world.vi.says("deploy status"))
        assert "No deployments yet" in text(await world.vi.says("deploy history"))
        servers = text(await world.vi.says("deploy servers"))
        assert "Not Configured" in servers
        assert "deploy configure public <url> <name>" in servers


async def test_status_shows_all_that_has_not_ended(world: World) -> None:
    await complete(world, "v1")
    await arrive(world, "v2")
    told = text(await world.vi.says("deploy status"))
    assert "v2" in told
    assert "awaiting approval" in told.lower()
    assert "v1" in told, "what production runs"


async def test_status_names_for_a_countersignature_who_may_give_it_in_every_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cy approves in one region alone, so Cy is nobody who could help."""
    grant = Grant(("cy",), frozenset({"approver"}), (), ("main",))
    monkeypatch.setattr("tests.bot.support.world.policy_of", lambda made: replace(policy_of(made), grants=(grant,)))
    team = [one if one.id != "cy" else person("Cy Roe", "viewer") for one in TEAM]
    async with running(World(team=team, regions=("main", "us"))) as world:
        await arrive(world, "v1")
        await world.eve.says("deploy approve v1 --emergency 'login is down'")
        told = text(await world.vi.says("deploy status"))
    (owed,) = [line for line in told.splitlines() if "countersignature" in line and "deploy countersign v1" in line]
    assert "Bo Li" in owed
    assert "Cy Roe" not in owed


async def test_status_of_one_is_its_card(world: World) -> None:
    await arrive(world, "v1")
    told = await world.vi.says("deploy status v1")
    assert (told.outcome, told.id) == ("done", "v1")
    assert told.card.title == world.card("v1").card.title


async def test_an_unknown_id_is_refused_with_the_nearest(world: World) -> None:
    await arrive(world, "hotfix-001")
    for question in ("status", "show"):
        told = await world.vi.says(f"deploy {question} hotfix-01")
        assert told.outcome == "refused"
        assert "hotfix-001" in text(told)


async def test_show_tells_the_whole_story_from_the_journal(world: World) -> None:
    await complete(world, "v1")
    await world.bo.says("deploy note v1 'looks good'")
    told = text(await world.vi.says("deploy show v1"))
    for word in ("Alice Ng", "Bo Li", "looks good"):
        assert word in told


async def test_history_shows_the_newest_first_with_their_notes(world: World) -> None:
    for id_ in ("v1", "v2", "v3"):
        await complete(world, id_)
    await world.bo.says("deploy note v2 'slow on tuesdays'")
    told = text(await world.vi.says("deploy history 2"))
    assert told.index("v3") < told.index("v2")
    assert "slow on tuesdays" in told
    assert "v1 " not in told


async def test_the_history_of_a_mistyped_component_is_refused_with_the_nearest(world: World) -> None:
    await complete(world, "v1")
    told = await world.vi.says("deploy history --component mian")
    assert (told.outcome, told.card.title) == (
        "refused", "No component mian is known; nearest: main. `deploy history` shows each deployment's",
    )  # fmt: skip
    async with running(World(), configured=False) as empty:
        assert text(await empty.vi.says("deploy history --component main")).startswith("No deployments of main yet")


async def test_servers_say_what_they_run_and_which_does_not_answer(world: World) -> None:
    await complete(world, "v1")
    assert "v1" in text(await world.vi.says("deploy servers"))
    world.omega.down()
    told = text(await world.vi.says("deploy servers"))
    assert "broke off the connection" in told
    assert "staging" in told


async def test_a_server_that_hangs_holds_up_no_answer_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reader._ASKING", 0.02)

    async def hangs() -> object:
        return await asyncio.Event().wait()

    monkeypatch.setattr(world.omega, "state", hangs)
    monkeypatch.setattr(world.omega, "mainframes", hangs)
    assert "no answer within" in text(await world.vi.says("deploy servers"))
    assert "no answer within" in text(await world.vi.says("deploy mainframes"))


async def test_a_server_that_hangs_holds_up_no_push(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.gather._ASKING", 0.02)

    async def hangs() -> object:
        return await asyncio.Event().wait()

    monkeypatch.setattr(world.omega, "mainframes", hangs)
    world.ships("v1")
    assert "its mainframes" in text(await world.alice.says("deploy push v1 'Fix the login'"))


async def test_alpha_that_cannot_be_read_is_said_and_nothing_breaks(world: World) -> None:
    await arrive(world, "v1")
    world.alpha.readable = False
    assert "cannot be read" in text(await world.vi.says("deploy servers"))
    assert (await world.vi.says("deploy status")).outcome == "done"
    told = await world.alice.says("deploy push v2 'Fix the logout'")
    assert told.outcome == "refused"
    assert "cannot be read" in told.card.title


async def test_mainframes_are_named_with_what_they_run(world: World) -> None:
    await complete(world, "v1")
    told = text(await world.vi.says("deploy mainframes"))
    assert all(name in told for name in ("main-m1", "main-m2", "main-m3", "v1"))


# -- waiting -----------------------------------------------------------------------------------------------------------


def waits(world: World, line: str) -> asyncio.Task[Reply]:
    """`deploy wait` is for the shell."""

    async def wait() -> Reply:
        return await world.app.door.answer(replace(world.vi.message(line), shell=True))

    return asyncio.create_task(wait())


async def test_wait_answers_once_a_person_is_needed(world: World) -> None:
    world.ships("v1")
    world.public.hold_check("Security Scan")
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.alice.says("deploy verify v1")
    await world.reaches("v1", Stage.VERIFYING)
    waiting = waits(world, "deploy wait v1")
    await world.passes(10)
    assert not waiting.done()
    world.public.release_check("Security Scan")
    await world.passes(4)
    assert "Awaiting approval" in text(await waiting)


async def test_wait_for_a_stage_that_can_no_longer_come_is_refused(world: World) -> None:
    await arrive(world, "v1")
    waiting = waits(world, "deploy wait v1 --for completed")
    await world.alice.says("deploy cancel v1")
    await world.settles()
    assert (await waiting).outcome == "refused"


async def test_wait_for_a_stage_that_is_behind_it_already_is_over(world: World) -> None:
    await arrive(world, "v1")
    assert (await waits(world, "deploy wait v1 --for staged")).outcome == "done"


async def test_wait_gives_up_when_its_time_is_over(world: World) -> None:
    await arrive(world, "v1")
    waiting = waits(world, "deploy wait v1 --for completed --timeout 10s")
    await asyncio.sleep(0)
    world.clock.move(11)
    world.app.signal.set()
    assert "still awaiting approval after 10 s" in text(await waiting)
