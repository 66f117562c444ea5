"""HTTP as the checks speak it: no proxy, no redirect followed, no endless body, and every failure says where."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from agent.checks.context import Place, Unmet

MAX_BODY = 1024 * 1024
"""Bytes of a body that are read; more is cut and marked."""


@dataclass(frozen=True)
class Answer:
    """What came back for `where` (`GET /api/users`)."""

    where: str
    status: int
    headers: httpx.Headers
    body: bytes
    cut: bool

    def must_be(self, status: int) -> None:
        """Raises Unmet where it is another status."""
        if self.status != status:
            raise Unmet(str(status), str(self.status), self.where)

    def json(self) -> Any:
        """The body as JSON. Raises Unmet, which describes the body and does not repeat it."""
        if self.cut:
            raise Unmet(f"JSON of at most {MAX_BODY} bytes", "more", self.where)
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type")
            raise Unmet("JSON", f"{len(self.body)} bytes that are not JSON ({kind})", self.where) from error


def new_client(trusted: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client for one check of one host. Time is bounded by the check's own deadline, not by the client.

    Without `trusted` it talks to slots, over plain http on this host; it would trust no certificate at all.
    """
    return httpx.AsyncClient(
        verify=trusted or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - every check runs under its deadline
        headers={"Accept-Encoding": "identity", "User-Agent": "ashat-agent"},
    )


async def fetch(
    client: httpx.AsyncClient,
    place: Place,
    base: str,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
    shown: str | None = None,
) -> Answer:
    """One request; `shown` is what a report calls the path. Raises Unmet where no HTTP answer comes."""
    where = f"{method} {shown or path}"
    place.where, place.seen = where, "no answer"
    url = base.rstrip("/") + path
    try:
        request = client.build_request(method, url, headers=headers, extensions=dict(extensions or {}))
        response = await client.send(request, stream=True)
        try:
            body, cut = await _bounded(response)
        finally:
            await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unmet("an HTTP answer", f"none: {error or type(error).__name__}", where) from error
    return Answer(where, response.status_code, response.headers, body, cut)


async def _bounded(response: httpx.Response) -> tuple[bytes, bool]:
    """The raw bytes, never decompressed: a small answer cannot grow into a large one here."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY:
            return bytes(body[:MAX_BODY]), True
    return bytes(body), False
