"""Regions of OMEGA that come and go: mistyped, burnt down, taken out, and one server that is told of twice."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import pytest

from core import commands as c
from core import events as e
from core.announce import announce
from core.facts import Decided, Facts, Refused
from core.phases.configure import configure
from core.ports import Probe, ServerFault
from core.release.wire import About, State
from core.stages import Stage
from core.state import Deployment, Lane, ManifestFacts, ReleaseRef, Server
from core.views.answers import AlphaSeen, status
from core.views.card import deployment_card
from tests.core.support import laws
from tests.core.support.servers import Omega
from tests.core.support.team import ALICE, BO, CY, EVE, HOME, OMEGA_EU, OMEGA_US, POLICY, START, VI
from tests.core.support.world import World, digest_of, fleet

EUE = c.Configure("omega", "https://eue.omega.test", "Prod", "eue")


class Nobody(Omega):
    """As settings without a token for it: there is nothing to be asked, now and later."""

    def state(self) -> State:
        raise ServerFault("settings hold no token for https://eue.omega.test", temporary=False)


def world_with(*, mistyped: bool = True) -> World:
    world = World(updates=dict.fromkeys(("v1", "v2", "v3"), ManifestFacts("main")))
    laws.watch(world)
    ship(world, "v1")
    if mistyped:
        world.omegas["eue"] = Nobody(name="eue")
        world.done(EVE, EUE)
    return world


def prove(world: World, update: str) -> None:
    world.done(ALICE, c.Push(update, "some change"))
    world.settle(500)
    world.done(ALICE, c.Verify(update))
    world.settle(500)


def ship(world: World, update: str) -> None:
    prove(world, update)
    world.done(BO, c.Approve(update))
    world.done(CY, c.Approve(update))
    world.settle(500)


def of(world: World, update: str) -> Deployment:
    return world.deployments[f"{update}#1"]


def runs(world: World, region: str) -> str | None:
    return world.omegas[region].running.get("main")


def holds(world: World) -> None:
    laws.hold(world)
    laws.journal_gives_the_state(world)


# -- a mistyped region -------------------------------------------------------------------------------------------------


def test_a_rollback_ends_well_without_a_region_that_was_asked_for_nothing() -> None:
    world = world_with()
    ship(world, "v2")
    assert (of(world, "v2").stage, of(world, "v2").failed_in) == (Stage.FAILED, Stage.DEPLOYING)
    assert world.omegas["eu"].wanted["main"].digest == digest_of("v2")
    assert of(world, "v2").unasked == ("eue",)
    says = world.done(ALICE, c.Rollback("v2"))
    assert says == (
        "Rolling v2 back: OMEGA eu returns to v1; OMEGA eue had nothing before, so it goes offline",
        "OMEGA eue was given nothing of it so far; left alone if it does not answer",
    )
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLED_BACK
    assert runs(world, "eu") == digest_of("v1")
    assert world.lanes["main"].holder is None
    holds(world)


def test_so_does_one_where_the_region_was_only_silent() -> None:
    world = world_with()
    world.omegas["eue"] = Omega(name="eue", away=True)
    ship(world, "v2")
    assert of(world, "v2").stage is Stage.FAILED
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLED_BACK
    holds(world)


def test_where_no_region_was_asked_only_the_slot_is_undone_and_the_lane_is_free() -> None:
    world = world_with(mistyped=False)
    world.omegas["aa"] = Nobody(name="aa")
    world.done(EVE, replace(EUE, region="aa"))
    ship(world, "v2")
    assert of(world, "v2").unasked == ("aa", "eu")
    says = world.done(ALICE, c.Rollback("v2"))
    assert says[1] == "OMEGA aa and OMEGA eu were given nothing of it so far; left alone if it does not answer"
    world.omegas["eu"].away = True
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLED_BACK
    assert world.outbox[-1].card.lines == ("Nothing was pushed to OMEGA",)
    assert (world.lanes["main"].holder, runs(world, "eu")) == (None, digest_of("v1"))
    holds(world)


def test_a_region_whose_answer_was_lost_counts_as_asked_and_has_to_be_restored() -> None:
    """It may run the release: the program died after it had asked, and before it heard anything."""
    world = world_with(mistyped=False)
    prove(world, "v2")
    world.done(BO, c.Approve("v2"))
    world.done(CY, c.Approve("v2"))
    steps = 0
    while runs(world, "eu") != digest_of("v2"):
        steps += 1
        world.look("v2#1", killed_after=steps)
    assert of(world, "v2").unasked == ()
    world.omegas["eu"].away = True
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLBACK_FAILED
    world.omegas["eu"].away = False
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert (of(world, "v2").stage, runs(world, "eu")) == (Stage.ROLLED_BACK, digest_of("v1"))
    holds(world)


def test_journals_of_before_count_every_region_as_asked() -> None:
    world = world_with()
    ship(world, "v2")
    taken = next(event for event in world.events("v2#1") if isinstance(event, e.LaneTaken))
    assert taken.asks
    assert not e.LaneTaken(1, "nonce", (("eu", None),)).asks


def test_a_region_with_nothing_in_it_can_be_configured_anew_and_the_same_update_goes_on() -> None:
    world = world_with()
    ship(world, "v2")
    world.omegas["eue"] = Omega(name="eue")
    world.done(EVE, replace(EUE, url="https://right.omega.test"))
    world.done(ALICE, c.Retry("v2"))
    world.settle(500)
    assert of(world, "v2").stage is Stage.COMPLETED
    assert runs(world, "eue") == digest_of("v2")
    holds(world)


def test_the_next_in_the_queue_expects_what_the_region_runs() -> None:
    """A rollback leaves alone what was given nothing, so a vote is for what runs there still."""
    world = world_with(mistyped=False)
    world.omegas["us"] = Omega(name="us")
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "US", "us"))
    ship(world, "v2")
    world.omegas["us"].away = True
    ship(world, "v3")
    assert (of(world, "v3").stage, of(world, "v3").unasked) == (Stage.FAILED, ("us",))
    world.updates["v4"] = ManifestFacts("main")
    prove(world, "v4")
    world.done(ALICE, c.Rollback("v3"))
    world.now += timedelta(seconds=1)
    world.done(BO, c.Approve("v4"))
    world.settle(500)
    assert of(world, "v3").stage is Stage.ROLLED_BACK
    assert [vote.person for vote in of(world, "v4").votes] == ["bo"]


# -- taking one out ----------------------------------------------------------------------------------------------------


def test_a_mistyped_region_is_taken_out_and_everybody_hears_of_it() -> None:
    world = world_with()
    ship(world, "v2")
    says = world.done(EVE, c.Unconfigure("EUE"))
    assert says == (
        "OMEGA eue is taken out: Prod at https://eue.omega.test. Nothing goes there any more",
    )  # fmt: skip
    assert [server.place for server in world.servers if server.role == "omega"] == ["omega/eu"]
    assert world.outbox[-1].card.title == (
        "Eve Poe took OMEGA eue out: Prod at https://eue.omega.test. Nothing goes there any more"
    )
    refused = world.refused(ALICE, c.Retry("v2"))
    assert refused.why == (
        "OMEGA eue was taken out since, and v2 was approved for it too. `deploy rollback v2`, and push it again"
    )
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLED_BACK
    ship(world, "v3")
    assert (of(world, "v3").stage, of(world, "v3").regions) == (Stage.COMPLETED, ("eu",))
    holds(world)


def test_votes_for_a_region_that_is_taken_out_fall() -> None:
    world = world_with()
    prove(world, "v2")
    world.done(BO, c.Approve("v2"))
    world.done(EVE, c.Unconfigure("eue"))
    world.settle(500)
    assert of(world, "v2").votes == ()


def test_what_runs_or_may_run_stays_in() -> None:
    world = world_with(mistyped=False)
    refused = world.refused(EVE, c.Unconfigure("eu"))
    assert refused.why == (
        "OMEGA eu runs v1 (main), so it stays. `deploy configure omega <url> <name> --region eu` puts another server "
        "in its place"
    )
    assert world.refused(EVE, c.Unconfigure("us")).why == "OMEGA has no region us; there are eu. `deploy servers`"
    assert world.refused(VI, c.Unconfigure("eu")).code == "role"
    world.omegas["us"] = Omega(name="us", breaks=True)
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "US", "us"))
    ship(world, "v2")
    assert world.refused(EVE, c.Unconfigure("us")).why == (
        "v2 (failed) has something on OMEGA us. Finish it, or `deploy rollback v2`, first"
    )
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    world.done(EVE, c.Unconfigure("us"))
    holds(world)


def test_a_region_that_is_about_to_be_asked_stays_in() -> None:
    world = world_with(mistyped=False)
    world.omegas["us"] = Omega(name="us", away=True)
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "US", "us"))
    prove(world, "v2")
    world.done(BO, c.Approve("v2"))
    world.done(CY, c.Approve("v2"))
    world.tick()
    assert of(world, "v2").stage is Stage.DEPLOYING
    assert world.refused(EVE, c.Unconfigure("us")).code == "in_use"
    assert world.refused(EVE, c.Configure("omega", "https://other.test", "US", "us")).code == "in_use"
    world.done(EVE, c.Configure("omega", "https://new.test", "AP", "ap"))  # nothing of it goes there


# -- burnt down --------------------------------------------------------------------------------------------------------


def test_a_rollback_goes_on_at_another_server_where_the_old_one_is_gone_for_good() -> None:
    world = world_with(mistyped=False)
    ship(world, "v2")
    world.omegas["eu"].away = True
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert of(world, "v2").stage is Stage.ROLLBACK_FAILED
    world.omegas["eu"] = Omega(name="eu")
    assert world.refused(EVE, c.Unconfigure("eu")).code == "runs"
    says = world.done(EVE, c.Configure("omega", "https://new.omega.test", "New", "eu"))
    assert says[-1] == (
        "Warning: v2 may still run at https://eu.omega.test, where nothing looks any more. "
        "`deploy rollback v2` goes on here"
    )
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert (of(world, "v2").stage, runs(world, "eu")) == (Stage.ROLLED_BACK, digest_of("v1"))


# -- which region, which server ----------------------------------------------------------------------------------------


def test_where_there_are_regions_one_is_asked_for_by_name() -> None:
    world = world_with()
    refused = world.refused(EVE, c.Configure("omega", "https://new.omega.test", "New"))
    assert refused.why == (
        "Which region? There is `--region eu` or `--region eue`; another name adds a region. `deploy servers`"
    )
    alone = World()
    alone.servers = [replace(OMEGA_EU, region="main")]
    alone.done(EVE, c.Configure("omega", "https://new.omega.test", "New"))
    assert [server.url for server in alone.servers] == ["https://new.omega.test"]


def asked(url: str, region: str, about: str | None = None, key: str = "ab" * 32) -> Facts:
    servers = (replace(OMEGA_EU, public_key="cd" * 32), OMEGA_US)
    told = About(version="1", role="omega", name="x", public_key=key, now=START, region=about)
    world = World()
    return replace(world.facts(EVE, None), servers=servers, probe=Probe("agent", about=told))


def configured(url: str, region: str, about: str | None = None, key: str = "ab" * 32) -> str | None:
    verdict = configure(c.Configure("omega", url, "Prod", region), asked(url, region, about, key))
    return None if isinstance(verdict, Decided) else verdict.why


def test_an_agent_of_another_region_is_refused() -> None:
    assert configured("https://new.test", "us", "eu") == (
        "The agent at https://new.test is of the region eu, not us. `deploy configure omega https://new.test Prod "
        "--region eu`, or mend `region` in the agent's settings"
    )
    assert configured("https://new.test", "us", "US") is None
    assert configured("https://new.test", "us") is None


@pytest.mark.parametrize(
    "url", ["https://eu.omega.test", "https://EU.omega.test/", "https://eu.omega.test:443", "https://eu.omega.test//"]
)
def test_a_url_is_one_server(url: str) -> None:
    assert configured(url, "us") == (
        f"The server at {url} is OMEGA eu already (EU, https://eu.omega.test). Each is one server of its own. "
        "`deploy servers`"
    )
    assert configured(url, "eu") is None


def test_so_is_an_agents_key() -> None:
    why = configured("https://other.name.test", "us", key="cd" * 32)
    assert why is not None
    assert "is OMEGA eu already" in why


def test_home_channels_hear_what_is_taken_out() -> None:
    world = World()
    event = e.ServerUnconfigured("omega", "us", "US", "https://us.omega.test")
    facts = replace(world.facts(EVE, None), policy=replace(world.policy, homes=("slack:C1",)))
    assert [message.channel for message in announce(event, None, facts)] == [HOME, "slack:C1"]


def test_a_region_that_answers_is_not_left_alone_and_its_mainframes_get_what_they_missed() -> None:
    """A frozen mainframe was left out before: whatever took the lane since owes it that, rolled back or not."""
    world = world_with(mistyped=False)
    world.done(EVE, c.Freeze("trade fair", mainframe="m1"))
    ship(world, "v2")
    world.done(ALICE, c.Push("v3", "some change"))
    world.settle(500)
    world.done(ALICE, c.Verify("v3"))
    world.settle(500)
    world.done(BO, c.Approve("v3"))
    world.done(CY, c.Approve("v3"))
    assert of(world, "v3").unasked == ("eu",)
    world.done(ALICE, c.Rollback("v3"))
    world.settle(500)
    world.done(EVE, c.Unfreeze(mainframe="m1"))
    world.settle(500)
    assert world.omegas["eu"].mainframes["m1"].running["main"] == digest_of("v2")
    assert not any(isinstance(event, e.RegionLeftAlone) for event in world.events("v3#1"))
    holds(world)


def test_what_is_left_alone_is_told_with_the_reason() -> None:
    world = world_with()
    ship(world, "v2")
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    (left,) = [event for event in world.events("v2#1") if isinstance(event, e.RegionLeftAlone)]
    assert left == e.RegionLeftAlone("eue", "settings hold no token for https://eue.omega.test")
    d = of(world, "v2")
    card = "\n".join(str(line) for line in deployment_card(d, world.facts(None, d), "UTC").lines)
    assert "OMEGA eue: was given nothing" in card
    assert "OMEGA eu: Running v1" in card
    assert "OMEGA eue was given nothing of it" in str(world.outbox[-1].card.lines)


def with_us(*updates: str) -> World:
    """Two regions with mainframes, and these went into production one after the other."""
    world = world_with(mistyped=False)
    world.omegas["us"] = Omega(name="us", mainframes=fleet())
    world.done(EVE, c.Configure("omega", "https://us.omega.test", "US", "us"))
    for update in updates:
        ship(world, update)
        assert of(world, update).stage is Stage.COMPLETED
    return world


def test_a_region_whose_mainframes_were_left_out_is_not_left_alone() -> None:
    """They are still to get what came before: the rollback waits for their OMEGA, and then they do."""
    world = with_us("v2")
    world.updates |= {update: ManifestFacts("main") for update in ("v3", "v4")}
    world.done(EVE, c.Freeze("fair", mainframe="m1", region="us"))
    ship(world, "v3")
    world.omegas["us"].away = True
    ship(world, "v4")
    world.done(ALICE, c.Rollback("v4"))
    world.settle(500)
    assert of(world, "v4").stage is Stage.ROLLBACK_FAILED
    world.omegas["us"].away = False
    world.done(EVE, c.Unfreeze(mainframe="m1", region="us"))
    world.done(ALICE, c.Rollback("v4"))
    world.settle(500)
    m1 = world.omegas["us"].mainframes["m1"]
    assert (of(world, "v4").stage, m1.running["main"]) == (Stage.ROLLED_BACK, digest_of("v3"))
    holds(world)


def test_a_region_that_still_owes_a_mainframe_something_is_not_taken_out() -> None:
    world = with_us()
    world.done(EVE, c.Freeze("fair", mainframe="m1", region="us"))
    ship(world, "v2")
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    refused = world.says(EVE, c.Unconfigure("us"))
    assert isinstance(refused, Refused)
    assert refused.why == (
        "m1 on OMEGA us still get what they missed while they were frozen: `deploy unfreeze --mainframe m1`, "
        "and wait until it is there"
    )
    world.done(EVE, c.Unfreeze(mainframe="m1", region="us"))
    world.settle(500)
    world.done(EVE, c.Unconfigure("us"))
    holds(world)


def test_what_another_gave_a_region_that_was_asked_for_nothing_stays_there() -> None:
    """As after an old backup was restored: production runs what the journal does not know."""
    world = world_with(mistyped=False)
    world.updates["v3"] = ManifestFacts("main")
    saved = deepcopy((world.deployments, world.lanes, world.journal, world.work))
    ship(world, "v2")
    assert runs(world, "eu") == digest_of("v2")
    world.deployments, world.lanes, world.journal, world.work = saved
    ship(world, "v3")
    assert (of(world, "v3").stage, of(world, "v3").unasked) == (Stage.FAILED, ("eu",))
    world.done(ALICE, c.Rollback("v3"))
    world.settle(500)
    assert (of(world, "v3").stage, runs(world, "eu")) == (Stage.ROLLED_BACK, digest_of("v2"))
    assert world.outbox[-1].card.lines == ("Nothing was pushed to OMEGA",)


def test_advice_that_would_be_refused_is_not_given() -> None:
    """The one region there is was configured without a name, and its agent has one since."""
    here = Server("omega", "main", "Prod", "https://eu.omega.test", EVE.id, START, "ab" * 32)
    about = About(version="1", role="omega", name="x", region="eu", public_key="ab" * 32, now=START)
    facts = Facts(START, POLICY, (EVE,), (here,), EVE, HOME, probe=Probe("agent", about=about))
    verdict = configure(c.Configure("omega", "https://eu.omega.test", "Prod"), facts)
    assert isinstance(verdict, Refused)
    assert verdict.why == (
        "The agent at https://eu.omega.test is of the region eu, not main. Mend `region` in the agent's settings"
    )


def test_the_status_names_regions_where_they_run_different_releases() -> None:
    ref = ReleaseRef("v1", 1, "ab" * 32, 1)
    lanes = (Lane("main", current=(("eu", replace(ref, id="v2")), ("us", ref))), Lane("api", current=(("eu", ref),)))
    card = status((), lanes, {}, AlphaSeen("ALPHA", 0, None), Facts(START, POLICY, ()), "UTC")
    assert card.lines[-2] == "Production: v2 (main) on OMEGA eu, v1 (main) on OMEGA us, v1 (api)."


def test_what_was_begun_in_one_region_is_seen_to_its_end_before_another_fails_all() -> None:
    """It runs in production: status, lane and a rollback have to know."""
    world = world_with()
    prove(world, "v2")
    world.omegas["eu"].slow = True
    world.done(BO, c.Approve("v2"))
    world.done(CY, c.Approve("v2"))
    for _ in range(20):
        world.tick()
    assert (of(world, "v2").stage, of(world, "v2").unasked) == (Stage.DEPLOYING, ("eue",))
    world.omegas["eu"].slow = False
    world.settle(500)
    d = of(world, "v2")
    assert (d.stage, runs(world, "eu")) == (Stage.FAILED, digest_of("v2"))
    running = world.lanes["main"].running("eu")
    assert running is not None
    assert running.id == "v2"
    lines = deployment_card(d, world.facts(VI, d), "UTC").lines
    assert lines[3:5] == ("OMEGA eu: runs it", "OMEGA eue: given nothing of it")
    world.done(ALICE, c.Rollback("v2"))
    world.settle(500)
    assert runs(world, "eu") == digest_of("v1")
    holds(world)


def test_a_region_that_was_silent_all_the_time_is_not_said_to_be_unhealthy() -> None:
    world = with_us("v2")
    world.omegas["us"].away = True
    ship(world, "v3")
    world.now += timedelta(hours=1)
    world.settle(500)
    d = of(world, "v3")
    assert (d.stage, d.unasked) == (Stage.FAILED, ("us",))
    assert d.failure is not None
    assert d.failure.endswith("OMEGA us could not be asked")
