"""Opens the playground's page, where this machine has a screen."""

from __future__ import annotations

import html
import os
import sys
import webbrowser
from pathlib import Path

_PAGE = """\
<!doctype html><meta charset="utf-8"><title>Playground</title><meta http-equiv="refresh" content="0; url={link}">
<a href="{link}">Open the playground</a>
"""


def open_page(link: str, folder: Path) -> bool:
    """Whether a browser took it. It is given a file that leads there: other users see a program's arguments."""
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    page = folder / "playground.html"
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_PAGE.format(link=html.escape(link, quote=True)))
    return webbrowser.open(page.as_uri())
