"""Verification runs where Public's memory goes beyond the bot's, as after a restore from a backup."""

from __future__ import annotations

from datetime import timedelta

from core import commands as c
from core import events as e
from core.announce import announce
from core.facts import RunTaken
from core.moments import flat
from core.release.wire import CheckWanted, VerificationWanted
from core.stages import Stage
from core.state import Deployment, ManifestFacts
from core.views.card import deployment_card
from tests.core.support import laws
from tests.core.support.servers import Run
from tests.core.support.team import ALICE
from tests.core.support.world import World, digest_of

CHECK = CheckWanted(name="Health Check", kind="health", timeout=30)


def told_of_before(*runs: int) -> World:
    """`v1` is staged, and Public has these runs of it, all passed, of which the bot knows nothing."""
    world = World(updates={"v1": ManifestFacts("main")})
    laws.watch(world)
    world.done(ALICE, c.Push("v1", "some change"))
    world.settle()
    for run in runs:
        wanted = VerificationWanted(
            digest=digest_of("v1"), deployment="v1", attempt=1, run=run, nonce=f"of-another-{run}", checks=(CHECK,),
            address="https://public.test",
        )  # fmt: skip
        world.public.runs["v1.1", run] = Run(wanted, {"Health Check": "passed"})
    return world


def v1(world: World) -> Deployment:
    return world.deployments["v1#1"]


def test_the_next_free_number_is_taken_and_what_another_run_found_counts_for_nothing() -> None:
    world = told_of_before(1, 2, 3)
    world.done(ALICE, c.Verify("v1"))
    begun = v1(world).verification
    assert begun is not None
    world.public.endings["Security Scan"] = "failed"
    world.settle()
    run = v1(world).verification
    assert run is not None
    assert (run.run, run.passed, run.requested_by) == (4, False, "alice")
    assert [check.state for check in run.checks] == ["passed", "passed", "failed"]
    assert run.deadline == begun.deadline
    started = [event for event in world.events("v1#1") if isinstance(event, e.VerificationStarted)]
    assert [event.run for event in started] == [1, 2, 3, 4]
    assert len({event.nonce for event in started}) == 4
    laws.hold(world)
    laws.journal_gives_the_state(world)


def test_it_ends_with_the_first_deadline_whatever_public_goes_on_to_tell() -> None:
    world = told_of_before()
    world.done(ALICE, c.Verify("v1"))
    for _ in range(3):
        world.observe("v1#1", RunTaken(v1(world).runs))
    world.now += timedelta(seconds=world.policy.verification_timeout)
    world.settle()
    assert (v1(world).stage, v1(world).runs) == (Stage.FAILED, 4)


def test_one_of_an_earlier_number_comes_too_late() -> None:
    world = told_of_before(1)
    world.done(ALICE, c.Verify("v1"))
    assert [type(event) for event in world.observe("v1#1", RunTaken(1))] == [e.VerificationStarted]
    assert [type(event) for event in world.observe("v1#1", RunTaken(1))] == [e.OutcomeStale]


def test_where_the_checks_could_not_be_carried_out_nobody_is_sent_to_mend_the_update() -> None:
    world = told_of_before()
    world.done(ALICE, c.Verify("v1"))
    world.public.staged["v1.1"].status = "withdrawn"
    world.settle()
    d = v1(world)
    assert (d.stage, d.failed_in) == (Stage.FAILED, Stage.VERIFYING)
    card = [flat(str(line)) for line in deployment_card(d, world.facts(None, d), "UTC").lines]
    text = "\n".join(card)
    assert "The checks could not be carried out" in text
    assert "Next: `deploy verify v1`" in text
    assert "ALPHA" not in text
    failed = next(event for event in world.events("v1#1") if isinstance(event, e.Failed))
    told = announce(failed, d, world.facts(None, d))
    assert all(message.card.lines[-1] == "Next: `deploy verify v1`" for message in told)
