"""Who gets in: requests to this machine's own name, from this page, with the run's own secret. Nothing else is read.

A page of another site can send requests to loopback, and a name of its own can be made to point there; so Host and
Origin are compared with the addresses that the playground has, and everything but the page's own files needs a cookie
that only the link printed at the start gives (OWASP: DNS rebinding, cross-site request forgery).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
_SAFE = frozenset({"GET", "HEAD"})
_OWN = frozenset({"same-origin", "none"})
"""What browsers say of requests that a page sends to its own origin, and of addresses that people typed."""


class Keys:
    """The link's token, which a first visit changes for the session's secret. Both are this run's alone."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(16)
        self.session = secrets.token_urlsafe(32)

    def opens(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())

    def knows(self, session: str) -> bool:
        return hmac.compare_digest(session.encode(), self.session.encode())


class Gate:
    """In front of the whole application. `addresses` are `host:port` as a browser may name them."""

    def __init__(
        self, app: ASGIApp, addresses: Sequence[str], keys: Keys, cookie: str, open_paths: Sequence[str]
    ) -> None:
        self._app = app
        self._hosts = frozenset(addresses)
        self._origins = frozenset(f"http://{address}" for address in addresses)
        self._keys = keys
        self._cookie = cookie
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the playground serves http, not {scope['type']}")
        refused = self._refusal(scope["method"], scope["path"], Headers(scope=scope))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (refused or self._app)(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> JSONResponse | None:
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return refusal(421, "This is not the playground's address; use the link that was printed at its start.")
        is_file = path in self._open and method in _SAFE
        if not is_file and not self._from_own_page(method, headers):
            return refusal(403, "Only the playground's own page may ask for this.")
        if path not in self._open and not self._has_session(headers.get("cookie", "")):
            return refusal(401, "Open the link that was printed at the start of the playground.")
        return None

    def _from_own_page(self, method: str, headers: Headers) -> bool:
        """Browsers leave Origin out of a page's own GET, and say there whose page it is by Sec-Fetch-Site."""
        origin = headers.get("origin")
        if origin is None:
            return method in _SAFE and headers.get("sec-fetch-site", "same-origin") in _OWN
        return origin in self._origins

    def _has_session(self, header: str) -> bool:
        try:
            morsel = SimpleCookie(header).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self._keys.knows(morsel.value)


def refusal(status: int, problem: str) -> JSONResponse:
    """Every error of the playground: one sentence for a person."""
    return JSONResponse({"problem": problem}, status)
