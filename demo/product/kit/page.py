"""The look of every page: one inline style sheet, light and dark, no script at all."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus
from pathlib import Path

from ..kit.http import Response
from ..kit.slot import Slot


def page(slot: Slot, title: str, body: str, *, status: int = HTTPStatus.OK, headline: bool = True) -> Response:
    """A whole page: `title` is text, `body` is HTML whose texts are escaped already."""
    about = slot.about
    links = "".join(_link(*feature.link) for feature in slot.features if feature.link)
    heading = f"<h1>{escape(title)}</h1>" if headline else ""
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · {escape(about.title)}'
        f'</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<style>{style(slot)}</style></head><body><header><a class="brand" href="{slot.prefix or "/"}">'
        f'<span class="mark" aria-hidden="true"></span>{escape(about.title)}</a><nav>{links}</nav>'
        f'<span class="badge" title="The update that this release came with">{escape(about.id)}</span></header>'
        f"<main>{heading}{body}</main><footer>{escape(about.title)} {escape(about.version)}, update "
        f"{escape(about.id)}, component {escape(about.component)}</footer></body></html>"
    )
    return Response(html.encode(), "text/html; charset=utf-8", status)


def error_page(slot: Slot, status: HTTPStatus, problem: str) -> Response:
    """A page for a person where an answer is not possible."""
    return page(slot, f"{int(status)} {status.phrase}", f'<p class="card">{escape(problem)}</p>', status=status)


def security_headers(slot: Slot) -> tuple[tuple[str, str], ...]:
    """Nothing is loaded from elsewhere, nothing is framed, nothing is cached: a switch is seen at once."""
    digest = base64.b64encode(hashlib.sha256(style(slot).encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; form-action 'self'"
    return (
        ("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'none'"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    )


def style(slot: Slot) -> str:
    """The style sheet. Each release has a hue of its own, so that a switch is seen at a glance."""
    hue = int.from_bytes(hashlib.sha256(slot.about.id.encode()).digest()[:2]) % 360
    return _CSS.replace("--hue:0", f"--hue:{hue}")


def _link(text: str, path: str) -> str:
    return f'<a href="{escape(path)}">{escape(text)}</a>'


_CSS = " ".join((Path(__file__).parent / "style.css").read_text("utf-8").split())
"""Read once, when the process starts: every page and the policy's hash must agree on it."""
