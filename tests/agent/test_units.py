"""The agent's small parts, without processes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

from agent.changes import Changes
from agent.ownership import bound_socket
from agent.processes.words import last_words
from agent.settings import split_address
from agent.slots.crashes import Crashes
from agent.slots.environment import read_env_file
from tests.agent.running import ROOT


def test_crashes_are_left_alone_ever_longer_and_up_to_a_minute() -> None:
    crashes, now, waits = Crashes(), 0.0, []
    for _ in range(9):
        crashes.fell("s", "it died", now)
        assert crashes.down("s") == "it died"
        wait = next(wait for wait in (0.5, 1, 2, 4, 8, 16, 32, 60) if crashes.due("s", now + wait))
        assert not crashes.due("s", now + wait - 0.01)
        waits.append(wait)
        now += wait
        crashes.rose("s", now)
        assert crashes.down("s") is None
        now += 1
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    crashes.fell("s", "it died", now + 100)
    assert crashes.due("s", now + 100.5), "after a minute of health it begins anew"
    crashes.fell("t", "its host was restarted", now, at_once=True)
    assert crashes.due("t", now)


async def test_whoever_waits_for_a_change_wakes_up_with_it_or_at_the_time_out() -> None:
    changes = Changes()
    assert await changes.wait(0, 0.001) == 0
    waiting = [asyncio.create_task(changes.wait(0, 30)) for _ in range(3)]
    await asyncio.sleep(0)
    changes.mark()
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert await changes.wait(7, 30) == 1, "a number from before a restart"


def test_last_words_are_printable_short_and_without_secrets(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_words(log, ()) == ""
    lines = [f"line {number}" for number in range(5000)]
    log.write_bytes(
        "\n".join(lines).encode()
        + b"\n\x1b[2J\x1b]0;title\x07red\x1b[0m \xe2\x80\xaetxt\xff\n\npass=hun\x1b[0mter22 7\n"
    )
    words = last_words(log, ["hunter22", "7"])
    assert words.isprintable()
    assert words.endswith("line 4999 | red txt\ufffd | pass=••• 7")
    assert len(words) <= 800


def test_addresses_and_env_files(tmp_path: Path) -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    (tmp_path / "env").write_text("# a\n\nA=1\nB = 'x = y'\nC=\"\n")
    assert read_env_file(tmp_path / "env") == {"A": "1", "B": "x = y", "C": '"'}
    assert read_env_file(None) == {}


def test_an_agent_is_light_and_its_door_and_keeper_are_lighter() -> None:
    heavy = (
        "['sqlmodel', 'sqlalchemy', 'jsonschema', 'httpx', 'fastapi', 'apscheduler', 'slack_bolt', 'discord', 'bot']"
    )
    for module, banned in (
        ("agent.program", heavy),
        ("agent.door.__main__", "['pydantic', 'starlette', 'structlog', 'securesystemslib']"),
        ("agent.processes.keeper", "['asyncio', 'h11', 'pydantic']"),
    ):
        code = f"import sys, {module}; print([name for name in {banned} if name in sys.modules])"
        found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]", module


def test_an_answer_does_not_wait_for_the_caller_to_acknowledge_its_beginning() -> None:
    with bound_socket("127.0.0.1:0") as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
