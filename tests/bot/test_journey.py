"""Whole journeys on twins: what people say, what servers run, what channels show, and what the journal holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.store.backup import DatabaseFile
from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from core.moments import flat
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running


async def arrive(world: World, id_: str, *, component: str = "main") -> None:
    """Push and verify: it waits for approval."""
    world.clock.move(1)
    world.ships(id_, component=component)
    await world.alice.says(f"deploy push {id_} 'A change that matters'")
    await world.alice.says(f"deploy verify {id_}")
    await world.settles()
    assert await world.stage(id_) is Stage.AWAITING_APPROVAL


async def complete(world: World, id_: str, *, component: str = "main") -> None:
    await arrive(world, id_, component=component)
    await world.bo.says(f"deploy approve {id_}")
    await world.settles()
    assert await world.stage(id_) is Stage.COMPLETED


# -- the guide's examples ----------------------------------------------------------------------------------------------


async def test_example_1_a_security_patch_reaches_every_mainframe() -> None:
    async with running(World(), configured=False) as world:
        world.ships("security-patch-001")
        told = await world.eve.says(f"deploy configure public {world.public.url} Staging")
        assert told.card.title == "Public is now Staging at http://127.0.0.1:9101"
        await world.eve.says(f"deploy configure omega {world.omega.url} Production")
        told = await world.alice.says("deploy push security-patch-001 'Critical security fixes for authentication'")
        assert (told.outcome, told.card.title) == ("done", "Deployment session created")
        assert {"Action plan", "Estimated timeline: no history yet for this component"} <= set(told.card.lines)
        await world.settles()
        world.shows("security-patch-001", "Staged")
        assert world.slot_is("security-patch-001") == "healthy"

        await world.alice.says("deploy verify security-patch-001")
        await world.settles()
        world.shows("security-patch-001", "✅ Verification PASSED!", "6 of 6")
        await world.bo.says("deploy approve security-patch-001")
        await world.settles()

        world.shows("security-patch-001", "Completed", "3 of 3 mainframes healthy")
        await world.production_runs("security-patch-001")
        assert world.slot_is("security-patch-001") == "withdrawn"
        assert "security-patch-001" in str((await world.vi.says("deploy history")).card)
        world.nothing_took_hold_twice()
        assert await faults(world.store, [world.signer.public_key]) == []


async def test_example_2_a_feature_fails_goes_back_and_its_fix_gets_through(world: World) -> None:
    world.ships("feature-2024-q1", "feature-2024-q1-fixed")
    await world.alice.says("deploy push feature-2024-q1 'New dashboard and analytics features'")
    world.public.fail_check("Health Check", seen="500")
    await world.alice.says("deploy verify feature-2024-q1")
    await world.settles()
    world.shows(
        "feature-2024-q1",
        "❌ Verification FAILED!",
        "Issues detected on Public Server. Deployment cannot proceed to OMEGA.",
        "Health Check: expected 200, got 500 at /healthz",
    )
    refused = await world.bo.says("deploy approve feature-2024-q1")
    assert (refused.outcome, refused.card.title.split(":")[0]) == ("refused", "Not ready for approval")

    told = await world.alice.says("deploy rollback feature-2024-q1")
    assert "nothing was pushed to OMEGA" in told.card.title
    await world.settles()
    assert await world.stage("feature-2024-q1") is Stage.ROLLED_BACK
    assert world.slot_is("feature-2024-q1") == "withdrawn"

    world.public.pass_check("Health Check")
    await complete(world, "feature-2024-q1-fixed")
    await world.production_runs("feature-2024-q1-fixed")


async def test_example_3_three_components_go_their_own_ways(world: World) -> None:
    for id_, component in (("hotfix-001", "web"), ("feature-update", "api"), ("docs-update", "docs")):
        world.ships(id_, component=component)
        await world.alice.says(f"deploy push {id_} 'Something for everyone'")
    await world.settles()
    status = str((await world.vi.says("deploy status")).card)
    assert all(id_ in status for id_ in ("hotfix-001", "feature-update", "docs-update"))

    for id_, component in (("hotfix-001", "web"), ("feature-update", "api")):
        await world.alice.says(f"deploy verify {id_}")
        await world.settles()
        await world.bo.says(f"deploy approve {id_}")
        await world.settles()
        await world.production_runs(id_, component)
    assert await world.stages() == {
        "hotfix-001": "completed", "feature-update": "completed", "docs-update": "staged",
    }  # fmt: skip
    world.nothing_took_hold_twice()


# -- what everybody is told --------------------------------------------------------------------------------------------


async def test_nobody_is_told_anything_that_this_test_does_not_know(attentive: World) -> None:
    world = attentive
    await complete(world, "v1")
    await world.eve.says("deploy rollback v1 'login errors'")
    await world.settles()
    assert world.thread("v1") == [
        "Action plan",
        "✅ Verification PASSED!",
        "Bo Li approved",
        "OMEGA main runs v1",
        "✅ v1 is complete",
        "↩️ Eve Poe rolls v1 back",
        "↩️ v1 is rolled back",
    ]
    for approver in ("bo", "cy", "eve"):
        world.told(approver, "v1 waits for your approval")
    world.told("alice", "v1 is approved by Bo Li; it goes to OMEGA")
    world.told("alice", "v1 is complete")
    world.told("alice", "v1 is rolled back")
    world.told("bo", "v1 is rolled back")


# -- going back --------------------------------------------------------------------------------------------------------


async def test_the_rollback_of_a_completed_update_brings_back_what_it_replaced(world: World) -> None:
    await complete(world, "v1")
    await complete(world, "v2")
    await world.production_runs("v2")
    await world.bo.says("deploy rollback v2")
    await world.settles()
    assert await world.stage("v2") is Stage.ROLLED_BACK
    await world.production_runs("v1")
    baseline = world.public.host.component("main")
    assert baseline is not None
    assert baseline.running == (await world.deployment("v1")).digest
    world.nothing_took_hold_twice()


async def test_a_rollback_names_what_is_on_top(world: World) -> None:
    await complete(world, "v1")
    await complete(world, "v2")
    refused = await world.bo.says("deploy rollback v1")
    assert refused.outcome == "refused"
    assert "v2 runs on top of v1" in refused.card.title
    await world.production_runs("v2")


async def test_rolling_back_the_first_release_takes_the_component_offline(world: World) -> None:
    await complete(world, "v1")
    told = await world.bo.says("deploy rollback v1")
    assert "goes offline" in told.card.title
    await world.settles()
    await world.production_runs(None)
    said = world.told("alice", "v1 is rolled back").text
    assert "OMEGA main had nothing before, so it is offline" in said
    assert "3 of 3 mainframes offline" in said
    assert "healthy" not in said
    world.shows("v1", "Mainframes 3 of 3 offline")
    assert "healthy" not in world.card("v1").text


async def test_only_the_very_first_release_is_called_the_first(world: World) -> None:
    await complete(world, "v1")
    world.shows("v1", "the first release of this component")
    await world.bo.says("deploy rollback v1")
    await world.settles()
    await complete(world, "v2")
    world.shows("v2", "nothing ran when it came")
    assert "first release" not in world.card("v2").text


async def test_status_says_since_when_it_runs_again(world: World) -> None:
    await complete(world, "v1")
    switched = (await world.deployment("v1")).placement("omega/main")
    assert switched is not None
    assert switched.since is not None
    assert f"v1 (main) since {switched.since:%H:%M}" in flat((await world.vi.says("deploy status")).card.lines[0])
    world.clock.move(1800)
    await complete(world, "v2")
    world.clock.move(1800)
    await world.bo.says("deploy rollback v2")
    await world.settles()
    back = (await world.deployment("v2")).placement("omega/main")
    assert back is not None
    assert back.since is not None
    assert (back.since - switched.since).total_seconds() >= 3600
    assert f"v1 (main) since {back.since:%H:%M}" in flat((await world.vi.says("deploy status")).card.lines[0])


async def test_an_id_that_was_rolled_back_is_pushed_again_as_attempt_2(world: World) -> None:
    await complete(world, "v1")
    refused = await world.alice.says("deploy push v1 'The same again'")
    assert refused.outcome == "refused"
    await world.bo.says("deploy rollback v1")
    await world.settles()
    world.ships("v1")
    told = await world.alice.says("deploy push v1 'Mended since then'")
    assert (told.outcome, told.id) == ("done", "v1#2")
    await world.alice.says("deploy verify v1")
    await world.settles()
    await world.bo.says("deploy approve v1#2")
    await world.settles()
    assert await world.stage("v1#2") is Stage.COMPLETED
    assert await world.stage("v1#1") is Stage.ROLLED_BACK
    await world.production_runs("v1#2")
    world.shows("v1#2", "Completed")


# -- one lane for each component ---------------------------------------------------------------------------------------


async def test_the_second_of_a_component_waits_for_the_first(world: World) -> None:
    await arrive(world, "v1")
    await arrive(world, "v2")
    world.omega.slow()
    await world.bo.says("deploy approve v1")
    told = await world.bo.says("deploy approve v2")
    assert "queued behind v1" in str(told.card)
    await world.passes(10)
    assert await world.stage("v2") is Stage.SCHEDULED
    world.omega.quick()
    await world.settles()
    assert await world.stages() == {"v1": "completed", "v2": "completed"}
    await world.production_runs("v2")
    assert (await world.deployment("v2")).generation > (await world.deployment("v1")).generation


async def test_votes_fall_when_what_they_would_replace_is_gone(world: World) -> None:
    await arrive(world, "v1")
    await arrive(world, "v2")
    world.omega.refuse_switch("the release exits at once")
    await world.bo.says("deploy approve v1")
    await world.bo.says("deploy approve v2")
    await world.reaches("v1", Stage.FAILED)
    world.omega.allow_switch()
    await world.bo.says("deploy rollback v1")
    await world.settles()
    assert await world.stage("v2") is Stage.AWAITING_APPROVAL
    world.told("bo", "Your vote for v2 no longer counts")
    await world.production_runs(None)


# -- what fails --------------------------------------------------------------------------------------------------------


async def test_a_region_that_fails_is_retried_under_a_new_generation() -> None:
    async with running(World(regions=("eu", "us"))) as world:
        await arrive(world, "v1")
        world.omegas["us"].refuse_switch("no space left")
        await world.bo.says("deploy approve v1")
        await world.settles()
        assert await world.stage("v1") is Stage.FAILED
        world.shows("v1", "OMEGA us: no space left")
        before = (await world.deployment("v1")).generation
        world.omegas["us"].allow_switch()
        await world.alice.says("deploy retry v1")
        await world.settles()
        assert await world.stage("v1") is Stage.COMPLETED
        assert (await world.deployment("v1")).generation == before + 1
        await world.production_runs("v1")


async def test_a_region_that_sleeps_keeps_no_other_from_its_mainframes() -> None:
    async with running(World(regions=("eu", "us"))) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        await world.reaches("v1", Stage.COMPLETED)
        await arrive(world, "v2")
        world.omegas["eu"].mainframe("eu-m1").hangs()
        world.omegas["us"].mainframe("us-m2").hangs()
        await world.bo.says("deploy approve v2")
        await world.reaches("v2", Stage.DISTRIBUTING)
        await world.passes(20)
        known = {m.name: m.status for m in (await world.deployment("v2")).mainframes}
        assert known == {
            "eu-m1": "waiting", "eu-m2": "healthy", "eu-m3": "healthy",
            "us-m1": "healthy", "us-m2": "waiting", "us-m3": "healthy",
        }  # fmt: skip


async def test_a_region_that_is_away_is_rolled_back_once_it_is_there_and_the_other_at_once() -> None:
    async with running(World(regions=("eu", "us"))) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        await world.settles()
        world.omegas["eu"].down()
        await world.bo.says("deploy rollback v1")
        await world.passes(10)
        us = world.omegas["us"].host.component("main")
        assert us is not None
        assert us.running is None
        world.omegas["eu"].up()
        await world.settles()
        assert await world.stage("v1") is Stage.ROLLED_BACK
        await world.production_runs(None)


async def failing_mainframes(world: World) -> None:
    """v2 is being distributed; two of three mainframes refuse it and the third has not answered yet."""
    await complete(world, "v1")
    await arrive(world, "v2")
    for name in ("main-m1", "main-m2"):
        world.omega.mainframe(name).fails("disk full")
    world.omega.mainframe("main-m3").hangs()
    await world.bo.says("deploy approve v2")
    await world.reaches("v2", Stage.DISTRIBUTING)
    await world.passes(6)
    held = await world.deployment("v2")
    assert held.hold is not None
    assert held.hold.person is None
    told = await world.omega.distribution("main")
    assert told is not None
    assert told.hold, "OMEGA was not told at once that it is held"


async def test_failing_mainframes_hold_the_distribution_and_a_person_is_asked(world: World) -> None:
    await failing_mainframes(world)
    world.shows("v2", "disk full")
    world.told("alice", "v2 is paused")
    world.told("eve", "v2 is paused")
    await world.passes(60)
    assert await world.stage("v2") is Stage.DISTRIBUTING


async def test_a_held_distribution_goes_on_when_it_is_resumed(world: World) -> None:
    await failing_mainframes(world)
    for mainframe in world.omega.fleet.mainframes.values():
        mainframe.works()
    await world.bo.says("deploy resume v2")
    await world.settles()
    assert await world.stage("v2") is Stage.COMPLETED
    await world.production_runs("v2")


async def test_a_held_distribution_goes_back_when_it_is_rolled_back(world: World) -> None:
    await failing_mainframes(world)
    for mainframe in world.omega.fleet.mainframes.values():
        mainframe.works()
    await world.bo.says("deploy rollback v2")
    await world.settles()
    assert await world.stage("v2") is Stage.ROLLED_BACK
    await world.production_runs("v1")


async def test_a_distribution_that_failed_is_retried(world: World) -> None:
    await complete(world, "v1")
    await arrive(world, "v2")
    world.omega.mainframe("main-m2").fails("disk full")
    await world.bo.says("deploy approve v2")
    await world.settles()
    assert await world.stage("v2") is Stage.FAILED
    world.omega.mainframe("main-m2").works()
    await world.alice.says("deploy retry v2")
    await world.settles()
    assert await world.stage("v2") is Stage.COMPLETED
    await world.production_runs("v2")


async def test_after_an_old_backup_was_restored_the_next_try_goes_above_what_omega_knows(tmp_path: Path) -> None:
    clock = MovedClock()
    async with running(World(await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock), clock=clock)) as world:
        await complete(world, "v1")
        DatabaseFile(tmp_path / "ashat.db").copy_to(tmp_path / "backup.db")
        for id_ in ("v2", "v3"):
            await complete(world, id_)
        lost = await world.deployment("v2")
        await world.crash()
        await world.store.close()
        world.store = await SqlStore.open(f"sqlite:///{tmp_path / 'backup.db'}", clock)
        await world.restart()
        await arrive(world, "v4")
        await world.bo.says("deploy approve v4")
        await world.settles()
        world.shows("v4", "by another, as generation 3; this is 2", "deploy retry v4")
        assert (await world.store.surroundings("v4")).lane.generation == 3
        await world.alice.says("deploy retry v4")
        await world.settles()
        await world.production_runs("v4")
        assert (await world.deployment("v4")).generation == 4
        assert lost.generation == 2
        assert await faults(world.store, [world.signer.public_key]) == []
    await world.store.close()


async def test_a_mainframe_that_sleeps_is_shown_and_follows_when_it_wakes(world: World) -> None:
    await complete(world, "v1")
    world.omega.mainframe("main-m3").asleep()
    await world.passes(200, step=50)
    await complete(world, "v2")
    world.shows("v2", "2 of 3 mainframes", "main-m3")
    assert world.omega.mainframe("main-m3").runs("main") == (await world.deployment("v1")).digest
    world.omega.mainframe("main-m3").awake()
    await world.vi.says("deploy mainframes")
    await world.production_runs("v2")


async def test_worse_health_after_completion_is_told_with_the_way_back(world: World) -> None:
    await complete(world, "v1")
    world.omega.host.crash("main", "answers 502")
    await world.passes(60)
    assert "⚠ OMEGA main is worse since v1" in world.thread("v1")
    assert await world.stage("v1") is Stage.COMPLETED
    world.omega.host.recover("main")
    await world.passes(60)
    assert world.thread("v1")[-1] == "OMEGA main is healthy again"


# -- ending it early ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.STAGED, Stage.VERIFYING, Stage.AWAITING_APPROVAL])
async def test_what_is_cancelled_leaves_no_slot_on_public(world: World, stage: Stage) -> None:
    world.ships("v1")
    if stage is Stage.STAGING:
        world.public.slow()
    await world.alice.says("deploy push v1 'Fix the login'")
    if stage in (Stage.VERIFYING, Stage.AWAITING_APPROVAL):
        await world.alice.says("deploy verify v1")
    if stage is Stage.VERIFYING:
        world.public.hold_check("Security Scan")
    await world.reaches("v1", stage)
    told = await world.alice.says("deploy cancel v1")
    assert told.card.title == "Cancelled v1; nothing was pushed to OMEGA"
    assert await world.stage("v1") is Stage.CANCELLED
    world.public.quick()
    await world.settles()
    assert world.slot_is("v1") == "withdrawn"
    assert world.omega.effects == []
    assert (await world.alice.says("deploy verify v1")).outcome == "refused"


async def test_what_waits_for_its_lane_can_be_cancelled_or_rejected(world: World) -> None:
    for id_ in ("v1", "v2", "v3"):
        await arrive(world, id_)
    world.omega.slow()
    for id_ in ("v1", "v2", "v3"):
        await world.bo.says(f"deploy approve {id_}")
    await world.alice.says("deploy cancel v2")
    await world.cy.says("deploy reject v3 'not this week'")
    world.omega.quick()
    await world.settles()
    assert await world.stages() == {"v1": "completed", "v2": "cancelled", "v3": "rejected"}
    assert world.slot_is("v2") == world.slot_is("v3") == "withdrawn"
    await world.production_runs("v1")


async def test_a_slot_is_withdrawn_even_if_public_was_away_when_it_ended(world: World) -> None:
    await arrive(world, "v1")
    world.public.down()
    await world.cy.says("deploy reject v1 'not yet'")
    await world.passes(600, step=20)
    assert await world.stage("v1") is Stage.REJECTED
    world.public.up()
    await world.settles()
    assert world.slot_is("v1") == "withdrawn"


async def test_verify_typed_while_it_is_staged_starts_by_itself(world: World) -> None:
    world.ships("v1")
    world.public.slow()
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.reaches("v1", Stage.STAGING)
    told = await world.alice.says("deploy verify v1")
    assert "starts once it is" in told.card.title
    world.public.quick()
    await world.settles()
    assert await world.stage("v1") is Stage.AWAITING_APPROVAL


async def test_what_a_person_decides_during_an_upload_counts_before_omega_switches(world: World) -> None:
    """A long upload must not end in a switch to what was rolled back meanwhile."""
    await complete(world, "v1")
    await arrive(world, "v2")
    await world.bo.says("deploy approve v2")
    upload = world.omega.upload

    async def interrupted(digest: str, progress: object) -> None:
        await upload(digest, progress)  # type: ignore[arg-type]  # the port's own callback is passed through
        await world.bo.says("deploy rollback v2")

    world.omega.upload = interrupted  # type: ignore[method-assign]  # an upload that people do not wait for
    await world.settles()
    assert await world.stage("v2") is Stage.ROLLED_BACK
    digest = (await world.deployment("v2")).digest
    switched = [key for what, key in world.took_hold() if what == "production-main desire"]
    assert len(switched) == 2, "v2 was put into production after it was rolled back"
    assert digest != (await world.deployment("v1")).digest
    await world.production_runs("v1")


# -- a mainframe that is frozen ----------------------------------------------------------------------------------------


async def test_a_frozen_mainframe_is_left_out_and_brought_up_when_its_freeze_is_lifted(world: World) -> None:
    refused = await world.eve.says("deploy freeze 'Trade fair' --mainframe main-m4")
    assert refused.outcome == "refused"
    assert refused.card.title == (
        "OMEGA knows no mainframe main-m4; nearest: main-m1, main-m2 or main-m3. `deploy mainframes` lists them"
    )
    told = await world.eve.says("deploy freeze 'Trade fair' --mainframe main-m2")
    assert told.card.title.startswith("Froze mainframe main-m2 until it is lifted: “Trade fair”")
    await complete(world, "v1")
    world.shows("v1", "2 of 2 mainframes healthy", "❄ main-m2 (OMEGA main) is frozen, by Eve Poe: “Trade fair”")
    assert "❄ frozen, by Eve Poe: “Trade fair”" in str((await world.vi.says("deploy mainframes")).card)
    assert "without main-m2, frozen" in str((await world.vi.says("deploy show v1")).card)
    assert "mainframe main-m2 of OMEGA main is left out: frozen by Eve Poe (eve)" in str(
        (await world.vi.says("deploy audit v1")).card)  # fmt: skip
    assert world.omega.mainframe("main-m2").runs("main") is None
    await world.passes(60)

    told = await world.eve.says("deploy unfreeze --mainframe main-m2")
    assert told.card.lines[0] == "main-m2 is brought to what its peers run of main now, by itself"
    await world.settles()
    await world.production_runs("v1")
    world.shows("v1", "3 of 3 mainframes healthy")
    assert "❄ Frozen no more: main-m2, brought to what their peers run of main" in world.thread("v1")
    world.nothing_took_hold_twice()
    assert await faults(world.store, [world.signer.public_key]) == []


async def test_it_is_brought_up_at_the_end_of_its_time_also_by_another_process(world: World) -> None:
    await world.eve.says("deploy freeze 'Trade fair' --mainframe main-m2 --for 1h")
    await complete(world, "v1")
    await world.crash()
    await world.restart()
    await world.passes(3700, step=60)
    await world.settles()
    await world.production_runs("v1")


async def test_where_omega_is_down_a_freeze_counts_by_name(world: World) -> None:
    world.omega.down()
    told = await world.eve.says("deploy freeze 'Trade fair' --mainframe main-m2")
    assert told.card.lines[0].startswith("OMEGA main did not answer, so it is not known whether main-m2 is there")
    world.omega.up()
    await complete(world, "v1")
    assert world.omega.mainframe("main-m2").runs("main") is None


async def test_only_an_admin_makes_the_bot_ask_who_is_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> None:
        raise AssertionError("OMEGA was asked")

    monkeypatch.setattr(world.omega, "mainframes", asked)
    refused = await world.bo.says("deploy freeze 'Trade fair' --mainframe main-m2")
    assert (refused.outcome, "Freeze needs admin" in refused.card.title) == ("refused", True)
