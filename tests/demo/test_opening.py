"""The playground's page is opened without its secret in any program's arguments."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from demo.opening import open_page

LINK = "http://127.0.0.1:8100/#secret&<"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was given; there is a screen."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(found.append(url)) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def test_a_browser_is_given_a_file_that_only_its_owner_reads(opened: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert open_page(LINK, tmp_path)
    page = Path(url2pathname(urlsplit(opened[-1]).path))
    assert page.parent == tmp_path
    assert page.stat().st_mode & 0o777 == 0o600
    assert "url=http://127.0.0.1:8100/#secret&amp;&lt;" in page.read_text("utf-8")
    assert "secret" not in "".join(opened)


def test_without_a_screen_nothing_is_opened(opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not open_page(LINK, tmp_path)
    assert opened == []
    assert list(tmp_path.iterdir()) == []
