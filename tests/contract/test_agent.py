"""What every Agent keeps, in memory and as real processes: staging, desired releases, verification, distribution."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.ports import Agent, ServerFault
from core.release.wire import (
    CheckWanted,
    ComponentState,
    DistributionState,
    MainframeState,
    Release,
    Report,
    SlotState,
    VerificationWanted,
)
from tests.contract.servers import (
    MemoryWorld,
    Processes,
    RealWorld,
    World,
    broken,
    eventually,
    fresh,
    good,
    processes,
)

HEALTH = CheckWanted(name="Health Check", kind="health", timeout=30)
MISSING = CheckWanted(name="Licence Page", kind="url", timeout=30, options={"path": "/missing"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("servers")) as started:
        yield started


@pytest.fixture(params=["memory", "real"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    one = MemoryWorld() if request.param == "memory" else RealWorld(request.getfixturevalue("running"), tmp_path)
    yield one
    await one.agents.close()


@pytest.fixture
def public(world: World) -> Agent:
    return world.agents.at(world.public)


@pytest.fixture
def omega(world: World) -> Agent:
    return world.agents.at(world.omega)


@contextmanager
def refused() -> Iterator[None]:
    """Asking again would not help."""
    with pytest.raises(ServerFault) as caught:
        yield
    assert not caught.value.temporary
    assert str(caught.value)


def no_progress(done: int, of: int) -> None:
    assert 0 <= done <= of


def staged(digest: str, component: str, deployment: str) -> Release:
    return Release(
        purpose="stage", component=component, digest=digest, generation=0, deployment=deployment, attempt=1,
        nonce=secrets.token_hex(8), issued_at=datetime.now(UTC),
    )  # fmt: skip


def desired(digest: str | None, component: str, generation: int, level: str = "standard") -> Release:
    return Release.model_validate(
        {
            "purpose": "desired", "component": component, "digest": digest, "generation": generation,
            "deployment": f"{component}-{generation}", "attempt": 1, "level": level,
            "nonce": secrets.token_hex(8), "issued_at": datetime.now(UTC),
        }
    )  # fmt: skip


def again(release: Release) -> Release:
    """The same wish under another nonce."""
    return release.model_copy(update={"nonce": secrets.token_hex(8)})


async def slot_of(agent: Agent, slot: str, *statuses: str) -> SlotState:
    async def look() -> SlotState | None:
        return next((one for one in (await agent.state()).slots if one.slot == slot), None)

    state = await eventually(look, lambda one: one is not None and one.status in statuses)
    assert state is not None
    return state


async def component_of(agent: Agent, component: str, generation: int) -> ComponentState:
    """The component once that generation's switch has ended, well or not."""

    async def look() -> ComponentState | None:
        return next((one for one in (await agent.state()).components if one.component == component), None)

    state = await eventually(
        look, lambda one: one is not None and one.generation == generation and one.status != "switching"
    )
    assert state is not None
    return state


@dataclass(frozen=True)
class OnPublic:
    """A healthy release in a slot."""

    component: str
    deployment: str
    digest: str
    release: Release

    @property
    def slot(self) -> str:
        return f"{self.deployment}.1"

    def wanted(self, *checks: CheckWanted, run: int = 1, **changes: object) -> VerificationWanted:
        asked = VerificationWanted(
            digest=self.digest, deployment=self.deployment, attempt=1, run=run, nonce=secrets.token_hex(8),
            address="http://127.0.0.1:1", checks=checks or (HEALTH,),
        )  # fmt: skip
        return asked.model_copy(update=changes)


@pytest.fixture
async def update(world: World, public: Agent) -> OnPublic:
    component, deployment = fresh("part"), fresh("v")
    digest = await world.add(good(component))
    await public.upload(digest, no_progress)
    release = staged(digest, component, deployment)
    await public.stage(f"{deployment}.1", release)
    await slot_of(public, f"{deployment}.1", "healthy")
    return OnPublic(component, deployment, digest, release)


# -- who is there ------------------------------------------------------------------------------------------------------


async def test_each_says_what_it_is(world: World, public: Agent, omega: Agent) -> None:
    for agent, server in ((public, world.public), (omega, world.omega)):
        about = await agent.about()
        assert (about.role, about.public_key) == (server.role, server.public_key)
        assert (await agent.state()).about.role == server.role
        probe = await world.agents.probe(server.url)
        assert probe.kind == "agent"
        assert probe.about is not None
        assert probe.about.role == server.role


async def test_nothing_is_where_nothing_was_put(world: World) -> None:
    assert (await world.agents.probe("http://127.0.0.1:1")).kind == "nothing"


# -- artifacts ---------------------------------------------------------------------------------------------------------


async def test_an_upload_is_told_to_its_end_and_not_repeated(world: World, public: Agent) -> None:
    content = good(fresh("part"))
    digest = await world.add(content)
    told: list[tuple[int, int]] = []
    await public.upload(digest, lambda done, of: told.append((done, of)))
    assert told[-1] == (len(content), len(content))
    assert told == sorted(told)
    told.clear()
    await public.upload(digest, lambda done, of: told.append((done, of)))
    assert told == []


async def test_damaged_bytes_are_refused_and_good_ones_can_follow(world: World, public: Agent, omega: Agent) -> None:
    digest = await world.add(good(fresh("part")))
    world.damage(digest)
    for agent in (public, omega):
        with refused():
            await agent.upload(digest, no_progress)
    world.damage(digest)
    for agent in (public, omega):
        await agent.upload(digest, no_progress)


async def test_what_the_bot_does_not_hold_is_not_uploaded(public: Agent) -> None:
    with refused():
        await public.upload("0" * 64, no_progress)


# -- staging -----------------------------------------------------------------------------------------------------------


async def test_a_staged_release_becomes_healthy_in_its_slot(public: Agent, update: OnPublic) -> None:
    state = await slot_of(public, update.slot, "healthy")
    assert (state.digest, state.component, state.deployment) == (update.digest, update.component, update.deployment)
    assert state.url is not None
    assert state.nonce == update.release.nonce
    assert await public.stage(update.slot, update.release) == state


async def test_nothing_is_staged_before_its_artifact_is_there(public: Agent) -> None:
    with refused():
        await public.stage("early.1", staged("1" * 64, "main", "early"))


async def test_a_statement_goes_into_its_own_slot(public: Agent, update: OnPublic) -> None:
    with refused():
        await public.stage("other.1", again(update.release))
    with refused():
        await public.stage(f"{update.component}-1.1", desired(update.digest, update.component, 1))


async def test_a_slot_in_use_takes_no_other_digest(world: World, public: Agent, update: OnPublic) -> None:
    other = await world.add(good(update.component))
    await public.upload(other, no_progress)
    with refused():
        await public.stage(update.slot, staged(other, update.component, update.deployment))
    assert (await slot_of(public, update.slot, "healthy")).digest == update.digest


async def test_a_release_that_ends_at_once_says_so(world: World, public: Agent) -> None:
    component, deployment = fresh("part"), fresh("v")
    digest = await world.add(broken(component))
    world.will_not_start(digest)
    await public.upload(digest, no_progress)
    release = staged(digest, component, deployment)
    await public.stage(f"{deployment}.1", release)
    state = await slot_of(public, f"{deployment}.1", "failed")
    assert state.error
    assert (await public.stage(f"{deployment}.1", release)).status == "failed"
    retried = await public.stage(f"{deployment}.1", again(release))
    assert retried.status in ("preparing", "starting")


async def test_a_withdrawn_slot_comes_back_only_by_a_new_statement(public: Agent, update: OnPublic) -> None:
    await public.withdraw(update.slot)
    await public.withdraw(update.slot)
    await public.withdraw(f"{fresh('never')}.1")
    assert update.slot not in [one.slot for one in (await public.state()).slots]
    assert (await public.stage(update.slot, update.release)).status == "withdrawn"
    await public.stage(update.slot, again(update.release))
    assert (await slot_of(public, update.slot, "healthy")).digest == update.digest


async def test_a_healthy_slot_is_started_anew_by_a_new_statement(public: Agent, update: OnPublic) -> None:
    """After a rollback and a retry the bot waits to see its own nonce."""
    anew = again(update.release)
    await public.stage(update.slot, anew)

    async def look() -> SlotState:
        return next(one for one in (await public.state()).slots if one.slot == update.slot)

    await eventually(look, lambda one: one.status == "healthy" and one.nonce == anew.nonce)


# -- verification ------------------------------------------------------------------------------------------------------


async def report_of(agent: Agent, update: OnPublic, run: int = 1) -> Report:
    """The report once the run has ended."""
    report = await eventually(lambda: agent.report(update.slot, run), lambda one: one is not None and one.finished)
    assert report is not None
    return report


async def test_a_run_reports_every_check_that_was_asked(world: World, public: Agent, update: OnPublic) -> None:
    world.will_fail(MISSING.name)
    wanted = update.wanted(HEALTH, MISSING)
    first = await public.verify(update.slot, wanted)
    assert (first.nonce, first.digest, first.run) == (wanted.nonce, update.digest, 1)
    report = await report_of(public, update)
    assert [(check.name, check.state) for check in report.checks] == [
        (HEALTH.name, "passed"),
        (MISSING.name, "failed"),
    ]
    failed = report.checks[1]
    assert failed.expected
    assert failed.seen
    assert failed.where
    assert await public.verify(update.slot, wanted) == report


async def test_a_run_that_nobody_asked_for_is_none(public: Agent, update: OnPublic) -> None:
    assert await public.report(update.slot, 1) is None


async def test_one_run_is_one_question(public: Agent, update: OnPublic) -> None:
    await public.verify(update.slot, update.wanted())
    with refused():
        await public.verify(update.slot, update.wanted())
    await public.verify(update.slot, update.wanted(run=3))
    with refused():
        await public.verify(update.slot, update.wanted(run=2))


async def test_only_what_is_staged_is_verified(public: Agent, update: OnPublic) -> None:
    with refused():
        await public.verify(update.slot, update.wanted(digest="2" * 64))
    with refused():
        await public.verify("other.1", update.wanted())
    await public.withdraw(update.slot)
    with refused():
        await public.verify(update.slot, update.wanted())


async def test_a_baseline_that_is_not_what_runs_is_refused(world: World, public: Agent, update: OnPublic) -> None:
    baseline = await world.add(good(update.component))
    await public.upload(baseline, no_progress)
    await public.desire(desired(baseline, update.component, 1))
    assert (await component_of(public, update.component, 1)).running == baseline
    with refused():
        await public.verify(update.slot, update.wanted(baseline="3" * 64))
    await public.verify(update.slot, update.wanted(baseline=baseline))


# -- desired releases --------------------------------------------------------------------------------------------------


async def test_a_desired_release_becomes_current_and_can_be_undone(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, two = await world.add(good(component)), await world.add(good(component))
    for digest in (one, two):
        await omega.upload(digest, no_progress)
    await omega.desire(desired(one, component, 1))
    state = await component_of(omega, component, 1)
    assert (state.status, state.running, state.replaced, state.deployment) == ("healthy", one, None, f"{component}-1#1")
    await omega.desire(desired(two, component, 2))
    state = await component_of(omega, component, 2)
    assert (state.status, state.running, state.replaced) == ("healthy", two, one)
    await omega.desire(desired(one, component, 5))
    state = await component_of(omega, component, 5)
    assert (state.status, state.running, state.replaced) == ("healthy", one, two)
    await omega.desire(desired(None, component, 6))
    state = await component_of(omega, component, 6)
    assert (state.status, state.running, state.wanted) == ("offline", None, None)


async def test_generations_only_rise(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, two = await world.add(good(component)), await world.add(good(component))
    for digest in (one, two):
        await omega.upload(digest, no_progress)
    release = desired(one, component, 4)
    await omega.desire(release)
    state = await component_of(omega, component, 4)
    assert await omega.desire(release) == state
    with refused():
        await omega.desire(desired(one, component, 3))
    with refused():
        await omega.desire(desired(two, component, 4))
    assert await component_of(omega, component, 4) == state


async def test_nothing_becomes_current_before_its_artifact_is_there(omega: Agent) -> None:
    component = fresh("part")
    with refused():
        await omega.desire(desired("4" * 64, component, 1))
    assert component not in [one.component for one in (await omega.state()).components]


async def test_a_staging_statement_makes_nothing_current(omega: Agent, world: World) -> None:
    component = fresh("part")
    digest = await world.add(good(component))
    await omega.upload(digest, no_progress)
    with refused():
        await omega.desire(staged(digest, component, fresh("v")))


async def test_a_switch_that_fails_leaves_what_ran(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, bad = await world.add(good(component)), await world.add(broken(component))
    world.will_not_start(bad)
    for digest in (one, bad):
        await omega.upload(digest, no_progress)
    await omega.desire(desired(one, component, 1))
    await component_of(omega, component, 1)
    await omega.desire(desired(bad, component, 2))
    state = await component_of(omega, component, 2)
    assert (state.status, state.wanted, state.running) == ("failed", bad, one)
    assert state.error


# -- distribution ------------------------------------------------------------------------------------------------------


def by_name(state: DistributionState | None) -> dict[str, MainframeState]:
    return {one.name: one for one in state.mainframes} if state else {}


async def distributed(agent: Agent, component: str, **statuses: str) -> DistributionState:
    """The distribution once its mainframes are so."""

    def is_so(state: DistributionState | None) -> bool:
        return {name: one.status for name, one in by_name(state).items()} == statuses

    state = await eventually(lambda: agent.distribution(component), is_so)
    assert state is not None
    return state


async def test_licensed_mainframes_pull_and_send_receipts(world: World, omega: Agent) -> None:
    component = fresh("part")
    assert await omega.distribution(component) is None
    digest = await world.add(good(component))
    with refused():
        await omega.distribute(desired(digest, component, 1), hold=False, order=0)
    await omega.upload(digest, no_progress)
    release = desired(digest, component, 1)
    first = await omega.distribute(release, hold=False, order=0)
    assert (first.component, first.generation, first.digest, first.hold) == (component, 1, digest, False)
    state = await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")
    rows = by_name(state)
    assert all(rows[name].running == digest and rows[name].receipt for name in ("m1", "m2"))
    assert rows["m3"].running is None
    assert rows["m3"].receipt is None
    repeated = await omega.distribute(release, hold=False, order=0)
    assert {one.status for one in repeated.mainframes if one.name != "m3"} == {"healthy"}


async def test_an_owner_level_release_goes_to_owners_alone(world: World, omega: Agent) -> None:
    component = fresh("part")
    digest = await world.add(good(component, "server-owner"))
    await omega.upload(digest, no_progress)
    await omega.distribute(desired(digest, component, 1, "server-owner"), hold=False, order=0)
    state = await distributed(omega, component, m1="not_included", m2="healthy", m3="unlicensed")
    assert by_name(state)["m1"].running is None


async def test_a_hold_gives_nobody_the_release_until_it_ends(world: World, omega: Agent) -> None:
    component = fresh("part")
    digest = await world.add(good(component))
    await omega.upload(digest, no_progress)
    release = desired(digest, component, 1)
    assert (await omega.distribute(release, hold=True, order=1)).hold
    for _ in range(3):
        held = await omega.distribution(component)
        assert held is not None
        assert {name: one.status for name, one in by_name(held).items() if one.running or one.receipt} == {}
    with refused():
        await omega.distribute(release, hold=False, order=1)
    with refused():
        await omega.distribute(release, hold=False, order=0)
    assert not (await omega.distribute(release, hold=False, order=2)).hold
    await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")


async def test_a_newer_generation_takes_all_mainframes_back(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, two = await world.add(good(component)), await world.add(good(component))
    for digest in (one, two):
        await omega.upload(digest, no_progress)
    for generation, wanted in ((1, one), (2, two), (3, one)):
        await omega.distribute(desired(wanted, component, generation), hold=False, order=0)
        state = await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")
        assert {row.running for row in state.mainframes if row.name != "m3"} == {wanted}
    with refused():
        await omega.distribute(desired(two, component, 2), hold=False, order=0)
    with refused():
        await omega.distribute(desired(two, component, 3), hold=False, order=0)


async def test_who_is_left_out_keeps_what_it_runs_until_it_is_let_in(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, two = await world.add(good(component)), await world.add(good(component))
    for digest in (one, two):
        await omega.upload(digest, no_progress)
    assert (await omega.state()).leaves_out
    await omega.distribute(desired(one, component, 1), hold=False, order=0)
    await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")
    release = desired(two, component, 2)
    for _ in range(2):
        await omega.distribute(release, hold=False, order=0, left_out=["m1", "m3"])
    state = await distributed(omega, component, m1="frozen", m2="healthy", m3="unlicensed")
    assert [by_name(state)[name].running for name in ("m1", "m2")] == [one, two]
    with refused():
        await omega.distribute(release, hold=False, order=0, left_out=["m2"])
    with refused():
        await omega.distribute(release, hold=False, order=1)
    await omega.distribute(release, hold=False, order=2, left_out=[])
    state = await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")
    assert by_name(state)["m1"].running == two


async def test_who_is_let_in_gets_what_is_for_its_tier_whatever_passed_it_by(world: World, omega: Agent) -> None:
    component = fresh("part")
    one, two = await world.add(good(component)), await world.add(good(component, "server-owner"))
    for digest in (one, two):
        await omega.upload(digest, no_progress)
    await omega.distribute(desired(one, component, 1), hold=False, order=0, left_out=["m1"])
    await distributed(omega, component, m1="frozen", m2="healthy", m3="unlicensed")
    release = desired(two, component, 2, "server-owner")
    await omega.distribute(release, hold=False, order=0, left_out=["m1"])
    state = await distributed(omega, component, m1="not_included", m2="healthy", m3="unlicensed")
    assert by_name(state)["m1"].running is None
    await omega.distribute(release, hold=False, order=1, left_out=[])
    state_now = await eventually(lambda: omega.distribution(component), lambda now: by_name(now)["m1"].running)
    assert (by_name(state_now)["m1"].running, by_name(state_now)["m1"].status) == (one, "not_included")


async def test_a_component_goes_offline_on_all_mainframes(world: World, omega: Agent) -> None:
    component = fresh("part")
    digest = await world.add(good(component))
    await omega.upload(digest, no_progress)
    for generation, wanted in ((1, digest), (2, None)):
        await omega.distribute(desired(wanted, component, generation), hold=False, order=0)
        state = await distributed(omega, component, m1="healthy", m2="healthy", m3="unlicensed")
        assert {row.running for row in state.mainframes if row.name != "m3"} == {wanted}


async def test_the_registry_tells_who_is_licensed_and_online(omega: Agent) -> None:
    rows = {row.name: row for row in await eventually(omega.mainframes, lambda all_: all(row.online for row in all_))}
    assert {name: (row.tier, row.licensed) for name, row in rows.items()} == {
        "m1": ("standard", True),
        "m2": ("server-owner", True),
        "m3": ("standard", False),
    }


async def test_roles_have_their_own_endpoints(public: Agent, omega: Agent) -> None:
    with refused():
        await omega.stage("v1.1", staged("5" * 64, "main", "v1"))
    with refused():
        await public.mainframes()
    with refused():
        await public.distribute(desired("5" * 64, "main", 1), hold=False, order=0)
