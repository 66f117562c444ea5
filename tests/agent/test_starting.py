"""A mainframe as its owner starts it: nobody calls it, so it needs no token but its own for OMEGA."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from agent.ownership import OwnKey
from tests.agent.running import ROOT, client, until
from tests.support.ports import free_port


async def test_a_mainframe_without_a_token_of_the_bots_serves_says_its_key_and_lets_no_bot_in(tmp_path: Path) -> None:
    port, front, nobody = free_port(), free_port(), free_port()
    (tmp_path / "omega-token").write_text("a-token-of-its-own\n")
    (tmp_path / "agent.toml").write_text(
        f'role = "mainframe"\nname = "m"\ndata = "data"\nallow_same_user = true\nlisten = "127.0.0.1:{port}"\n'
        f'[front]\nlisten = "127.0.0.1:{front}"\n'
        f'[omega]\nurl = "http://127.0.0.1:{nobody}"\ntoken_file = "omega-token"\n'
    )
    command = (sys.executable, "-m", "agent", "--config", str(tmp_path / "agent.toml"), "--end-slots")
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=log)

    async def serves() -> dict[str, str]:
        assert process.returncode is None, (tmp_path / "log").read_text()
        return said(tmp_path / "log")

    try:
        await until(serves, "the agent serves")
        async with client(port) as anybody:
            assert (await anybody.get("/healthz")).text == "ok"
            for shown in ({}, {"Authorization": "Bearer None"}, {"Authorization": "Bearer a-token-of-its-own"}):
                assert (await anybody.get("/v1/state", headers=shown)).status_code == 401
    finally:
        process.terminate()
        await process.wait()
    key = OwnKey.at(tmp_path / "data" / "agent.key").public_text
    assert said(tmp_path / "log")["public_key"] == key


def said(log: Path) -> dict[str, str]:
    """The line by which an agent says that it serves; empty where it has not said so yet."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
    return next((line for line in lines if line["event"] == "agent serves"), {})
