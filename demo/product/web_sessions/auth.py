"""Signing in with a name, kept in a signed cookie."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from html import escape
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from ..kit.http import Request, RequestError, Response, see_other
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot

COOKIE = "raos_session"
MAX_NAME = 40
SESSION_SECONDS = 12 * 3600
"""A session ends by itself: a browser that is left open signs nothing the next day."""


class Sessions:
    """Issues and reads the cookie. The key lives as long as the process: a restart signs everyone out."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def cookie(self, name: str) -> str:
        """The Set-Cookie value that signs `name` in."""
        until = int(time.time()) + SESSION_SECONDS
        value = f"{until}.{base64.urlsafe_b64encode(name.encode()).decode()}"
        attributes = f"Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict"
        return f"{COOKIE}={value}.{self._signature(value)}; {attributes}"

    def name(self, request: Request) -> str | None:
        """Who sent the request, or None where nobody is signed in, or the session is over."""
        value, _, signature = _cookie(request).rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(value).encode()):
            return None
        until, _, name = value.partition(".")
        return base64.urlsafe_b64decode(name).decode() if time.time() < int(until) else None

    def _signature(self, value: str) -> str:
        return hmac.digest(self._key, value.encode(), "sha256").hex()


def feature(slot: Slot) -> Feature:
    """The page /auth with its form, and POST /auth and /auth/end."""
    sessions = Sessions()

    def form(request: Request) -> Response:
        return page(slot, "Sign in", _form(sessions.name(request)))

    def begin(request: Request) -> Response:
        name = " ".join(request.form().get("name", "").split())
        if not 0 < len(name) <= MAX_NAME:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"A name has 1 to {MAX_NAME} characters.")
        return see_other("/notes", ("Set-Cookie", sessions.cookie(name)))

    def end(_: Request) -> Response:
        return see_other("/", ("Set-Cookie", f"{COOKIE}=; Path=/; Max-Age=0"))

    slot.visitor = sessions.name
    routes = (Route("GET", "/auth", form), Route("POST", "/auth", begin), Route("POST", "/auth/end", end))
    return Feature(routes, link=("Sign in", "/auth"))


def _cookie(request: Request) -> str:
    try:
        morsel = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _form(name: str | None) -> str:
    if name:
        return (
            f'<section class="card"><p>You are signed in as <strong>{escape(name)}</strong>.</p>'
            '<form method="post" action="/auth/end"><button>Sign out</button></form></section>'
        )
    return (
        '<section class="card"><form method="post" action="/auth"><label>Your name, as others will see it'
        f'<input name="name" required maxlength="{MAX_NAME}" autocomplete="name"></label>'
        "<button>Sign in</button></form></section>"
    )
