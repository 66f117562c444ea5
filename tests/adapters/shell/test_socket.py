"""The shell's socket, for real: who is on the other side, who may connect, and a command that acts once."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.shell.claim import SocketRefused, claimed
from adapters.shell.client import NoBot, ask
from adapters.shell.server import ShellServer
from adapters.shell.wire import Answer
from core.cards import Bar, Card
from core.people import Account
from core.ports import Incoming, Reply

HOME = "terminal:deployments"


class Door:
    """Answers what it is told to, and remembers what it was asked; a wait is answered when `open` is set."""

    def __init__(self) -> None:
        self.reply = Reply("done", Card("Counted, 1 of 2", (Bar(1, 2, "1 of 2"),)), "v1")
        self.submitted: list[Incoming] = []
        self.answered: list[Incoming] = []
        self.open, self.begun = asyncio.Event(), asyncio.Event()
        self.left = asyncio.Event()

    async def submit(self, message: Incoming) -> bool:
        new = message.delivery not in [known.delivery for known in self.submitted]
        self.submitted.append(message)
        return new

    async def answer(self, message: Incoming) -> Reply:
        self.answered.append(message)
        self.begun.set()
        if message.text.startswith("deploy wait"):
            try:
                await self.open.wait()
            finally:
                self.left.set()
        return self.reply


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "d" / "s"


@pytest.fixture
async def door(path: Path) -> AsyncIterator[Door]:
    door = Door()
    with claimed(path):
        server = ShellServer(path, door, HOME)
        await server.start()
        yield door
        await server.stop()


async def asked(path: Path, *words: str) -> Answer:
    return await asyncio.to_thread(ask, path, words, 30.0)


async def test_the_asker_is_the_user_of_the_process(door: Door, path: Path) -> None:
    answer = await asked(path, "approve", "v1")
    assert answer == Answer("done", ("Counted, 1 of 2", "1 of 2 ▓▓▓▓▓░░░░░"), "v1")
    [message] = door.answered
    assert message.account == Account("shell", str(os.getuid()))
    assert (message.platform, message.channel, message.text, message.shell) == (
        "shell",
        HOME,
        "deploy approve v1",
        True,
    )


def test_the_socket_is_its_owners_alone(door: Door, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_words_stay_as_the_shell_split_them(door: Door, path: Path) -> None:
    await asked(path, "push", "v1", "it's “new” -- really", "--task", "OPS 7")
    [message] = door.answered
    assert message.text == 'deploy push v1 "it\'s “new” -- really" --task "OPS 7"'


async def test_usage_needs_no_door(door: Door, path: Path) -> None:
    answer = await asked(path, "frobnicate")
    assert answer.outcome == "usage"
    assert door.submitted == []


async def test_a_cut_connection_is_made_again_with_the_same_id(tmp_path: Path) -> None:
    """The first connection is cut after the request was read: the second carries the same id, and no third comes."""
    path = tmp_path / "s"
    ids: list[str] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ids.append(json.loads(await reader.readline())["id"])
        writer.close()

    server = await asyncio.start_unix_server(cut, path)
    async with server:
        with pytest.raises(NoBot, match="ended before it answered"):
            await asked(path, "approve", "v1")
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_the_same_delivery_is_handed_on_as_such(door: Door, path: Path) -> None:
    line = json.dumps({"id": "0123456789", "words": ["approve", "v1"]}).encode() + b"\n"
    for _ in range(2):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        assert json.loads(await reader.readline())["outcome"] == "done"
        writer.close()
        await writer.wait_closed()
    assert [message.delivery for message in door.answered] == ["0123456789"] * 2


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b"[1]\n", b'{"id": "short", "words": []}\n', b"\xff\n"])
async def test_what_is_no_request_is_told_so(door: Door, path: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    assert json.loads(await reader.readline())["outcome"] == "usage"
    writer.close()
    await writer.wait_closed()
    assert door.submitted == []


async def test_a_wait_ends_when_the_one_who_waits_has_gone(door: Door, path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps({"id": "0123456789", "words": ["wait", "v1"]}).encode() + b"\n")
    await writer.drain()
    await door.begun.wait()
    writer.close()
    async with asyncio.timeout(30):
        await door.left.wait()


async def test_a_wait_ends_with_the_bot(path: Path) -> None:
    door = Door()
    with claimed(path):
        server = ShellServer(path, door, HOME)
        await server.start()
        waiting = asyncio.create_task(asked(path, "wait", "v1"))
        await door.begun.wait()
        await server.stop()
        with pytest.raises(NoBot):
            await waiting
    with pytest.raises(NoBot):
        await asked(path, "status")


async def test_what_a_dead_bot_left_is_replaced(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoBot, match="ashat run"):
        await asked(path, "status")
    with claimed(path):
        server = ShellServer(path, Door(), HOME)
        await server.start()
        assert (await asked(path, "approve", "v1")).outcome == "done"
        await server.stop()


def test_a_second_bot_is_refused_and_a_killed_one_is_not_in_the_way(path: Path) -> None:
    holder = (
        f"import sys, pathlib\nfrom adapters.shell.claim import claimed\n"
        f"with claimed(pathlib.Path({str(path)!r})):\n    print('held', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(SocketRefused, match="Another bot"), claimed(path):
                pass
        finally:
            process.kill()
    with claimed(path):
        assert path.parent.is_dir()


def test_a_folder_that_others_can_write_to_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(SocketRefused, match="chmod 700"), claimed(path):
        pass


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SocketRefused, match="too long"), claimed(tmp_path / ("x" * 120)):
        pass


def test_nobody_at_home(tmp_path: Path) -> None:
    with pytest.raises(NoBot, match="ashat run"):
        ask(tmp_path / "none", ["status"])
