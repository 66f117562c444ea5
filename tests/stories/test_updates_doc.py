"""The worked example of docs/updates.md, done as the page says: its files, its commands, and real checks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.docs import pages
from core.release.archive import read_manifest
from core.release.manifest import ManifestError, parse_manifest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "updates.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the page was followed, and what was said there."""
    folder = tmp_path_factory.mktemp("update")
    (folder / "release.toml").write_text(block("toml"), "utf-8")
    (folder / "hello.py").write_text(block("python"), "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    followed = subprocess.run(
        ["sh", "-e", "-c", block("sh")], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert followed.returncode == 0, followed.stdout + followed.stderr
    return folder, followed.stdout


def test_the_example_passes_the_checks_that_it_declares(done: tuple[Path, str]) -> None:
    _, said = done
    for check in ("Health Check", "Module Load Test", "API Endpoint Test", "Performance Baseline"):
        assert f"✅ {check}" in said
    assert "➖ Database Connection" in said
    assert "hello-v1.0.0 passed here" in said


def test_the_archive_holds_the_manifest_of_the_page(done: tuple[Path, str]) -> None:
    folder, _ = done
    with (folder / "alpha" / "hello-v1.0.0.tar.gz").open("rb") as archive:
        assert read_manifest(archive) == parse_manifest(block("toml"))


def test_every_key_that_the_page_names_is_one_and_has_its_words() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", pages(DOCS)["updates.md"], re.MULTILINE)
    assert {"component", "start", "migrate", "schema", "names"} <= {key for key, _, _ in rows}
    assert [key for key, _, said in rows if not re.match(r"[A-Z`].*\.$", said)] == []
    with pytest.raises(ManifestError, match="line 1"):
        parse_manifest("compnent = 'main'\n" + block("toml"))
