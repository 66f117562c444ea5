"""A report is believed where Public signed exactly what was asked; other answers must be about what was asked too."""

from __future__ import annotations

import pytest
from securesystemslib.signer import CryptoSigner

from core.ports import ServerFault
from core.release.signing import opened, public_key, public_text
from core.release.wire import CheckReport, ComponentState, DistributionState, Mainframes, Release, SlotState
from tests.adapters.servers.conftest import NOW, Make, server
from tests.adapters.servers.peer import answers, peer
from tests.adapters.servers.samples import DIGEST, KEY, PUBLIC_KEY, problem, release, report, signed, wanted


async def test_a_signed_report_is_believed(make: Make) -> None:
    async with peer(answers(200, signed(report()))) as one:
        agent = make(one.url).at(server(one.url, key=PUBLIC_KEY))
        assert await agent.verify("v1.1", wanted()) == report()
        assert await agent.report("v1.1", 1) == report()
        assert [(seen.method, seen.path) for seen in one.requests] == [
            ("PUT", "/v1/verifications/v1.1/1"),
            ("GET", "/v1/verifications/v1.1/1"),
        ]


@pytest.mark.parametrize(
    "changes",
    [{"nonce": "nonce-999"}, {"digest": "b" * 64}, {"run": 2}, {"attempt": 2}, {"deployment": "v2"}, {"checks": ()}],
)
async def test_a_report_about_something_else_is_not_believed(make: Make, changes: dict[str, object]) -> None:
    async with peer(answers(200, signed(report(**changes)))) as one:
        with pytest.raises(ServerFault, match="about something else than it was asked") as caught:
            await make(one.url).at(server(one.url, key=PUBLIC_KEY)).verify("v1.1", wanted())
        assert not caught.value.temporary


async def test_a_report_of_another_slot_or_run_is_not_believed(make: Make) -> None:
    async with peer(answers(200, signed(report()))) as one:
        agent = make(one.url).at(server(one.url, key=PUBLIC_KEY))
        for slot, run in (("v1.1", 2), ("v1.2", 1), ("v2.1", 1)):
            with pytest.raises(ServerFault, match="about something else"):
                await agent.report(slot, run)


async def test_checks_that_were_not_asked_for_are_not_believed(make: Make) -> None:
    said = report(checks=(CheckReport(name="Another", state="passed"),))
    async with peer(answers(200, signed(said))) as one:
        with pytest.raises(ServerFault, match="about something else"):
            await make(one.url).at(server(one.url, key=PUBLIC_KEY)).verify("v1.1", wanted())


async def test_a_report_of_another_key_or_kind_is_not_believed(make: Make) -> None:
    stranger = CryptoSigner.generate_ed25519()
    for answer in (signed(report(), stranger), signed(report(), KEY, "receipt/v1")):
        async with peer(answers(200, answer)) as one:
            with pytest.raises(ServerFault, match="not signed with the key that staging had") as caught:
                await make(one.url).at(server(one.url, key=PUBLIC_KEY)).verify("v1.1", wanted())
            assert not caught.value.temporary


async def test_a_key_pinned_in_settings_counts_more_than_the_one_seen(make: Make) -> None:
    stranger = CryptoSigner.generate_ed25519()
    async with peer(answers(200, signed(report()))) as one:
        pinned = make(one.url, keys={one.url: PUBLIC_KEY}).at(server(one.url, key=public_text(stranger)))
        assert await pinned.verify("v1.1", wanted()) == report()
        with pytest.raises(ServerFault, match="the key of staging is not known yet"):
            await make(one.url).at(server(one.url)).verify("v1.1", wanted())


async def test_reports_are_made_safe_to_show(make: Make) -> None:
    failed = CheckReport(name="Health Check", state="failed", expected="200", seen="\x1b[1m500\n<b>", where="/healthz")
    async with peer(answers(200, signed(report(checks=(failed,))))) as one:
        said = await make(one.url).at(server(one.url, key=PUBLIC_KEY)).verify("v1.1", wanted())
        assert said.checks[0].seen == "500 <b>"


async def test_a_run_or_distribution_that_the_server_does_not_know_is_none(make: Make) -> None:
    async with peer(answers(404, problem("not_found", "never asked for"))) as one:
        agent = make(one.url).at(server(one.url, key=PUBLIC_KEY))
        assert await agent.report("v1.1", 1) is None
        assert await agent.distribution("main") is None
        await agent.withdraw("v1.1")


async def test_a_404_of_something_in_between_is_a_fault(make: Make) -> None:
    async with peer(answers(404, b"<html>nginx")) as one:
        agent = make(one.url).at(server(one.url, key=PUBLIC_KEY))
        with pytest.raises(ServerFault, match="404"):
            await agent.report("v1.1", 1)
        with pytest.raises(ServerFault, match="404"):
            await agent.withdraw("v1.1")


async def test_states_about_something_else_are_not_believed(make: Make) -> None:
    component = ComponentState(
        component="other", generation=3, wanted=DIGEST, running=None, status="switching", since=NOW
    )
    slot = SlotState(
        slot="v9.1", component="main", digest=DIGEST, deployment="v9", attempt=1, status="preparing", since=NOW
    )
    older = DistributionState(component="main", generation=2, digest=DIGEST, hold=False, order=0, mainframes=())
    staged = release(purpose="stage", generation=0)
    async with peer(answers(200, component)) as one:
        with pytest.raises(ServerFault, match="about something else"):
            await make(one.url).at(server(one.url)).desire(release())
    async with peer(answers(200, slot)) as one:
        with pytest.raises(ServerFault, match="about something else"):
            await make(one.url).at(server(one.url)).stage("v1.1", staged)
    async with peer(answers(200, older)) as one:
        with pytest.raises(ServerFault, match="about something else"):
            await make(one.url).at(server(one.url, "omega")).distribute(release(), hold=False, order=0)


async def test_statements_are_signed_by_the_bot_and_always_the_same(make: Make) -> None:
    signer = CryptoSigner.generate_ed25519()
    agent = make("http://127.0.0.1:1", signer=signer).at(server("http://127.0.0.1:1"))
    envelope = agent.statement(release())
    assert opened(envelope, [public_key(public_text(signer))], "release/v1", Release) == release()
    assert agent.statement(release()) == envelope
    assert agent.statement(release(digest=None))["payload"] != envelope["payload"]


async def test_names_in_addresses_are_quoted(make: Make) -> None:
    async with peer(answers(200, Mainframes(mainframes=()))) as one:
        agent = make(one.url).at(server(one.url, "omega"))
        assert list(await agent.mainframes()) == []
        with pytest.raises(ServerFault):
            await agent.distribution("../../etc?x#y")
        assert one.requests[-1].path == "/v1/distributions/..%2F..%2Fetc%3Fx%23y"
