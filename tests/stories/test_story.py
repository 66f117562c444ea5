"""The guide's examples on the demo's eight real servers, then a script for a console on the same data."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.servers import Servers, start
from demo.story import tell

ROOT = Path(__file__).resolve().parents[2]
BOUND = 240.0
"""Seconds, on a busy machine; it takes under 90 on two cores that have nothing else to do."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = start(tmp_path_factory.mktemp("story"))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.mark.timeout(BOUND)
async def test_the_guides_examples_and_a_rollback(servers: Servers) -> None:
    stream = io.StringIO()
    await tell(servers, stream)
    text = stream.getvalue()
    assert text.count("checked over HTTP") == 25
    assert "✅ Verification PASSED!" in text
    assert "❌ Verification FAILED!" in text
    assert "Licence expired, gets nothing: m6" in text
    assert "❄ m1 (OMEGA eu) is frozen, by Eve" in text
    assert "4 of 4 mainframes healthy" in text
    assert text.count("m1 is brought to what its peers run of docs now, by itself") == 1


SCRIPT = """\
# on top of what the story left in production
@zoe deploy push docs-v1.0.0 'The first handbook'
@zoe deploy verify docs-v1.0.0
@zoe deploy approve docs-v1.0.0
@max deploy wait docs-v1.0.0 --for completed --timeout 1m
"""


@pytest.mark.timeout(BOUND)
def test_a_script_waits_for_what_each_line_began(servers: Servers) -> None:
    """Whoever owns the data may approve their own push; the second run is refused what was done before."""
    good, again = console(servers, SCRIPT), console(servers, "deploy push docs-v1.0.0 'Once more'\n")
    assert good.returncode == 0, good.stdout + good.stderr
    shown = [line[10:] for line in good.stdout.splitlines()]
    order = ["📋 Planned: docs-v1.0.0, docs", "📦 Staged: docs-v1.0.0", "✅ Completed: docs-v1.0.0"]
    assert [line for line in shown if line in order] == order
    assert "Everybody who speaks here" in good.stdout
    assert again.returncode == 1
    assert "✗ " in again.stdout


def console(servers: Servers, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from bot.cli import main; main()", "console", "--data", str(servers.data)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        command, input=script, capture_output=True, text=True, timeout=BOUND, env=environment, check=False
    )
