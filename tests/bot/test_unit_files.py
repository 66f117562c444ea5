"""The units in deploy/: their command lines are read by the real one, and systemd itself reads the rest where it is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import program

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
PROGRAM = "/opt/ashat/bin/ashat"


class Reached(Exception):
    """The command asked for its settings, so its command line was right."""


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


def test_each_program_of_the_product_has_its_unit() -> None:
    assert [unit.name for unit in UNITS] == ["ashat-agent.service", "ashat.service"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("ashat-agent", "agent.settings.load_settings"), ("ashat", "bot.settings.load")],
)
def test_the_real_command_line_takes_what_the_unit_starts(
    name: str, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def instead(path: Path) -> None:
        asked.append(path)
        raise Reached

    monkeypatch.setattr(settings, instead)
    (start,) = values(ROOT / "deploy" / f"{name}.service", "ExecStart")
    installed, *words = shlex.split(start)
    result = CliRunner().invoke(program, words)
    assert isinstance(result.exception, Reached), result.output
    assert installed == PROGRAM
    assert [path.parent for path in asked] == [Path("/etc/ashat")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_lets_its_program_write_where_its_own_words_say(unit: Path) -> None:
    """All else is read-only to it, so a state folder that is only named in a comment must be one that systemd makes."""
    assert values(unit, "ProtectSystem") == ["strict"]
    (folder,) = values(unit, "StateDirectory")
    (data,) = re.findall(r"^# .*\bdata = \"(.*?)\"", unit.read_text("utf-8"), re.MULTILINE)
    assert data == f"/var/lib/{folder}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    here = tmp_path / unit.name
    here.write_text(unit.read_text("utf-8").replace(PROGRAM, f"{Path(sys.executable).parent}/ashat"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
