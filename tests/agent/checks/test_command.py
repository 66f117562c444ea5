"""Commands on the server, the security scanner among them: real processes, of which none may be left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.checks.process import KEPT, run_process
from agent.settings import CheckSettings
from tests.agent.checks.app import DIGEST, App, check, until


def settings(*command: str) -> CheckSettings:
    return CheckSettings(commands={"smoke": command})


def shell(script: str) -> CheckSettings:
    return settings("/bin/sh", "-c", script)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_exit_status_0_passes(app: App) -> None:
    assert (await check(app.target(), "command", {"name": "smoke"}, settings=settings("true"))).state == "passed"


async def test_another_exit_status_fails_with_its_last_words(app: App) -> None:
    script = "echo first; printf '\\033[31mlast words\\033[0m\\n' >&2; exit 3"
    report = await check(app.target(), "command", {"name": "smoke"}, settings=shell(script))
    assert (report.state, report.expected, report.where) == ("failed", "exit status 0", "command smoke")
    assert report.seen == "exit status 3: last words"


async def test_it_runs_in_the_slot_with_a_clean_environment(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASHAT_AGENT_TOKEN", "hidden")
    script = (
        f'test "$SLOT_URL" = {app.url} && test "$SLOT_DIGEST" = {DIGEST} && test -z "$ASHAT_AGENT_TOKEN" && pwd -P >out'
    )
    report = await check(app.target(), "command", {"name": "smoke"}, settings=shell(script))
    assert report.state == "passed"
    assert (app.folder / "out").read_text().strip() == str(app.folder.resolve())


async def test_only_commands_of_the_settings_exist(app: App) -> None:
    report = await check(app.target(), "command", {"name": "other"}, settings=settings("true"))
    assert (report.state, report.seen) == ("failed", "only smoke")


@pytest.mark.parametrize("asked", [{"commands": {"smoke": ("./smoke",)}}, {"scanner": ("tools/scan", "--all")}])
def test_a_program_of_the_release_is_refused_in_the_settings(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="should begin with an absolute path, or a bare name"):
        CheckSettings.model_validate(asked)


async def test_a_program_that_does_not_exist(app: App) -> None:
    report = await check(app.target(), "command", {"name": "smoke"}, settings=settings("/no/such/program"))
    assert (report.state, report.expected) == ("failed", "exit status 0")
    assert report.seen is not None
    assert report.seen.startswith("exit status 127: cannot start /no/such/program: ")
    assert report.seen.endswith("No such file or directory: '/no/such/program'")


async def test_a_command_has_a_deadline(app: App) -> None:
    report = await check(app.target(), "command", {"name": "smoke"}, settings=settings("sleep", "300"), timeout=0.3)
    assert (report.state, report.expected) == ("timed_out", "an answer within 0.3 s")
    assert (report.seen, report.where) == ("still running, so it was ended", "command smoke")


async def test_the_whole_group_ends_with_its_check(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! $$ > pids.new; mv pids.new pids; wait"
    running = asyncio.create_task(run_process(("/bin/sh", "-c", script), tmp_path))
    await until((tmp_path / "pids").exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(map(runs, pids)))


async def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    finished = await run_process(("/bin/sh", "-c", "sleep 300 & echo $!"), tmp_path)
    assert finished.status == 0
    await until(lambda: not runs(int(finished.last_line)))


async def test_a_flood_of_output_is_bounded(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('x' * 5_000_000 + chr(10) + 'end')"
    finished = await run_process((sys.executable, "-c", script), tmp_path)
    assert finished.last_line == "end"
    assert len(finished.output) <= KEPT


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    await run_process(("true",), tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, not paths
    for _ in range(5):
        await run_process(("true",), tmp_path)
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208 - as above
