"""The command `ashat` as people run it: real processes, their exit statuses, and what they say."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.ownership import OwnKey
from agent.settings import parse_settings
from bot import keys
from bot.cli import program
from bot.settings import parse

ROOT = Path(__file__).resolve().parents[2]
BOUND = 60.0
"""Seconds, on a busy machine."""
CONFIG = """
[ashat]
data = "data"

[alpha]
folder = "alpha"

[people.me]
name = "Ann Me"
shell = {uid}
roles = ["deployer", "admin"]
"""
Done = subprocess.CompletedProcess[str]


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from bot.cli import main; main()", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"}


def ashat(*words: str, cwd: Path, text: str = "") -> Done:
    return subprocess.run(
        command(*words), cwd=cwd, input=text, capture_output=True, text=True, timeout=BOUND, env=environment(),
        check=False,
    )  # fmt: skip


def here(*words: str) -> Done:
    """The same without a process of its own, for what needs none: much faster."""
    result = CliRunner().invoke(program, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(words, result.exit_code, result.stdout, result.stderr)


@contextmanager
def running(home: Path) -> Iterator[subprocess.Popen[str]]:
    """`ashat run` in `home`, once it listens; it is ended with the block."""
    socket = home / "data" / "ashat.sock"
    with subprocess.Popen(
        command("run"), cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            until = time.monotonic() + BOUND
            while not socket.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=BOUND)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, a key, and an ALPHA that holds nothing."""
    home = tmp_path_factory.mktemp("h")
    (home / "config.toml").write_text(CONFIG.format(uid=os.getuid()))
    (home / "alpha").mkdir()
    keys.new(home / "data" / "bot.key.pem")
    return home


@pytest.fixture(scope="module")
def bot(home: Path) -> Iterator[subprocess.Popen[str]]:
    with running(home) as process:
        yield process


# -- without a bot -----------------------------------------------------------------------------------------------------


def test_the_version_is_told() -> None:
    done = here("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "ashat")


def test_help_is_the_chats_own_and_ends_with_where_more_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = here("help")
    assert done.returncode == 0
    assert "deploy approve <id>" in done.stdout
    assert "docs/guide.md" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "topic"),
    [(("--help",), ()), (("help",), ()), (("push", "--help"), ("push",)), (("help", "push"), ("push",))],
)
def test_help_on_a_command_needs_neither_bot_nor_settings(
    tmp_path: Path, home: Path, words: tuple[str, ...], topic: tuple[str, ...]
) -> None:
    for config in (tmp_path / "none.toml", home / "config.toml"):
        done = here("deploy", "--config", str(config), *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == here("help", *topic, "--config", str(config)).stdout
        assert "deploy push <id>" in done.stdout


def test_no_bot_is_status_three(home: Path) -> None:
    done = ashat("deploy", "--config", "config.toml", "status", cwd=home)
    assert (done.returncode, done.stdout) == (3, "")
    assert "start it with `ashat run`" in done.stderr


def test_usage_is_status_two_and_needs_no_bot(home: Path) -> None:
    done = ashat("deploy", "aprove", "v1", cwd=home)
    assert done.returncode == 2
    assert "nearest: deploy approve" in done.stderr


@pytest.mark.parametrize("words", [("run",), ("deploy", "status"), ("audit", "verify"), ("keys", "new"), ("doctor",)])
def test_missing_settings_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(*words)
    assert done.returncode in (1, 2)
    assert "config.toml does not exist" in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) == 1


def test_a_key_is_made_once(tmp_path: Path) -> None:
    first, second = (here("keys", "new", str(tmp_path / "own" / "key.pem")) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 1)
    assert "bot_keys = [" in first.stdout
    assert "is not overwritten" in second.stderr
    assert (tmp_path / "own" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_an_agents_role_must_be_the_files(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('role = "omega"\nname = "o"\ndata = "d"\nallow_same_user = true\n')
    done = here("agent", "--role", "public", "--config", str(tmp_path / "agent.toml"))
    assert done.returncode == 2
    assert "is of role omega, and --role says public" in done.stderr


def test_an_agents_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('role = "omega"\nname = "o"\nslot_usr = "o"\ndata = "d"\nslot_user = "o"\n')
    for role in (["--role", "omega"], []):
        done = here("agent", *role, "--config", str(tmp_path / "agent.toml"))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "slot_usr" in done.stderr


def test_an_agent_tells_all_that_is_wrong_with_its_settings_at_once(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("")
    done = here("agent", "--config", str(tmp_path / "agent.toml"))
    assert done.returncode == 2
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["role", "name", "data", "slot_user"]


def test_an_agent_shows_its_key_as_others_settings_take_it(tmp_path: Path) -> None:
    (tmp_path / "public.toml").write_text('role = "public"\nname = "p"\ndata = "d"\nallow_same_user = true\n')
    first, second = (here("agent", "--show-key", "--config", str(tmp_path / "public.toml")) for _ in range(2))
    assert first.stdout == second.stdout
    bots = f'[[agents]]\norigin = "http://localhost:9101"\ntoken_file = "t"\n{first.stdout}'
    assert parse(bots).agents[0].public_key == OwnKey.at(tmp_path / "d" / "agent.key").public_text


def test_a_mainframe_shows_what_omegas_registry_takes(tmp_path: Path) -> None:
    omega = '[omega]\nurl = "https://o"\ntoken_file = "omega-token"\n'
    top = 'name = "m"\ndata = "d"\nallow_same_user = true\n'
    (tmp_path / "agent.toml").write_text(f'role = "mainframe"\n{top}{omega}')
    without = here("agent", "--show-key", "--config", str(tmp_path / "agent.toml"))
    assert (without.returncode, without.stdout) == (2, "")
    assert "cannot read the token file" in without.stderr
    other = here("agent", "--show-key", "--role", "omega", "--config", str(tmp_path / "agent.toml"))
    assert (other.returncode, other.stdout) == (2, "")
    assert not (tmp_path / "d").exists(), "what is refused makes no key"
    (tmp_path / "omega-token").write_text("a-token-of-its-own\n")
    shown = here("agent", "--show-key", "--config", str(tmp_path / "agent.toml")).stdout
    registry = parse_settings(f'role = "omega"\n{top}[[mainframes]]\nname = "m"\nowner = "O"\n{shown}')
    assert registry.mainframes[0].public_key == OwnKey.at(tmp_path / "d" / "agent.key").public_text
    assert registry.mainframes[0].token_sha256 == sha256(b"a-token-of-its-own").hexdigest()


# -- with one ----------------------------------------------------------------------------------------------------------


def test_done_is_status_zero(bot: object, home: Path) -> None:
    done = ashat("deploy", "whoami", cwd=home)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "You are Ann Me, on shell.")


def test_refused_is_status_one(bot: object, home: Path) -> None:
    done = ashat("deploy", "push", "v1", "it's a 'quoted' text", "--task", "OPS-7", cwd=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Public Server not configured. Ann Me can: `deploy configure public")


def test_flags_of_the_command_are_the_commands_own(bot: object, home: Path) -> None:
    done = ashat("deploy", "wait", "v1", "--timeout", "1s", cwd=home)
    assert done.returncode == 1
    assert "There is no deployment v1" in done.stderr
    assert "deploy wait" in ashat("deploy", "wait", "--help", cwd=home).stdout


def test_a_second_bot_on_the_same_data_is_refused(bot: object, home: Path) -> None:
    done = ashat("run", cwd=home)
    assert done.returncode == 1
    assert "Another bot is running here" in done.stderr
    settings = CONFIG.format(uid=os.getuid())
    (home / "other.toml").write_text(settings.replace("[ashat]", '[ashat]\nsocket = "other/ashat.sock"'))
    done = ashat("run", "--config", "other.toml", cwd=home)
    assert done.returncode == 1
    assert "Another bot works on" in done.stderr


def test_a_console_keeps_off_a_teams_data(bot: object, home: Path) -> None:
    (home / "data" / "config.toml").write_text('[ashat]\ndata = "."\n')
    done = ashat("console", "--data", "data", cwd=home, text="status\n")
    assert done.returncode == 2
    assert "people of its own" in done.stderr


def test_it_leaves_at_sigterm_and_comes_back(tmp_path: Path, home: Path) -> None:
    (tmp_path / "config.toml").write_text((home / "config.toml").read_text())
    keys.new(tmp_path / "data" / "bot.key.pem")
    for number in (signal.SIGTERM, signal.SIGINT):
        with running(tmp_path) as process:
            process.send_signal(number)
            _, log = process.communicate(timeout=BOUND)
            assert process.returncode == 0, log
            assert '"event": "stopped"' in log
            assert not (tmp_path / "data" / "ashat.sock").exists()


def exported(home: Path) -> None:
    """While the bot runs; the file is private, is never written over, and proves itself by the public key alone."""
    file, config = home / "journal.jsonl", ("--config", str(home / "config.toml"))
    done = here("audit", "export", str(file), *config)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "the export is journaled" in done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = here("audit", "export", str(file), *config)
    assert (again.returncode, "exists already; choose another name" in again.stderr) == (1, True)
    rows = [json.loads(line) for line in here("audit", "export", *config).stdout.splitlines()]
    made = [row for row in rows if row.get("kind") == "Exported"]
    assert [(row["chain"], row["by"], row["via"]) for row in made] == [("system", "me", "shell")] * 2
    public = keys.known(home / "data" / "bot.key.pem")[-1].public
    found = here("audit", "verify", str(file), "--key", public)
    assert (found.returncode, "The journal is whole" in found.stdout) == (0, True), found.stderr
    assert here("audit", "export", "--since", "soon", *config).returncode == 2


def test_the_audit_counts_what_it_checked_and_names_a_changed_event(tmp_path: Path, home: Path) -> None:
    (tmp_path / "config.toml").write_text((home / "config.toml").read_text())
    keys.new(tmp_path / "data" / "bot.key.pem")
    assert "There is no journal" in here("audit", "verify", "--config", str(tmp_path / "config.toml")).stderr
    with running(tmp_path):
        refused = ashat("deploy", "configure", "public", "http://127.0.0.1:1", "Nobody", cwd=tmp_path)
        assert refused.returncode == 0, refused.stderr
        exported(tmp_path)
    whole = here("audit", "verify", "--config", str(tmp_path / "config.toml"))
    assert whole.returncode == 0, whole.stderr
    assert "The journal is whole" in whole.stdout
    with closing(sqlite3.connect(tmp_path / "data" / "ashat.db")) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        changed = database.execute("UPDATE journal SET data = replace(data, 'Nobody', 'Somebody')").rowcount
        database.commit()
    assert changed >= 1
    found = here("audit", "verify", "--config", str(tmp_path / "config.toml"))
    assert found.returncode == 1
    assert "system event" in found.stderr
