"""State is the fold of events; outcomes that come twice, late or at the wrong time change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core import events as e
from core.evolve import evolve
from core.facts import (
    ArtifactCopied,
    ChecksSeen,
    Decided,
    FleetRow,
    FleetSeen,
    LaneFree,
    Outcome,
    PackageSigned,
    RegionHealthy,
    SlotHealthy,
    StepFailed,
)
from core.stages import Stage
from core.state import ManifestFacts
from core.workflow import conclude, decide
from tests.core.support.making import DIGEST, MAKERS, OLD, Making, in_stage
from tests.core.support.tables import kinds, outcome
from tests.core.support.team import ALICE, BO, OMEGA_EU, OMEGA_US, POLICY, PUBLIC_SERVER, START

OUTCOMES: dict[str, tuple[set[str], Outcome]] = {
    "copied": ({"planned"}, ArtifactCopied(DIGEST, 1, ManifestFacts("main"), tested=True)),
    "slot healthy": ({"staging"}, SlotHealthy("http://slot")),
    "check finished": ({"verifying"}, ChecksSeen(1, (e.CheckFinished(1, "Health Check", "passed"),))),
    "lane free": ({"scheduled"}, LaneFree()),
    "packaged": ({"deploying"}, PackageSigned("ab")),
    "region healthy": ({"deploying"}, RegionHealthy("eu", 7, None)),
    "region restored": ({"rolling_back"}, RegionHealthy("eu", 8, None)),
    "mainframes told": ({"distributing"}, FleetSeen("eu", 7, (FleetRow("m1", "ann", "standard", "waiting"),))),
    "step failed": (
        {"planned", "staging", "verifying", "deploying", "distributing", "rolling_back", "rolling_back, untouched"},
        StepFailed("no room on the disk"),
    ),
}


@pytest.mark.parametrize("stage", MAKERS)
@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_counts_in_its_stage_and_is_stale_in_every_other(name: str, stage: str) -> None:
    stages, seen = OUTCOMES[name]
    events = conclude(seen, in_stage(stage).facts())
    assert (kinds(events) == ["OutcomeStale"]) == (stage not in stages), events


@pytest.mark.parametrize("generation", [6, 8])
def test_an_outcome_of_another_generation_is_stale(generation: int) -> None:
    assert kinds(conclude(RegionHealthy("eu", generation, None), in_stage("deploying").facts())) == ["OutcomeStale"]
    told = FleetSeen("eu", generation, ())
    assert kinds(conclude(told, in_stage("distributing").facts())) == ["OutcomeStale"]


def test_a_region_that_switched_is_told_once() -> None:
    making = Making(servers=(PUBLIC_SERVER, OMEGA_EU, OMEGA_US)).scheduled()
    making.then(e.LaneTaken(7, "nonce-of-lane", (("eu", OLD), ("us", None))))
    assert kinds(conclude(RegionHealthy("eu", 7, None), making.facts())) == ["RegionSwitched"]
    making.then(e.RegionSwitched("eu", None))
    assert conclude(RegionHealthy("eu", 7, None), making.facts()) == ()
    last = conclude(RegionHealthy("us", 7, None), making.facts())
    assert kinds(last) == ["RegionSwitched", "DistributionStarted"]


def test_only_the_first_event_is_a_push() -> None:
    making = in_stage("planned")
    with pytest.raises(ValueError, match="Staged before Pushed"):
        evolve(None, e.Staged(None), START, "alice")
    with pytest.raises(ValueError, match="no such way in the table"):
        evolve(making.deployment, e.Completed(START), START, "ashat")


def test_a_retry_in_production_has_a_generation_of_its_own() -> None:
    for stage in ("failed in deploying", "failed in distributing"):
        making = in_stage(stage)
        verdict = decide(c.Retry("v1"), making.facts(ALICE))
        assert isinstance(verdict, Decided)
        (event,) = verdict.events
        assert isinstance(event, e.Retried)
        assert event.generation == making.lane.generation + 1
        after = making.then(event, by=ALICE.id)
        assert (after.lane.generation, after.lane.holder) == (event.generation, "v1#1")


def test_a_failure_that_touched_production_keeps_the_lane_and_a_rollback_gives_it_back() -> None:
    assert in_stage("failed in deploying").lane.holder == "v1#1"
    back = in_stage("failed in deploying").rolling_back()
    assert back.lane.holder == "v1#1"
    done = back.rolled_back()
    assert done.lane.holder is None
    restored = done.lane.running("eu")
    assert restored == replace(OLD, generation=back.deployment.generation)


def test_what_is_beneath_another_is_not_rolled_back() -> None:
    completed = in_stage("completed")
    above = Making(lane=completed.lane).planned("v2").then(
        e.ArtifactFixed("77" * 32, 1, ManifestFacts("main"), tested=True)
    )  # fmt: skip
    facts = completed.facts(BO, siblings=(replace(above.deployment, stage=Stage.DEPLOYING),))
    held = replace(facts, lane=replace(completed.lane, holder="v2#1"))
    assert outcome(decide(c.Rollback("v1"), held)) == (
        "refused | on_top | v2 is on top of v1: it is deploying. `deploy rollback v2` first"
    )
    over = replace(OLD, id="v2", digest="77" * 32)
    buried = replace(facts, siblings=(), lane=replace(completed.lane, current=(("eu", over),)))
    assert outcome(decide(c.Rollback("v1"), buried)) == (
        "refused | on_top | v2 runs on top of v1. `deploy rollback v2` first"
    )


def fleet(**statuses: str) -> FleetSeen:
    rows = tuple(FleetRow(name, f"owner of {name}", "standard", status) for name, status in statuses.items())  # type: ignore[arg-type] # literals
    return FleetSeen("eu", 7, rows)


@pytest.mark.parametrize(
    ("seen", "last"),
    [
        (fleet(), "Completed"),
        (fleet(m1="healthy", m2="asleep", m3="unlicensed", m4="not_included"), "Completed"),
        (fleet(m1="healthy", m2="waiting"), "MainframeChanged"),
        (fleet(m1="healthy", m2="failed"), "Failed"),
        (fleet(m1="waiting", m2="failed"), "Paused"),
    ],
)
def test_how_a_distribution_ends(seen: FleetSeen, last: str) -> None:
    assert kinds(conclude(seen, in_stage("distributing").facts()))[-1] == last


def test_a_threshold_trips_for_new_failures_only() -> None:
    making = in_stage("distributing")
    making.then(*conclude(fleet(m1="waiting", m2="failed", m3="waiting"), making.facts()))
    assert making.deployment.hold is not None
    assert making.deployment.hold.person is None
    making.then(e.Resumed(2), by=ALICE.id)
    assert conclude(fleet(m1="waiting", m2="failed", m3="waiting"), making.facts()) == ()
    assert kinds(conclude(fleet(m1="waiting", m2="failed", m3="failed"), making.facts())) == [
        "MainframeChanged",
        "Paused",
    ]


def test_nothing_completes_while_it_is_held() -> None:
    making = in_stage("distributing").then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    assert "Completed" not in kinds(conclude(fleet(m1="healthy"), making.facts()))
    making.then(e.Resumed(2), by=BO.id)
    assert kinds(conclude(fleet(m1="healthy"), making.facts()))[-1] == "Completed"


def test_a_mainframe_is_late_only_where_nothing_held_it() -> None:
    making = in_stage("distributing").fleet(m1="waiting")
    late = timedelta(seconds=POLICY.receipt_timeout)
    assert kinds(conclude(fleet(m1="waiting"), replace(making.facts(), now=making.now + late))) == [
        "MainframeChanged",
        "Failed",
    ]
    making.then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    assert conclude(fleet(m1="waiting"), replace(making.facts(), now=making.now + late)) == ()
    making.now += late
    making.then(e.Resumed(2), by=BO.id)
    assert conclude(fleet(m1="waiting"), making.facts()) == ()


def ended(run: int, **states: str) -> ChecksSeen:
    names = {"health": "Health Check", "modules": "Module Load Test", "security": "Security Scan"}
    found = tuple(e.CheckFinished(run, names[name], state) for name, state in states.items())  # type: ignore[arg-type] # literals
    return ChecksSeen(run, found)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (ended(1, health="passed", modules="passed", security="passed"), "VerificationPassed"),
        (ended(1, health="passed", modules="skipped", security="not_applicable"), "VerificationPassed"),
        (ended(1, health="passed", modules="passed", security="timed_out"), "VerificationFailed"),
        (ended(1, health="skipped", modules="skipped", security="not_applicable"), "VerificationFailed"),
        (ended(1, health="passed", modules="passed"), "CheckFinished"),
        (ended(2, health="passed", modules="passed", security="passed"), "OutcomeStale"),
    ],
)
def test_a_verdict_needs_every_check_and_one_that_passed(seen: ChecksSeen, verdict: str) -> None:
    assert kinds(conclude(seen, in_stage("verifying").facts()))[-1] == verdict


@pytest.mark.parametrize("state", ["skipped", "not_applicable", "failed"])
def test_a_minimum_check_must_have_run_and_passed(state: str) -> None:
    making = in_stage("staged")
    making.policy = replace(POLICY, minimum_checks={"main": ("security",)})
    verdict = decide(c.Verify("v1"), making.facts(ALICE))
    assert isinstance(verdict, Decided)
    making.then(*verdict.events, by=ALICE.id)  # type: ignore[arg-type] # all of one deployment
    last = conclude(ended(1, health="passed", modules="passed", security=state), making.facts())[-1]
    assert last == e.VerificationFailed(1, ("Security Scan",))
