"""`ashat demo` as people start it: it plays, serves, and leaves nothing behind; and a bot run on its servers alone."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BOUND = 180.0
"""Seconds, on a busy machine."""
Process = tuple[int, str]
"""A pid and its start time: the two together never come again."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from bot.cli import main; main()", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60"}


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command whose end is awaited, and forced where it does not come."""
    with subprocess.Popen(
        command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment(),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=BOUND)
                except subprocess.TimeoutExpired:
                    process.kill()


def read_until(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if last in line:
            return lines
    raise AssertionError("it ended before its time:\n" + "\n".join(lines))


def family(root: int) -> set[Process]:
    """Every process below `root`, and it itself."""
    rows = {int(entry.name): row for entry in Path("/proc").iterdir() if entry.name.isdigit() and (row := stat(entry))}
    found = {root}
    while grown := {pid for pid, (parent, _) in rows.items() if parent in found} - found:
        found |= grown
    return {(pid, rows[pid][1]) for pid in found if pid in rows}


def stat(entry: Path) -> tuple[int, str] | None:
    """Parent and start time; None where it has ended."""
    try:
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else (int(fields[1]), fields[19])


def assert_gone(processes: set[Process]) -> None:
    until = time.monotonic() + BOUND
    while left := {p for p in processes if (row := stat(Path(f"/proc/{p[0]}"))) and row[1] == p[1]}:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.05)


def assert_can_be_copied(told: list[str], config: Path) -> None:
    """The commands that were suggested are whole, each in a line of its own, however narrow the terminal is."""
    offered = [line.strip() for line in told[told.index("Where the product can be seen:") :] if line[:1] == " "]
    assert "deploy push patch-v1.2.3 'Security fixes and performance improvements' 'Fixes CVE-2024-001'" in offered
    assert shlex.split(offered[-1])[1:] == ["deploy", "--config", str(config), "status"]


@pytest.mark.timeout(2 * BOUND)
def test_without_a_terminal_it_plays_serves_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with started("demo", "--data", str(tmp_path / "demo")) as process:
        told = read_until(process, "Ctrl-C ends every process of the demo.")
        assert any("✅ Completed: v1.2.2" in line for line in told)
        assert_can_be_copied(told, tmp_path / "demo" / "config.toml")
        rows = told[told.index("Where the product can be seen:") + 1 :]
        addresses = [line.split()[-1] for line in rows[:8]]
        served = [httpx.get(f"{url}/version", timeout=BOUND, trust_env=False) for url in addresses]
        assert [answer.status_code for answer in served] == [200] * 7 + [503]
        assert {answer.json()["id"] for answer in served[:7]} == {"v1.2.2"}
        everything = family(process.pid)
        assert len(everything) > 25
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=BOUND)
        assert (process.returncode, rest.splitlines()[-1]) == (0, "All servers have ended.")
    assert_gone(everything)


@pytest.mark.timeout(2 * BOUND)
def test_a_bot_on_the_demos_servers_takes_commands_from_the_shell(tmp_path: Path) -> None:
    """The very lines that `--servers-only` prints; then the statuses by which a shell script goes on."""
    with started("demo", "--servers-only", "--data", str(tmp_path / "demo")) as servers:
        told = [line.split() for line in read_until(servers, "Ctrl-C ends the servers.")]
        config = next(words[3] for words in told if words[1:2] == ["run"] and words[0].endswith("ashat"))
        urls = [words[6] for words in told if words[4:5] == ["configure"]]

        def deploy(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command("deploy", "--config", config, *words), capture_output=True, text=True, timeout=BOUND,
                env=environment(), check=False,
            )  # fmt: skip

        with started("run", "--config", config) as bot:
            read_until(bot, '"event": "started"')
            assert deploy("configure", "public", urls[0], "Staging").returncode == 0
            assert deploy("configure", "omega", urls[1], "Production", "--region", "eu").returncode == 0
            pushed = deploy("push", "docs-v1.0.0", "it's the first handbook")
            assert pushed.stdout.startswith("Deployment session created"), pushed
            assert deploy("wait", "docs-v1.0.0").returncode == 0
            assert deploy("verify", "docs-v1.0.0").returncode == 0
            waited = deploy("wait", "docs-v1.0.0", "--for", "awaiting_approval")
            assert waited.stdout.startswith("🔔 Awaiting approval: docs-v1.0.0"), waited
            own = deploy("approve", "docs-v1.0.0")
            assert (own.returncode, own.stderr.startswith("You pushed docs-v1.0.0")) == (1, True), own
            assert deploy("cancel", "docs-v1.0.0").returncode == 0
            assert deploy("wait", "docs-v1.0.0", "--for", "completed").returncode == 1
