"""Every update, run for real, against the agent's own checks: each passes all, or fails exactly what it says."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.checks.context import CheckContext
from agent.checks.run import run_check
from agent.checks.target import Target
from agent.settings import CheckSettings
from core.release.wire import CheckKind, CheckReport, CheckWanted
from demo.updates import Update, updates
from tests.demo.slots import BOUND, Running, environment, running, unpack
from tests.support.ports import free_port

CHECKS: tuple[CheckKind, ...] = ("health", "modules", "api", "database", "performance", "security")
STARTING = [update.id for update in updates() if update.id not in ("crashes-at-start", "slow-update")]

Run = Callable[[str], Running]


async def verified(slot: Running, requests: int) -> dict[str, CheckReport]:
    """The report of every check; the checks are the agent's, only with fewer requests for the performance."""
    target = Target(slot.url, slot.folder, slot.folder, slot.manifest, "0" * 64)
    reports: dict[str, CheckReport] = {}
    for kind in CHECKS:
        options = {"requests": requests} if kind == "performance" else {}
        context = CheckContext(target, None, slot.url, CheckSettings(), lambda: datetime.now(UTC))
        reports[kind] = await run_check(context, CheckWanted(name=kind, kind=kind, timeout=BOUND, options=options))
    return reports


@pytest.mark.parametrize("update_id", STARTING)
async def test_an_update_fails_what_it_says_and_nothing_else(
    update_id: str, catalogue: dict[str, Update], run: Run
) -> None:
    update = catalogue[update_id]
    reports = await verified(run(update_id), 75 if update.fails == "performance" else 20)
    failed = {kind: report for kind, report in reports.items() if report.state != "passed"}
    expected = {"modules", "api"} if update_id == "feature-2024-q1" else {update.fails} - {None}
    assert set(failed) == expected, failed
    assert all(report.state == "failed" and report.expected and report.seen for report in failed.values())


async def test_the_first_analytics_answers_500_where_its_module_is_missing(run: Run) -> None:
    slot = run("feature-2024-q1")
    rows = {row["name"]: row for row in slot.client.get("/modules").json()["modules"]}
    assert rows["analytics"] == {"name": "analytics", "loaded": False, "error": "KeyError: 'window'"}
    assert slot.client.get("/analytics.json").status_code == 500
    assert slot.client.get("/").status_code == 200
    assert "KeyError: 'window'" in slot.log


def test_the_crashing_one_migrates_and_then_ends_before_it_listens(
    catalogue: dict[str, Update], tmp_path: Path
) -> None:
    folder = unpack(catalogue["crashes-at-start"], tmp_path)
    env = {**environment(), "PORT": str(free_port())}
    migrate, serve = ("python3", "main.py", "migrate"), ("python3", "main.py")
    subprocess.run(migrate, cwd=folder, env=env, capture_output=True, timeout=BOUND, check=True)
    ended = subprocess.run(serve, cwd=folder, env=env, capture_output=True, timeout=BOUND, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode() == "There is no licence: RAOS_LICENCE_FILE is not set.\n"


def test_the_slow_one_takes_six_seconds_and_is_healthy(catalogue: dict[str, Update], tmp_path: Path) -> None:
    started = time.monotonic()
    with running(catalogue["slow-update"], tmp_path / "slot") as slot:
        assert time.monotonic() - started >= 6
        assert slot.client.get("/lease").json() == {"waited_seconds": 6.0}
