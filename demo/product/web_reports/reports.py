"""Weekly reports, filled into a template."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from ..kit.http import Request, Response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot
from ..web.notes import newest


def feature(slot: Slot) -> Feature:
    """The page /reports."""
    template = Template((Path(__file__).parent / "report.html").read_text("utf-8"))

    def report(_: Request) -> Response:
        lines = "".join(f"<li>{escape(row['text'])}</li>" for row in newest(slot, 20))
        return page(slot, "Report", template.substitute(notes=lines))

    return Feature((Route("GET", "/reports", report),), link=("Reports", "/reports"))
