"""What docs/operations.md has people type does what the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

from agent.settings import read_token, token_hash

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
INSTALLING = PAGE.partition("## Installing")[2].partition("\n## ")[0]


def test_a_token_and_its_hash_are_made_as_the_page_says(tmp_path: Path) -> None:
    (make,) = re.findall(r"`(\(umask .*?\))`", PAGE)
    (hashed,) = re.findall(r"`(tr .*? sha256sum)`", PAGE)
    said = subprocess.run(
        ["sh", "-e", "-c", f"{make}; {hashed}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    token = tmp_path / "bot-token"
    assert said.stdout.split()[0] == token_hash(read_token(token))
    assert token.stat().st_mode & 0o777 == 0o600


def test_the_wheel_that_is_installed_is_this_one_with_its_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ((version, extras),) = re.findall(r"ashat-(\S+?)-py3-none-any\.whl\[(.*?)\]", INSTALLING)
    assert version == project["version"]
    assert set(extras.split(",")) == set(project["optional-dependencies"])


def test_the_units_find_their_program_users_and_folders_where_the_page_puts_them() -> None:
    lines = [
        shlex.split(line, comments=True)
        for block in re.findall(r"```sh\n(.*?)```", INSTALLING, re.DOTALL)
        for line in block.splitlines()
        if not line.startswith("#")
    ]
    (home,) = [words[-1] for words in lines if words[:3] == ["python3", "-m", "venv"]]
    users = {words[-1] for words in lines if words[0] == "useradd"}
    unit = (ROOT / "deploy" / "ashat.service").read_text("utf-8")
    for name in ("ashat", "ashat-agent"):
        assert f"ExecStart={home}/bin/ashat " in (ROOT / "deploy" / f"{name}.service").read_text("utf-8")
    assert set(re.findall(r"^(?:User|Group)=(.*)$", unit, re.MULTILINE)) | {"ashat-slot"} == users
    assert 'slot_user = "ashat-slot"' in (ROOT / "agent.example.toml").read_text("utf-8")
    (folder,) = [words[-1] for words in lines if words[0] == "install"]
    assert folder == "/var/lib/" + re.findall(r"^StateDirectory=(.*)$", unit, re.MULTILINE)[0]
    assert f'data = "{folder}"' in INSTALLING
