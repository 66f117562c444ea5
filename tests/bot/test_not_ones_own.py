"""Files and folders that are another user's, read-only or open to others: one sentence each, and nothing is changed."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import keys, wiring
from bot.cli import program
from bot.settings import load
from tests.bot.test_cli import BOUND, CONFIG, command, environment, running

POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
"""Root passes every mode, but for what is started without its capabilities."""


def powerless(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*POWERLESS, *command(*words)], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BOUND, env=environment(), check=False,
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """What a bot has left that ran once; whatever modes a test sets, it can be removed."""
    (tmp_path / "config.toml").write_text(
        f'{CONFIG.format(uid=os.getuid())}\n[[agents]]\norigin = "http://127.0.0.1:9"\ntoken_file = "token"\n'
    )
    (tmp_path / "token").write_text("a-token-of-the-tests-0123456789")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "alpha").mkdir()
    keys.new(tmp_path / "data" / "bot.key.pem")
    settings = load(tmp_path / "config.toml")
    wiring.artifacts_of(settings)
    with wiring.claimed(settings):
        asyncio.run(_made(tmp_path))
    yield tmp_path
    (tmp_path / "data").chmod(0o700)


async def _made(home: Path) -> None:
    store = await wiring.store_of(load(home / "config.toml"), wiring.SystemClock())
    await store.close()


def seen(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Modes, times and sizes of all that is there."""
    found = {str(path): path.stat() for path in (folder, *folder.rglob("*"))}
    return {path: (stat.st_mode, stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


COMMANDS = [
    ("run",), ("keys", "list"), ("keys", "new"), ("audit", "verify"), ("audit", "export"), ("attest", "show", "v1"),
    ("backup", "copy.db"), ("restore", "token"),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_data_folder_that_lets_nobody_in_is_one_sentence(home: Path, words: tuple[str, ...]) -> None:
    (home / "data").chmod(0)
    done = powerless(*words, cwd=home)
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("ashat: ")
    assert str(home / "data") in line
    assert "Permission denied" in line or "unable to open" in line


@pytest.mark.parametrize("words", [("run",), ("audit", "verify"), ("attest", "show", "v1"), ("restore", "token")])
def test_a_data_folder_that_cannot_be_written_is_one_sentence(home: Path, words: tuple[str, ...]) -> None:
    before = seen(home / "data")
    (home / "data").chmod(0o500)
    done = powerless(*words, cwd=home)
    (home / "data").chmod(0o700)
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("ashat: ")
    assert str(home / "data") in line
    assert seen(home / "data") == before


def test_the_socket_beside_a_bot_that_never_ran_is_said(home: Path) -> None:
    (home / "data" / "ashat.sock.lock").unlink()
    (home / "data").chmod(0o500)
    done = powerless("run", cwd=home)
    assert done.returncode == 1
    assert done.stderr == (
        f"ashat: {home}/data/ashat.sock.lock cannot be written: Permission denied; "
        "the bot's user must be able to write to its folder.\n"
    )


def test_the_doctor_says_whose_the_files_are(home: Path) -> None:
    (home / "data").chmod(0)
    done = powerless("doctor", cwd=home)
    assert (done.returncode, done.stderr) == (1, "")
    said = done.stdout.splitlines()
    owner = f"belongs to user {os.getuid()}, and lets nobody else in. Mend: run this as user {os.getuid()}"
    assert [line for line in said if line.startswith("warn  File modes")] == [f"warn  File modes: {home}/data {owner}"]
    key = next(line for line in said if line.startswith("fail  Key: "))
    assert key.endswith("cannot be read: Permission denied. Mend: run this as the user who owns it")
    assert any(line.startswith("fail  Database: ") and "unable to open" in line for line in said)
    assert any(line.startswith("warn  Servers: none was asked: ") for line in said)


def test_the_doctor_only_looks(home: Path) -> None:
    """Also where much is to be mended: modes, what a killed bot left, and a schema of an older version."""
    data = home / "data"
    (data / "artifacts").chmod(0o755)
    (data / "artifacts" / ".coming-abc").write_bytes(b"half")
    (data / "ashat.db").chmod(0o644)
    with closing(sqlite3.connect(data / "ashat.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
        database.commit()
    before = seen(home)
    done = CliRunner().invoke(program, ["doctor", "--config", str(home / "config.toml")])
    assert "none was asked: the database has schema 0001, this version knows " in done.output
    after = seen(home)
    assert after.pop(str(data))[0] == before.pop(str(data))[0]  # SQLite's own files came and went
    assert after == before


def test_the_doctor_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[alpha]\nfolder = "alpha"\n')
    CliRunner().invoke(program, ["doctor", "--config", str(tmp_path / "config.toml")])
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_demo_in_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "own").mkdir(mode=0o500)
    for data in ("locked/demo", "own"):
        done = powerless("demo", "--data", data, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr == (
            f"ashat demo: {tmp_path / data} cannot be used: Permission denied; name another folder: --data DIR.\n"
        )


def test_a_bot_that_starts_warns_of_what_others_can_read(home: Path) -> None:
    for name in ("token", "data/bot.key.pem"):
        (home / name).chmod(0o644)
    with running(home) as process:
        process.terminate()
        _, log = process.communicate(timeout=BOUND)
    rows = [json.loads(line) for line in log.splitlines()]
    warned = {row["event"]: row["mend"] for row in rows if row["logger"] == "ashat.run"}
    assert warned == {
        f"{home / name} has mode 0644, open to others": f"chmod 0600 {home / name}"
        for name in ("token", "data/bot.key.pem")
    }
    assert [row["level"] for row in rows if row["logger"] == "ashat.run"] == ["warning"] * 2


def test_without_a_mode_that_is_too_open_nothing_is_warned_of(home: Path) -> None:
    with running(home) as process:
        process.terminate()
        _, log = process.communicate(timeout=BOUND)
    assert "ashat.run" not in log
