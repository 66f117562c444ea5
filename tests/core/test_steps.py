"""What comes next on the servers, for each stage and everything that a look can find there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core import effects as fx
from core import events as e
from core import say
from core import steps as s
from core.attestation import Attestation
from core.facts import (
    ArtifactCopied,
    BaselineRuns,
    ChecksSeen,
    Elapsed,
    Facts,
    FleetSeen,
    HealthSeen,
    LaneFree,
    PackageSigned,
    RegionHealthy,
    SlotGone,
    SlotHealthy,
    StatementSigned,
    StepFailed,
    VotesStale,
)
from core.release.wire import (
    About,
    CheckReport,
    ComponentState,
    DistributionState,
    MainframeState,
    Report,
    SlotState,
    State,
)
from core.stages import Stage
from core.state import PUBLIC, ReleaseRef
from core.workflow import conclude, due
from tests.core.support.making import DIGEST, OLD, Making, in_stage, made
from tests.core.support.team import BO, OMEGA_EU, OMEGA_US, POLICY, PUBLIC_SERVER, START

POLL = 2.0
EU = "omega/eu"
US = "omega/us"
OTHER = "77" * 32
AWAY = "no route to it"


def step(making: Making, seen: fx.Observed | None = None, **changes: Any) -> fx.Step:
    facts = replace(making.facts(), **{"now": making.now - timedelta(minutes=1), **changes})
    return s.next_step(making.deployment, seen or fx.Observed(), facts, POLL)


def host(place: str = PUBLIC, slots: tuple[SlotState, ...] = (), *components: ComponentState) -> fx.Observed:
    role = "public" if place == PUBLIC else "omega"
    about = About(version="1", role=role, name=place, public_key="0" * 64, now=START)
    return fx.Observed(states={place: State(about=about, url=None, components=components, slots=slots, free_bytes=1)})


def away(place: str) -> fx.Observed:
    return fx.Observed(away={place: AWAY})


def slot(status: str, nonce: str = "nonce-of-push", digest: str = DIGEST) -> SlotState:
    return SlotState(slot="v1.1", component="main", digest=digest, deployment="v1", attempt=1, status=status,
                     url="http://slot", nonce=nonce, error="it died", since=START)  # fmt: skip


def component(
    status: str, generation: int, running: str | None = DIGEST, wanted: str | None = DIGEST
) -> ComponentState:
    error = "port taken" if status in ("failed", "crashed") else None
    return ComponentState(component="main", generation=generation, wanted=wanted, running=running, status=status,
                          url="https://eu", error=error, since=START)  # fmt: skip


def uploaded(seen: fx.Observed, place: str, digest: str = DIGEST) -> fx.Observed:
    return replace(seen, uploaded=frozenset({(place, digest)}))


# -- to Public ---------------------------------------------------------------------------------------------------------


def test_planned_copies_the_file_that_was_pushed() -> None:
    planned = in_stage("planned")
    assert step(planned) == fx.Copy("v1", "v1.tar.gz")
    copied = ArtifactCopied(DIGEST, 5, planned.deployment.manifest, tested=True)
    assert step(planned, fx.Observed(copied=copied)) == copied


STAGING = {
    "not looked at": (fx.Observed(), fx.Look(PUBLIC)),
    "away": (away(PUBLIC), fx.Wait(POLL, f"public does not answer: {AWAY}")),
    "absent": (host(), fx.Upload(PUBLIC, DIGEST)),
    "withdrawn": (host(PUBLIC, (slot("withdrawn"),)), fx.Upload(PUBLIC, DIGEST)),
    "of an act before": (host(PUBLIC, (slot("failed", nonce="nonce-of-before"),)), fx.Upload(PUBLIC, DIGEST)),
    "of another digest": (host(PUBLIC, (slot("healthy", digest=OTHER),)), fx.Upload(PUBLIC, DIGEST)),
    "preparing": (host(PUBLIC, (slot("preparing"),)), fx.Wait(POLL)),
    "starting": (host(PUBLIC, (slot("starting"),)), fx.Wait(POLL)),
    "healthy": (host(PUBLIC, (slot("healthy"),)), SlotHealthy("http://slot")),
    "failed": (host(PUBLIC, (slot("failed"),)), StepFailed("it died")),
    "crashed": (host(PUBLIC, (slot("crashed"),)), StepFailed("it died")),
}


@pytest.mark.parametrize("found", STAGING)
def test_staging(found: str) -> None:
    seen, wanted = STAGING[found]
    assert step(in_stage("staging"), seen) == wanted


def test_staging_puts_the_slot_once_the_bytes_are_there() -> None:
    put = step(in_stage("staging"), uploaded(host(), PUBLIC))
    assert isinstance(put, fx.PutSlot)
    release = put.release
    assert (put.slot, release.purpose, release.digest, release.generation) == ("v1.1", "stage", DIGEST, 0)
    assert release.nonce == "nonce-of-push"


def test_staging_believes_the_answer_above_the_look() -> None:
    seen = replace(host(), slots={PUBLIC: slot("healthy")})
    assert step(in_stage("staging"), seen) == SlotHealthy("http://slot")


# -- the checks --------------------------------------------------------------------------------------------------------


def report(**states: str) -> fx.Observed:
    names = {"health": "Health Check", "modules": "Module Load Test", "security": "Security Scan"}
    checks = tuple(CheckReport(name=names[name], state=state) for name, state in states.items())
    told = Report(
        digest=DIGEST, deployment="v1", attempt=1, run=1, nonce="nonce-of-run-1", finished=False, checks=checks
    )
    return fx.Observed(reports={1: told})


def test_verifying_looks_first() -> None:
    assert step(in_stage("verifying")) == fx.LookReport(PUBLIC, "v1.1", 1)
    assert step(in_stage("verifying"), away(PUBLIC)) == fx.Wait(POLL, f"Public does not answer: {AWAY}")


def test_verifying_brings_the_baseline_up_before_it_starts_the_checks() -> None:
    unasked = fx.Observed(reports={1: None})
    verifying = in_stage("verifying")
    assert step(verifying, unasked) == fx.Look(PUBLIC)
    assert step(verifying, replace(host(), reports={1: None})) == fx.Upload(PUBLIC, OLD.digest)
    desired = step(verifying, replace(uploaded(host(), PUBLIC, OLD.digest), reports={1: None}))
    assert isinstance(desired, fx.Desire)
    assert (desired.release.digest, desired.release.generation) == (OLD.digest, OLD.generation)


@pytest.mark.parametrize(
    ("status", "running", "baseline"),
    [("healthy", OLD.digest, OLD.digest), ("failed", OTHER, None), ("crashed", OLD.digest, None)],
)
def test_verifying_starts_the_checks_with_the_baseline_that_runs(
    status: str, running: str, baseline: str | None
) -> None:
    seen = replace(host(PUBLIC, (), component(status, OLD.generation, running, OLD.digest)), reports={1: None})
    start = step(in_stage("verifying"), seen)
    assert isinstance(start, fx.StartChecks)
    assert start.wanted.baseline == baseline
    assert (start.wanted.run, start.wanted.digest, start.wanted.nonce) == (1, DIGEST, "nonce-of-run-1")
    assert [check.name for check in start.wanted.checks] == [rule.name for rule in POLICY.checks]
    switching = replace(host(PUBLIC, (), component("switching", OLD.generation)), reports={1: None})
    assert step(in_stage("verifying"), switching) == fx.Wait(POLL)


def test_verifying_needs_no_baseline_where_nothing_runs() -> None:
    verifying = in_stage("verifying")
    verifying.lane = replace(verifying.lane, current=(), generation=0)
    assert isinstance(step(verifying, replace(host(), reports={1: None})), fx.StartChecks)
    verifying.lane = replace(verifying.lane, generation=7)
    assert isinstance(step(verifying, replace(host(), reports={1: None})), fx.StartChecks)


def test_verifying_hands_on_what_has_finished_and_only_that() -> None:
    assert step(in_stage("verifying"), report(health="running", modules="waiting")) == fx.Wait(POLL)
    news = step(in_stage("verifying"), report(health="passed", modules="running", security="failed"))
    assert news == ChecksSeen(
        1, (e.CheckFinished(1, "Health Check", "passed"), e.CheckFinished(1, "Security Scan", "failed"))
    )
    known = in_stage("verifying").then(e.CheckFinished(1, "Health Check", "passed"))
    assert step(known, report(health="passed", modules="waiting")) == fx.Wait(POLL)


# -- people and the queue ----------------------------------------------------------------------------------------------


def test_awaiting_approval_looks_only_at_the_votes() -> None:
    voted = in_stage("awaiting_approval").vote(BO)
    assert step(voted) == fx.Wait(None)
    voted.lane = replace(voted.lane, current=(("eu", None),))
    assert step(voted) == VotesStale()


def test_scheduled_takes_the_lane_when_its_turn_has_come() -> None:
    scheduled = in_stage("scheduled")
    assert step(scheduled) == LaneFree()
    scheduled.lane = replace(scheduled.lane, holder="v9#1")
    assert step(scheduled) == fx.Wait(None, "its turn has not come")
    held = in_stage("scheduled").then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    assert step(held) == fx.Wait(None, "its turn has not come")


# -- OMEGA -------------------------------------------------------------------------------------------------------------


def test_deploying_packages_first() -> None:
    deploying = in_stage("deploying")
    package = step(deploying)
    assert isinstance(package, fx.Package)
    assert (package.place, package.release.digest, package.release.generation) == (EU, DIGEST, 7)
    assert step(deploying, fx.Observed(package=PackageSigned("ab"))) == PackageSigned("ab")


def packaged() -> Making:
    return in_stage("deploying").then(e.Packaged("cd" * 32))


BY_ANOTHER = (
    f"OMEGA eu was given {say.digest(OTHER)} by another, as generation {{}}; this is 7. "
    "The next try goes above it: make sure that nothing is lost by that"
)
SWITCH = {
    "not looked at": (fx.Observed(), fx.Look(EU)),
    "away": (away(EU), fx.Wait(POLL, f"omega/eu does not answer: {AWAY}")),
    "runs nothing": (host(EU), fx.Upload(EU, DIGEST)),
    "runs an older generation": (host(EU, (), component("healthy", 6, OLD.digest, OLD.digest)), fx.Upload(EU, DIGEST)),
    "given something newer": (
        host(EU, (), component("healthy", 8, OTHER, OTHER)),
        StepFailed(BY_ANOTHER.format(8), "eu", 8),
    ),
    "given what cannot be": (
        host(EU, (), component("healthy", 8 + 10**6, OTHER, OTHER)),
        StepFailed("OMEGA eu tells of a generation that no backup explains; is it still yours?", "eu"),
    ),
    "given something else by that number": (
        host(EU, (), component("healthy", 7, OTHER, OTHER)),
        StepFailed(BY_ANOTHER.format(7), "eu", 7),
    ),
    "switching": (host(EU, (), component("switching", 7, OLD.digest)), fx.Wait(POLL)),
    "healthy": (host(EU, (), component("healthy", 7)), RegionHealthy("eu", 7, "https://eu")),
    "healthy with another": (host(EU, (), component("healthy", 7, OLD.digest)), fx.Wait(POLL)),
    "failed": (host(EU, (), component("failed", 7, OLD.digest)), StepFailed("OMEGA eu: port taken", "eu")),
    "crashed": (host(EU, (), component("crashed", 7)), StepFailed("OMEGA eu: port taken", "eu")),
    "offline": (host(EU, (), component("offline", 7, None)), fx.Wait(POLL)),
}


@pytest.mark.parametrize("found", SWITCH)
def test_deploying(found: str) -> None:
    seen, wanted = SWITCH[found]
    assert step(packaged(), seen) == wanted


def test_deploying_asks_for_the_release_once_the_bytes_are_there() -> None:
    desire = step(packaged(), uploaded(host(EU), EU))
    assert isinstance(desire, fx.Desire)
    release = desire.release
    assert (release.purpose, release.digest, release.generation, release.nonce) == (
        "desired",
        DIGEST,
        7,
        "nonce-of-lane",
    )


def test_a_held_one_begins_nothing_further_and_still_looks_at_what_has_begun() -> None:
    held = packaged().then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    assert step(held, host(EU)) == fx.Wait(None, "paused")
    assert isinstance(step(held, host(EU, (), component("healthy", 7))), RegionHealthy)


def two_regions() -> Making:
    making = Making(servers=(PUBLIC_SERVER, OMEGA_EU, OMEGA_US)).scheduled()
    return making.then(e.LaneTaken(7, "nonce-of-lane", (("eu", OLD), ("us", None))), e.Packaged("cd" * 32))


def test_no_region_waits_for_another() -> None:
    both = two_regions()
    assert step(both, away(EU)) == fx.Look(US)
    seen = replace(host(US, (), component("healthy", 7)), away={EU: AWAY})
    assert step(both, seen) == RegionHealthy("us", 7, "https://eu")
    one = both.then(e.RegionSwitched("us", None))
    assert step(one, seen) == fx.Wait(POLL, f"omega/eu does not answer: {AWAY}")


# -- mainframes --------------------------------------------------------------------------------------------------------


def told(generation: int = 7, **statuses: str) -> fx.Observed:
    rows = tuple(
        MainframeState(name=name, owner=f"owner of {name}", tier="standard", licence_until=None, status=status,
                       running=None, generation=0, last_seen=None, error="it died" if status == "failed" else None)
        for name, status in statuses.items()
    )  # fmt: skip
    state = DistributionState(
        component="main", generation=generation, digest=DIGEST, hold=False, order=0, mainframes=rows
    )
    return fx.Observed(distributions={EU: state})


def test_distributing_asks_each_region_with_the_hold_of_now() -> None:
    ask = step(in_stage("distributing"))
    assert isinstance(ask, fx.Distribute)
    assert (ask.place, ask.release.digest, ask.release.generation, ask.hold, ask.order) == (EU, DIGEST, 7, False, 0)
    held = in_stage("distributing").then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    again = step(held)
    assert isinstance(again, fx.Distribute)
    assert (again.hold, again.order) == (True, 1)
    assert step(in_stage("distributing"), away(EU)) == fx.Wait(POLL, f"OMEGA eu does not answer: {AWAY}")


@pytest.mark.parametrize("status", ["healthy", "waiting", "failed", "asleep", "unlicensed", "not_included"])
def test_distributing_hands_on_how_the_mainframes_stand(status: str) -> None:
    seen = step(in_stage("distributing"), told(m1=status))
    assert isinstance(seen, FleetSeen)
    assert [(row.name, row.status) for row in seen.rows] == [("m1", status)]


def test_what_is_known_already_is_no_news() -> None:
    known = in_stage("distributing").fleet(m1="healthy", m2="asleep")
    seen = step(known, told(m1="healthy", m2="waiting"))
    assert isinstance(seen, FleetSeen)
    fruitless = replace(told(m1="healthy", m2="waiting"), fruitless=(seen,))
    assert step(known, fruitless) == fx.Wait(POLL)


def test_that_nobody_is_waited_for_is_news_as_long_as_it_is_not_the_end_of_it() -> None:
    """What was seen while it was held is seen again afterwards: it completes by that."""
    known = in_stage("distributing").fleet(m1="healthy", m2="asleep")
    assert isinstance(step(known, told(m1="healthy", m2="asleep")), FleetSeen)
    held = known.then(e.Paused("paused by Bo", automatic=False, order=1))
    assert step(held, told(m1="healthy", m2="asleep")) == fx.Wait(POLL)


# -- back --------------------------------------------------------------------------------------------------------------


def test_rolling_back_on_public_withdraws_the_slot() -> None:
    back = in_stage("rolling_back, untouched")
    assert step(back) == fx.Withdraw(PUBLIC, "v1.1")
    assert step(back, fx.Observed(withdrawn=True)) == SlotGone()
    assert step(back, away(PUBLIC)) == fx.Wait(POLL, f"Public does not answer: {AWAY}")


def test_rolling_back_production_returns_to_what_was_recorded() -> None:
    back = in_stage("rolling_back")
    assert step(back) == fx.Look(EU)
    now = host(EU, (), component("healthy", 7))
    assert step(back, now) == fx.Upload(EU, OLD.digest)
    desire = step(back, uploaded(now, EU, OLD.digest))
    assert isinstance(desire, fx.Desire)
    release = desire.release
    assert (release.digest, release.generation, release.deployment) == (OLD.digest, 8, "v0")
    there = host(EU, (), component("healthy", 8, OLD.digest, OLD.digest))
    assert step(back, there) == RegionHealthy("eu", 8, "https://eu")
    restored = back.then(e.RegionRestored("eu"))
    ask = step(restored)
    assert isinstance(ask, fx.Distribute)
    assert (ask.release.digest, ask.release.generation) == (OLD.digest, 8)
    assert isinstance(step(restored, told(8, m1="healthy")), FleetSeen)


def test_rolling_back_the_first_release_takes_the_component_offline() -> None:
    making = Making(lane=replace(in_stage("planned").lane, current=())).completed().rolling_back()
    desire = step(making, host(EU, (), component("healthy", 7)))
    assert isinstance(desire, fx.Desire)
    assert desire.release.digest is None
    assert step(making, host(EU, (), component("offline", 8, None, None))) == RegionHealthy("eu", 8, None)


# -- what outlives the stage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["rejected", "cancelled", "rollback_failed, untouched"])
def test_a_slot_that_is_left_over_is_withdrawn(stage: str) -> None:
    assert step(in_stage(stage)) == fx.Withdraw(PUBLIC, "v1.1")
    gone = in_stage(stage).then(e.SlotWithdrawn())
    assert step(gone) == fx.Wait(None)


def test_after_completion_the_statement_is_signed_first_with_the_facts_of_the_completion() -> None:
    making = Making().distributing().fleet(m1="healthy", m2="asleep").then(e.Completed(START))
    effect = step(making)
    assert isinstance(effect, fx.Attest)
    said = Attestation.model_validate(effect.unattested)
    assert (said.digest, said.generation, said.completed_at) == (DIGEST, 7, making.deployment.stage_since)
    assert [check.result for check in said.verification.checks] == ["passed"] * 3
    assert [vote.person for vote in said.votes] == [vote.person for vote in making.deployment.votes] != []
    assert [(row.region, row.receipts, row.mainframes) for row in said.regions] == [
        ("eu", 1, {"asleep": 1, "healthy": 1})
    ]
    rolled = making.rolling_back().rolled_back()
    assert step(rolled) == effect, "a rollback in between changes nothing of what is stated"
    signed = StatementSigned({"payload": ""}, "cd" * 32, "key")
    assert step(making, fx.Observed(statement=signed)) == signed
    (event,) = conclude(signed, rolled.facts())
    assert event == e.Attested("cd" * 32, "key", {"payload": ""})
    assert conclude(signed, rolled.then(event).facts()) == ()


def test_after_completion_the_baseline_follows_then_the_slot_goes() -> None:
    completed = in_stage("completed")
    assert step(completed) == fx.Look(PUBLIC)
    assert step(completed, host()) == fx.Upload(PUBLIC, DIGEST)
    assert isinstance(step(completed, uploaded(host(), PUBLIC)), fx.Desire)
    assert step(completed, host(PUBLIC, (), component("healthy", 7))) == BaselineRuns()
    assert step(completed.then(e.BaselineSet())) == fx.Withdraw(PUBLIC, "v1.1")


def watched() -> Making:
    making = in_stage("completed").then(e.BaselineSet(), e.SlotWithdrawn())
    making.now -= timedelta(minutes=1)
    return making


WATCH = {
    "not looked at": (fx.Observed(), fx.Look(EU)),
    "well": (host(EU, (), component("healthy", 7)), fx.Wait(s.POLL_SLOW)),
    "crashed": (host(EU, (), component("crashed", 7)), HealthSeen("eu", False, "OMEGA eu: port taken")),
    "away for once": (away(EU), fx.Wait(s.POLL_SLOW)),
    "away again": (
        replace(away(EU), missed=frozenset({EU})),
        HealthSeen("eu", False, f"OMEGA eu does not answer: {AWAY}", silent=True),
    ),
    "forgotten": (host(EU), HealthSeen("eu", False, "OMEGA eu no longer runs v1")),
    "another on its way": (host(EU, (), component("switching", 8, DIGEST, OTHER)), fx.Wait(s.POLL_SLOW)),
    "another failed there": (host(EU, (), component("failed", 8, DIGEST, OTHER)), fx.Wait(s.POLL_SLOW)),
    "another runs": (host(EU, (), component("healthy", 8, OTHER, OTHER)), fx.Wait(s.POLL_SLOW)),
}


@pytest.mark.parametrize("found", WATCH)
def test_production_is_watched_after_completion(found: str) -> None:
    seen, wanted = WATCH[found]
    assert step(watched(), seen) == wanted


def test_what_another_release_replaced_is_watched_no_more() -> None:
    """A restart of its agent would ask for a rollback of each that completed lately."""
    making = watched()
    newer = replace(making.lane, current=(("eu", ReleaseRef("v2", 1, OTHER, 8)),))
    silent = replace(away(EU), missed=frozenset({EU}))
    assert isinstance(step(making, silent), HealthSeen)
    assert step(making, silent, lane=newer) == fx.Wait(s.POLL_SLOW)


def test_worse_health_is_told_once_and_so_is_its_end() -> None:
    unwell = watched().then(e.HealthWorsened("eu", "it crashed"))
    unwell.now -= timedelta(minutes=1)
    assert step(unwell, host(EU, (), component("crashed", 7))) == fx.Wait(s.POLL_SLOW)
    assert step(unwell, host(EU, (), component("healthy", 7))) == HealthSeen("eu", True)


def test_the_watch_ends() -> None:
    done = watched()
    assert step(done, now=done.now + timedelta(seconds=POLICY.watch)) == fx.Wait(None)


# -- deadlines ---------------------------------------------------------------------------------------------------------

DEADLINES = {
    "planned": 600, "staging": 600, "verifying": 600, "deploying": 600, "distributing": 600, "rolling_back": 600,
    "rolling_back, untouched": 600,
}  # fmt: skip


@pytest.mark.parametrize("stage", made())
def test_a_stage_that_takes_too_long_has_failed(stage: str) -> None:
    making = in_stage(stage)
    deadline = due(making.deployment, POLICY)
    assert (deadline is not None) == (stage in DEADLINES)
    if deadline is not None:
        assert (deadline - making.deployment.stage_since).total_seconds() == DEADLINES[stage]
        assert step(making, now=deadline) == Elapsed()
        assert step(making, now=deadline - timedelta(seconds=1)) != Elapsed()


def test_a_hold_stops_the_clock() -> None:
    held = packaged().then(e.Paused("wait", automatic=False, order=1), by=BO.id)
    assert due(held.deployment, POLICY) is None
    held.now += timedelta(hours=5)
    resumed = held.then(e.Resumed(2), by=BO.id)
    limit = due(resumed.deployment, POLICY)
    assert limit is not None
    assert limit - resumed.deployment.moving_since == timedelta(seconds=POLICY.deploy_timeout)
    assert step(resumed) == fx.Look(EU)


@pytest.mark.parametrize("stage", made())
def test_where_there_is_work_there_is_a_step(stage: str) -> None:
    """What the reconciler is woken for is what leads to a step, and nothing else does."""
    making = in_stage(stage)
    facts: Facts = replace(making.facts(), now=making.now - timedelta(minutes=1))
    waits = s.next_step(making.deployment, fx.Observed(), facts, POLL) == fx.Wait(None)
    assert s.has_work(making.deployment, facts.now, POLICY) == (not waits)
    assert making.deployment.stage in Stage
