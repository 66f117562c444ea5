"""What the front door changes in headers on their way, and which requests it does not carry."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import h11

_HOP_BY_HOP = frozenset(b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split()) | {
    b"proxy-authenticate",
    b"proxy-authorization",
}
"""RFC 9110, section 7.6.1: they speak of one connection, and the next one has its own."""
_NEVER_DROPPED = frozenset((b"host", b"content-length"))
"""A client must not be able to have these taken away by naming them in Connection."""
_FORWARDED = frozenset((b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"))
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))

Header = tuple[bytes, bytes]


def refusal(request: h11.Request) -> tuple[int, str] | None:
    """Status and sentence for a request that the door does not carry; None for one that it does."""
    names = [name for name, _ in request.headers]
    if request.method == b"CONNECT":
        return 501, "This front door opens no tunnels."
    if b"upgrade" in _listed(request.headers, b"connection"):
        return 501, "This front door carries no upgraded connections such as WebSockets."
    if b"transfer-encoding" in names and b"content-length" in names:
        return 400, "A request has a length or is chunked, not both."
    return None


def has_body(request: h11.Request) -> bool:
    headers = dict(request.headers)
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0") != b""


def may_be_repeated(request: h11.Request) -> bool:
    """Whether to send it twice does no more than to send it once (RFC 9110, section 9.2.1), and it is all here."""
    return request.method in _SAFE and not has_body(request)


def request_path(request: h11.Request) -> str:
    """The path alone: without the query, and without the origin of a request in absolute form."""
    target = request.target.decode("ascii", "replace")
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]


def request_headers(request: h11.Request, peer: str) -> list[Header]:
    """What the release gets: the client's headers, and who asked."""
    original = dict(request.headers)
    trusted = _is_loopback(peer)
    headers = [h for h in _end_to_end(request) if h[0].lower() not in _FORWARDED | {b"expect"}]
    host = original.get(b"host", b"")
    if not host:
        headers.append((b"Host", b"localhost"))
    before = original.get(b"x-forwarded-for") if trusted else None
    headers.append((b"X-Forwarded-For", b", ".join(filter(None, (before, peer.encode())))))
    for name, own in ((b"X-Forwarded-Host", host), (b"X-Forwarded-Proto", b"http")):
        headers.append((name, original.get(name.lower(), own) if trusted else own))
    if b"transfer-encoding" in original:
        headers.append((b"Transfer-Encoding", b"chunked"))
    return headers


def response_headers(response: h11.Response) -> list[Header]:
    """What the client gets; how the body is framed is for h11 to say, for each client as it can read it."""
    return _end_to_end(response)


def _end_to_end(message: h11.Request | h11.Response) -> list[Header]:
    dropped = (_HOP_BY_HOP | _listed(message.headers, b"connection")) - _NEVER_DROPPED
    return [(name, value) for name, value in message.headers.raw_items() if name.lower() not in dropped]


def _listed(headers: Iterable[Header], name: bytes) -> frozenset[bytes]:
    values = (value for key, value in headers if key == name)
    return frozenset(part.strip().lower() for value in values for part in value.split(b","))


def _is_loopback(peer: str) -> bool:
    """A proxy on this host speaks for its clients; nobody else does."""
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
