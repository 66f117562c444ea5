"""The twin's levers: what a test can make its servers do, and what it can ask of them afterwards."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from adapters.servers.memory import MemoryAgent, MemoryAgents, MemoryMainframe, MemoryOmega, MemoryPublic
from core.ports import ServerFault
from core.release.signing import opened, public_key, public_text
from core.release.wire import CheckWanted, DistributionState, Receipt, Release, VerificationWanted

CONTENT = b"the update"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAGED = Release(
    purpose="stage", component="main", digest=DIGEST, generation=0, deployment="v1", attempt=1, nonce="nonce-123",
    issued_at=NOON,
)  # fmt: skip
DESIRED = STAGED.model_copy(update={"purpose": "desired", "generation": 1})


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def passes(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def agents(clock: Clock) -> MemoryAgents:
    return MemoryAgents(clock, lambda digest: CONTENT)


@pytest.fixture
async def public(agents: MemoryAgents) -> MemoryPublic:
    """It has the artifact."""
    server = agents.public()
    await server.upload(DIGEST, lambda done, of: None)
    return server


@pytest.fixture
async def omega(agents: MemoryAgents) -> MemoryOmega:
    """It has the artifact, and a mainframe."""
    server = agents.omega(mainframes=[MemoryMainframe("m1", "Ann")], online_within=90, receipt_timeout=300)
    await server.upload(DIGEST, lambda done, of: None)
    return server


def effects(agent: MemoryAgent) -> list[str]:
    return [effect.what for effect in agent.effects]


def wanted(*names: str, run: int = 1) -> VerificationWanted:
    checks = tuple(CheckWanted(name=name, kind="health", timeout=5) for name in names)
    return VerificationWanted(
        digest=DIGEST, deployment="v1", attempt=1, run=run, nonce="nonce-123", address="http://x", checks=checks
    )


# -- calls that break off ----------------------------------------------------------------------------------------------


async def test_a_cut_before_changes_nothing_and_one_after_does(public: MemoryPublic) -> None:
    public.cut("stage", "before")
    public.cut("stage", "after")
    with pytest.raises(ServerFault) as caught:
        await public.stage("v1.1", STAGED)
    assert caught.value.temporary
    assert (await public.state()).slots == ()
    with pytest.raises(ServerFault):
        await public.stage("v1.1", STAGED)
    assert (await public.state()).slots[0].status == "healthy"
    await public.stage("v1.1", STAGED)
    assert effects(public) == ["upload", "stage"]


async def test_only_the_planned_call_is_cut(public: MemoryPublic) -> None:
    public.cut("withdraw", "before")
    await public.stage("v1.1", STAGED)
    with pytest.raises(ValueError, match="no method"):
        public.cut("stagger", "before")


async def test_a_server_that_is_down_answers_nothing(agents: MemoryAgents, public: MemoryPublic) -> None:
    public.down()
    with pytest.raises(ServerFault) as caught:
        await public.state()
    assert caught.value.temporary
    assert (await agents.probe(public.url)).kind == "nothing"
    public.up()
    await public.state()


async def test_what_is_no_agent_is_something_else(agents: MemoryAgents) -> None:
    agents.something_else("http://127.0.0.1:8000")
    assert (await agents.probe("http://127.0.0.1:8000/x")).kind == "other"


# -- how far things are ------------------------------------------------------------------------------------------------


async def test_things_are_under_way_until_the_next_call(public: MemoryPublic, omega: MemoryOmega) -> None:
    assert (await public.stage("v1.1", STAGED)).status == "preparing"
    assert (await public.stage("v1.1", STAGED)).status == "healthy"
    assert (await distribute(omega)).mainframes[0].status == "waiting"
    assert (await distribute(omega)).mainframes[0].status == "healthy"


async def test_a_slow_server_stays_under_way(public: MemoryPublic) -> None:
    public.slow()
    await public.stage("v1.1", STAGED)
    await public.desire(DESIRED)
    state = await public.state()
    assert (state.slots[0].status, state.components[0].status) == ("preparing", "switching")
    public.settle()
    state = await public.state()
    assert (state.slots[0].status, state.components[0].status) == ("healthy", "healthy")


async def test_a_switch_that_is_refused_fails_until_it_is_allowed(omega: MemoryOmega) -> None:
    omega.refuse_switch("port in use")
    await omega.desire(DESIRED)
    state = (await omega.state()).components[0]
    assert (state.status, state.error, state.running) == ("failed", "port in use", None)
    omega.allow_switch()
    await omega.desire(DESIRED.model_copy(update={"nonce": "nonce-456"}))
    assert (await omega.state()).components[0].running == DIGEST
    assert effects(omega) == ["upload", "desire", "desire", "switch"]


async def test_a_current_release_can_crash_and_recover(omega: MemoryOmega) -> None:
    await omega.desire(DESIRED)
    await omega.state()
    omega.host.crash("main", "out of memory")
    state = (await omega.state()).components[0]
    assert (state.status, state.error, state.running) == ("crashed", "out of memory", DIGEST)
    omega.host.recover("main")
    assert (await omega.state()).components[0].status == "healthy"


# -- checks ------------------------------------------------------------------------------------------------------------


async def test_checks_end_as_a_test_says(public: MemoryPublic) -> None:
    public.fail_check("a", seen="500")
    public.time_out_check("b")
    public.skip_check("c", "switched off")
    public.spare_check("d", "no database is declared")
    public.hold_check("e")
    await public.stage("v1.1", STAGED)
    await public.state()
    await public.verify("v1.1", wanted("a", "b", "c", "d", "e", "f"))
    report = await public.report("v1.1", 1)
    assert report is not None
    assert not report.finished
    assert [check.state for check in report.checks] == [
        "failed", "timed_out", "skipped", "not_applicable", "running", "passed",
    ]  # fmt: skip
    public.release_check("e")
    report = await public.report("v1.1", 1)
    assert report is not None
    assert report.finished


async def test_a_newer_run_and_a_withdrawal_end_what_runs(public: MemoryPublic) -> None:
    public.hold_check("a")
    await public.stage("v1.1", STAGED)
    await public.state()
    await public.verify("v1.1", wanted("a"))
    await public.verify("v1.1", wanted("a", run=2))
    first = await public.report("v1.1", 1)
    assert first is not None
    assert (first.finished, first.checks[0].state) == (True, "skipped")
    await public.withdraw("v1.1")
    second = await public.report("v1.1", 2)
    assert second is not None
    assert second.checks[0].warning == "the slot was withdrawn"


# -- mainframes --------------------------------------------------------------------------------------------------------


async def status(omega: MemoryOmega) -> tuple[str, str | None]:
    state = await omega.distribution("main")
    assert state is not None
    return state.mainframes[0].status, state.mainframes[0].error


async def distribute(omega: MemoryOmega, generation: int = 1, *, hold: bool = False) -> DistributionState:
    release = DESIRED.model_copy(update={"generation": generation})
    return await omega.distribute(release, hold=hold, order=int(hold))


async def test_a_receipt_is_signed_by_its_mainframe(omega: MemoryOmega) -> None:
    await distribute(omega)
    state = await omega.distribution("main")
    assert state is not None
    envelope = state.mainframes[0].receipt
    assert envelope is not None
    key = public_key(public_text(omega.mainframe("m1")._signer))
    receipt = opened(envelope, [key], "receipt/v1", Receipt)
    assert (receipt.digest, receipt.generation, receipt.nonce) == (DIGEST, 1, DESIRED.nonce)
    assert effects(omega) == ["upload", "distribute", "grant", "receipt"]


async def test_a_sleeper_is_noticed_in_time_and_catches_up(omega: MemoryOmega, clock: Clock) -> None:
    await omega.mainframes()
    omega.mainframe("m1").asleep()
    await distribute(omega)
    assert (await status(omega))[0] == "waiting"
    clock.passes(91)
    assert (await status(omega))[0] == "asleep"
    omega.mainframe("m1").awake()
    assert (await status(omega))[0] == "healthy"
    assert omega.mainframe("m1").runs("main") == DIGEST


async def test_one_that_never_finishes_counts_as_failed_in_time(omega: MemoryOmega, clock: Clock) -> None:
    omega.mainframe("m1").hangs()
    await distribute(omega)
    assert await status(omega) == ("waiting", None)
    clock.passes(301)
    state, error = await status(omega)
    assert (state, error) == ("failed", "no receipt came within 300 s of its being given the release")


async def test_one_that_fails_says_why_until_it_works(omega: MemoryOmega) -> None:
    omega.mainframe("m1").fails("disk full")
    await distribute(omega)
    assert await status(omega) == ("failed", "disk full")
    assert omega.mainframe("m1").runs("main") is None
    omega.mainframe("m1").works()
    assert await status(omega) == ("healthy", None)


async def test_a_licence_that_ends_gives_no_more(omega: MemoryOmega, clock: Clock) -> None:
    omega.mainframe("m1").licence_until = NOON + timedelta(seconds=10)
    await distribute(omega)
    assert (await status(omega))[0] == "healthy"
    clock.passes(11)
    await distribute(omega, 2)
    assert (await status(omega))[0] == "unlicensed"
    assert [effect.key for effect in omega.effects if effect.what == "grant"] == [("m1", "main", 1)]


async def test_what_is_on_hold_is_given_to_nobody(omega: MemoryOmega) -> None:
    await distribute(omega, hold=True)
    assert (await status(omega))[0] == "waiting"
    assert effects(omega) == ["upload", "distribute"]
