"""Whole runs: asked once, carried out in order, signed, and taken up again after a restart."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.checks.target import Target
from agent.checks.verifications import REPORT, Verifications
from agent.errors import Refused
from agent.ownership import OwnKey
from agent.settings import CheckSettings
from core.release.signing import SignatureRefused, new_key, opened, public_key, public_text, signer_from_pem
from core.release.wire import CheckWanted, Report, VerificationState, VerificationWanted
from tests.agent.checks.app import DIGEST, NOW, App, Route, json_route, until

KEY = OwnKey(new_key())
SLOT = "v1.1"
HEALTH = CheckWanted(name="Health Check", kind="health", timeout=20)
DATABASE = CheckWanted(name="Database Connection", kind="database", timeout=20)
SPEED = CheckWanted(name="Performance Baseline", kind="performance", timeout=20, options={"requests": 20})
MANIFEST = {"database": {"path": "/db"}}


def verifications(folder: Path, settings: CheckSettings | None = None) -> Verifications:
    return Verifications(folder, KEY, settings or CheckSettings(), lambda: NOW)


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[Verifications]:
    made = verifications(tmp_path / "runs")
    yield made
    await made.close()


def wanted(*checks: CheckWanted, **changes: Any) -> VerificationWanted:
    asked = {"digest": DIGEST, "deployment": "v1", "attempt": 1, "run": 1, "nonce": "nonce-1234"}
    return VerificationWanted(**asked | {"address": "http://public", "checks": checks} | changes)


def report(state: VerificationState | None) -> Report:
    assert state is not None
    return opened(state.envelope, [public_key(KEY.public_text)], REPORT, Report)


def states(runs: Verifications, slot: str = SLOT, run: int = 1) -> list[str]:
    return [check.state for check in report(runs.get(slot, run)).checks]


async def finished(runs: Verifications, slot: str = SLOT, run: int = 1) -> Report:
    await until(lambda: report(runs.get(slot, run)).finished)
    return report(runs.get(slot, run))


def in_slot(name: str, target: Target) -> Callable[[str], Awaitable[Target | None]]:
    """A host on which `name` runs `target`."""

    async def target_of(slot: str) -> Target | None:
        return target if slot == name else None

    return target_of


def no_baseline(component: str) -> Target | None:
    return None


@asynccontextmanager
async def apps(tmp_path: Path, count: int) -> AsyncIterator[list[App]]:
    served = [App(tmp_path) for _ in range(count)]
    for one in served:
        await one.start()
    yield served
    for one in served:
        await one.stop()


async def test_a_run_from_asking_to_the_signed_report(app: App, runs: Verifications) -> None:
    app.routes["/db"] = json_route({"ok": False})
    first = report(await runs.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(MANIFEST), None))
    assert (first.finished, [check.state for check in first.checks]) == (False, ["waiting", "waiting"])
    done = await finished(runs)
    assert (done.digest, done.deployment, done.attempt, done.run, done.nonce) == (DIGEST, "v1", 1, 1, "nonce-1234")
    assert [(check.name, check.state) for check in done.checks] == [
        ("Health Check", "passed"),
        ("Database Connection", "failed"),
    ]


async def test_the_statement_is_about_the_digest(app: App, runs: Verifications) -> None:
    state = await runs.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    statement = json.loads(base64.b64decode(state.envelope["payload"]))
    assert statement["subject"] == [{"name": "v1", "digest": {"sha256": DIGEST}}]


async def test_a_report_that_was_changed_is_noticed(app: App, runs: Verifications) -> None:
    app.routes["/healthz"] = Route(500)
    await runs.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await finished(runs)
    state = runs.get(SLOT, 1)
    assert state is not None
    payload = base64.b64decode(state.envelope["payload"])
    assert payload.count(b'"failed"') == 1
    forged = base64.b64encode(payload.replace(b'"failed"', b'"passed"')).decode()
    with pytest.raises(SignatureRefused):
        report(VerificationState(envelope=state.envelope | {"payload": forged}))
    other = public_key(public_text(signer_from_pem(new_key())))
    with pytest.raises(SignatureRefused):
        opened(state.envelope, [other], REPORT, Report)


async def test_asking_again_changes_nothing(app: App, runs: Verifications) -> None:
    asked = [runs.put(SLOT, 1, wanted(HEALTH), app.target(), None) for _ in range(3)]
    await asyncio.gather(*asked)
    await finished(runs)
    again = await runs.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    assert report(again).finished
    assert app.asked == ["/healthz"] * 3


@pytest.mark.parametrize(
    ("slot", "run", "asked", "kind", "says"),
    [
        (SLOT, 1, wanted(HEALTH, nonce="nonce-other"), "conflict", "Run 1 of v1.1 was asked for otherwise"),
        (SLOT, 2, wanted(HEALTH), "bad_request", "The body is for run 1 of v1.1"),
        ("v2.1", 1, wanted(HEALTH), "bad_request", "sent to run 1 of v2.1"),
        (SLOT, 2, wanted(HEALTH, run=2, digest="cd" * 32), "wrong_digest", "The slot runs abababababab…"),
        (SLOT, 2, wanted(HEALTH, HEALTH, run=2), "bad_request", "Two checks are called 'Health Check'"),
        (SLOT, 2, wanted(HEALTH, run=2, address="public"), "bad_request", "The address is no web address"),
        (SLOT, 2, wanted(HEALTH, run=2, address="https://[x"), "bad_request", "The address is no web address"),
        (SLOT, 2, wanted(HEALTH, run=2, address="https://x:0x1"), "bad_request", "The address is no web address"),
        (
            SLOT, 2, wanted(HEALTH.model_copy(update={"options": {"x": 1}}), run=2), "bad_request",
            "Check 'Health Check' (health), option x",
        ),
        (SLOT, 2, wanted(HEALTH, run=2, baseline="cd" * 32), "conflict", "The baseline here is efefefefefef…"),
    ],
)  # fmt: skip
async def test_a_refusal_starts_nothing(
    app: App, runs: Verifications, slot: str, run: int, asked: VerificationWanted, kind: str, says: str
) -> None:
    await runs.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await finished(runs)
    with pytest.raises(Refused) as refusal:
        await runs.put(slot, run, asked, app.target(), app.target(digest="ef" * 32))
    assert refusal.value.kind == kind
    assert says in str(refusal.value)
    assert runs.get(slot, 2) is None
    assert len(app.asked) == 3


async def test_an_older_run_is_refused(app: App, runs: Verifications) -> None:
    await runs.put(SLOT, 3, wanted(HEALTH, run=3), app.target(), None)
    with pytest.raises(Refused, match=r"Run 3 of v1\.1 is newer than run 2") as refusal:
        await runs.put(SLOT, 2, wanted(HEALTH, run=2), app.target(), None)
    assert refusal.value.kind == "conflict"


async def test_what_was_never_asked_for(runs: Verifications) -> None:
    assert runs.get(SLOT, 1) is None
    assert runs.get("../v1", 1) is None
    assert runs.get("..", 1) is None


async def test_checks_run_in_order_and_performance_last(app: App, runs: Verifications) -> None:
    app.routes["/db"] = json_route({"ok": True})
    await runs.put(SLOT, 1, wanted(SPEED, DATABASE, HEALTH), app.target(MANIFEST), None)
    done = await finished(runs)
    assert [check.name for check in done.checks] == [SPEED.name, DATABASE.name, HEALTH.name]
    assert list(dict.fromkeys(app.asked)) == ["/db", "/healthz", "/"]


async def test_the_state_shows_each_check_as_it_finishes(app: App, runs: Verifications) -> None:
    app.routes["/db"] = Route(hangs=True)
    await runs.put(SLOT, 1, wanted(HEALTH, DATABASE, SPEED), app.target(MANIFEST), None)
    await until(lambda: states(runs) == ["passed", "running", "waiting"])
    assert not report(runs.get(SLOT, 1)).finished


async def test_a_restart_runs_only_what_is_unfinished(app: App, tmp_path: Path) -> None:
    app.routes["/db"] = Route(hangs=True)
    before = verifications(tmp_path / "runs")
    await before.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(MANIFEST), None)
    await until(lambda: states(before) == ["passed", "running"])
    first = report(before.get(SLOT, 1)).checks[0]
    await until(lambda: "/db" in app.asked)
    await before.close()

    app.routes["/db"] = json_route({"ok": True})
    app.asked.clear()
    after = verifications(tmp_path / "runs")
    assert states(after) == ["passed", "waiting"]
    await after.resume(in_slot(SLOT, app.target(MANIFEST)), no_baseline)
    done = await finished(after)
    assert [check.state for check in done.checks] == ["passed", "passed"]
    assert done.checks[0] == first
    assert app.asked == ["/db"]
    await after.close()
    app.asked.clear()

    third = verifications(tmp_path / "runs")
    await third.resume(in_slot(SLOT, app.target(MANIFEST)), no_baseline)
    assert report(await third.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(MANIFEST), None)) == done
    await third.close()
    assert app.asked == []


async def test_a_run_waits_for_a_slot_that_is_still_coming_up(app: App, tmp_path: Path) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    before = verifications(tmp_path / "runs")
    await before.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await before.close()
    app.routes["/healthz"] = Route()
    up = asyncio.Event()

    async def target_of(slot: str) -> Target | None:
        await up.wait()
        return app.target()

    after = verifications(tmp_path / "runs")
    await after.resume(target_of, no_baseline)
    assert report(await after.put(SLOT, 1, wanted(HEALTH), app.target(), None)).finished is False
    up.set()
    assert (await finished(after)).checks[0].state == "passed"
    await after.close()


async def test_a_run_that_waits_for_its_slot_ends_with_it(app: App, tmp_path: Path) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    before = verifications(tmp_path / "runs")
    await before.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await before.close()

    async def never(slot: str) -> Target | None:
        await asyncio.Event().wait()
        return None

    after = verifications(tmp_path / "runs")
    await after.resume(never, no_baseline)
    await after.stop(SLOT, "the slot was withdrawn")
    assert states(after) == ["skipped"]
    await after.close()


async def test_finished_runs_go_with_their_slot(app: App, tmp_path: Path, runs: Verifications) -> None:
    app.routes["/healthz"] = Route()
    for slot, deployment in ((SLOT, "v1"), ("v2.1", "v2")):
        await runs.put(slot, 1, wanted(HEALTH, deployment=deployment), app.target(), None)
        await finished(runs, slot)
    app.routes["/healthz"] = Route(hangs=True)
    await runs.put("v3.1", 1, wanted(HEALTH, deployment="v3"), app.target(), None)
    await runs.prune(lambda slot: slot == SLOT)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [SLOT, "v3.1"], "v3.1 has not finished"
    assert runs.get("v2.1", 1) is None
    assert states(runs) == ["passed"]


async def test_a_slot_that_is_gone_after_a_restart_has_failed(app: App, tmp_path: Path) -> None:
    app.routes["/db"] = Route(hangs=True)
    before = verifications(tmp_path / "runs")
    await before.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(MANIFEST), None)
    await until(lambda: states(before) == ["passed", "running"])
    await before.close()
    after = verifications(tmp_path / "runs")
    await after.resume(in_slot(SLOT, app.target(MANIFEST, digest="cd" * 32)), no_baseline)
    done = await finished(after)
    await after.close()
    assert [check.state for check in done.checks] == ["passed", "failed"]
    assert done.finished
    assert done.checks[1].seen == "no such release in the slot after a restart of the agent"
    assert done.checks[1].where == SLOT


async def test_a_newer_run_takes_over(app: App, runs: Verifications) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    await runs.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await until(lambda: states(runs) == ["running"])
    app.routes["/healthz"] = Route()
    await runs.put(SLOT, 2, wanted(HEALTH, run=2), app.target(), None)
    older = report(runs.get(SLOT, 1))
    assert (older.finished, older.checks[0].state, older.checks[0].warning) == (True, "skipped", "run 2 took over")
    assert (await finished(runs, run=2)).checks[0].state == "passed"


async def test_a_withdrawn_slot_is_left_alone(app: App, runs: Verifications) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    await runs.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(), None)
    await until(lambda: states(runs) == ["running", "waiting"])
    await runs.stop(SLOT, "the slot was withdrawn")
    await runs.stop("v9.1", "nothing runs there")
    assert states(runs) == ["skipped", "skipped"]


async def test_slots_go_on_side_by_side(tmp_path: Path, runs: Verifications) -> None:
    async with apps(tmp_path, 2) as (first, second):
        first.routes["/healthz"] = Route(hangs=True)
        await runs.put(SLOT, 1, wanted(HEALTH), first.target(), None)
        await runs.put("v2.1", 1, wanted(HEALTH, deployment="v2"), second.target(), None)
        assert (await finished(runs, "v2.1")).checks[0].state == "passed"
        assert states(runs) == ["running"]
        await runs.close()


async def test_only_one_performance_check_runs_on_a_host(tmp_path: Path, runs: Verifications) -> None:
    async with apps(tmp_path, 2) as (first, second):
        first.routes["/"] = Route(hangs=True)
        await runs.put(SLOT, 1, wanted(SPEED), first.target(), None)
        await until(lambda: first.asked == ["/"])
        await runs.put("v2.1", 1, wanted(HEALTH, SPEED, deployment="v2"), second.target(), None)
        await until(lambda: states(runs, "v2.1") == ["passed", "waiting"])
        assert "/" not in second.asked
        await runs.stop(SLOT, "enough")
        assert (await finished(runs, "v2.1")).checks[1].state == "passed"


async def test_production_is_compared_with(app: App, production: App, runs: Verifications) -> None:
    other = "ef" * 32
    asked = wanted(SPEED.model_copy(update={"options": {"requests": 20, "floor_ms": 20_000}}), baseline=other)
    await runs.put(SLOT, 1, asked, app.target(), production.target(digest=other))
    done = await finished(runs)
    assert (done.checks[0].state, done.checks[0].warning) == ("passed", None)
    assert "ratio" in done.checks[0].measured


async def test_a_record_that_cannot_be_read_stops_no_other(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    before = verifications(tmp_path / "runs")
    await before.put(SLOT, 1, wanted(HEALTH), app.target(), None)
    await before.close()
    (tmp_path / "runs" / "a.1").mkdir()
    (tmp_path / "runs" / "a.1" / "1.json").write_text("{}")
    app.routes["/healthz"] = Route()
    after = verifications(tmp_path / "runs")
    await after.resume(in_slot(SLOT, app.target()), no_baseline)
    assert (await finished(after)).checks[0].state == "passed"
    assert "a.1/1.json" in caplog.text
    await after.close()


async def test_a_check_that_cannot_be_carried_out_has_failed(
    app: App, runs: Verifications, caplog: pytest.LogCaptureFixture
) -> None:
    app.folder.rmdir()
    scan = CheckWanted(name="Security Scan", kind="security", timeout=20)
    await runs.put(SLOT, 1, wanted(scan, HEALTH), app.target(), None)
    done = await finished(runs)
    assert [check.state for check in done.checks] == ["failed", "passed"]
    assert done.checks[0].seen is not None
    reference = done.checks[0].seen.partition("reference ")[2].split()[0]
    assert reference in caplog.text


async def test_a_result_that_cannot_be_recorded_is_no_pass(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app.routes["/healthz"] = Route(delay=0.05)
    runs = verifications(tmp_path / "runs")
    await runs.put(SLOT, 1, wanted(HEALTH, DATABASE), app.target(), None)
    for path in (tmp_path / "runs" / SLOT).iterdir():
        path.unlink()
    (tmp_path / "runs" / SLOT).rmdir()
    (tmp_path / "runs" / SLOT).write_text("in the way")
    await until(lambda: report(runs.get(SLOT, 1)).finished)
    assert states(runs) == ["failed", "failed"]
    assert "cannot go on" in caplog.text
    await runs.close()


def test_an_agent_starts_without_what_only_checks_need() -> None:
    script = (
        "import sys, agent.checks.verifications; sys.exit(bool({'httpx', 'jsonschema', 'sqlmodel'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
