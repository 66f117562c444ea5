"""The wheel, in an environment of its own and an empty folder: what a user installs has everything that it needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(*words: str | Path, cwd: Path) -> str:
    """Standard output. A failure shows everything that was printed."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", out, ROOT, cwd=out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the locked dependencies and the wheel."""
    home = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    lock = ROOT / "requirements.lock"
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, "--require-hashes", "-r", lock, cwd=home)
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, "--no-deps", wheel, cwd=home)
    return python.parent


def test_holds_only_the_program(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
    assert folders - {"bot", "core", "adapters", "agent", "demo"} == {next(f for f in folders if "dist-info" in f)}


def test_explains_itself(installed: Path, tmp_path: Path) -> None:
    assert "deploy push" in run(installed / "ashat", "help", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_writes_the_examples_from_which_settings_are_made(installed: Path, tmp_path: Path) -> None:
    """docs/operations.md begins with them: no file of the repository is beside an installed program."""
    for words, name in (((), "config.example.toml"), (("agent",), "agent.example.toml")):
        assert run(installed / "python", "-m", "bot.settings", *words, cwd=tmp_path) == (ROOT / name).read_text("utf-8")


def test_shows_the_key_of_an_agent(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text((ROOT / "agent.example.toml").read_text().replace("/var/lib/ashat-agent", "d"))
    shown = run(installed / "ashat", "agent", "--show-key", "--config", "agent.toml", cwd=tmp_path)
    assert shown.startswith('public_key = "')


def test_builds_the_demo_updates(installed: Path, tmp_path: Path) -> None:
    """The product's pages and modules are packed as well."""
    run(installed / "python", "-c", "import pathlib, demo.updates as u; u.build(pathlib.Path())", cwd=tmp_path)
    assert len(list(tmp_path.glob("patch-v1.2.3.*"))) == 1


def test_opens_a_console_of_its_own(installed: Path, tmp_path: Path) -> None:
    """Settings, key, migrations and database are made in an empty folder."""
    script = "deploy help\ndeploy status\ndeploy servers\n"
    done = subprocess.run(
        [installed / "ashat", "console", "--data", "own"], cwd=tmp_path, input=script, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not Configured" in done.stdout
