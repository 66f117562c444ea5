"""A mainframe's way to OMEGA: HTTP with a bearer token, certificates always verified, no proxy from the environment."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr, ValidationError

from agent.errors import Refused
from core.release.wire import Assignments, EnvelopeJson, MainframeReport, Poll, Problem, ReceiptSent

POLL_GRACE = 15.0
"""Seconds beyond a poll's own wait after which OMEGA counts as away."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class OmegaAwayError(Exception):
    """OMEGA did not answer, or not as OMEGA does. It is tried again; `str(error)` says what happened."""


@dataclass(frozen=True)
class Download:
    """The rest of an artifact from where it was asked for. `length` is the whole artifact's, in bytes."""

    length: int
    chunks: AsyncIterator[bytes]


class OmegaConnection:
    """One mainframe's connection. Use it as an async context manager."""

    def __init__(self, url: str, token: SecretStr, ca_file: Path | None = None) -> None:
        """Raises ValueError where the token would cross a network unencrypted, OSError for an unreadable `ca_file`."""
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token.get_secret_value()}", "Accept-Encoding": "identity"},
            verify=_tls(url, ca_file),
            timeout=TIMEOUT,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def poll(self, after: int, wait: float, reports: Sequence[MainframeReport]) -> Assignments:
        """Report, and learn what should run. Raises OmegaAwayError, and Refused with OMEGA's reason."""
        body = Poll(after=after, wait=wait, reports=tuple(reports)).model_dump(mode="json")
        with _translated():
            timeout = httpx.Timeout(wait + POLL_GRACE, connect=10.0)
            response = await self._client.post("/v1/poll", json=body, timeout=timeout)
        _require(response, HTTPStatus.OK)
        try:
            return Assignments.model_validate_json(response.content)
        except ValidationError as error:
            raise OmegaAwayError("what answered the poll is not an OMEGA of this version") from error

    async def send_receipt(self, envelope: EnvelopeJson) -> bool:
        """Whether it counted: OMEGA also takes one that a newer release has overtaken. Raises as `poll` does."""
        body = ReceiptSent(receipt=envelope).model_dump(mode="json")
        with _translated():
            response = await self._client.post("/v1/receipts", json=body)
        _require(response, HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED)
        return response.status_code == HTTPStatus.NO_CONTENT

    @asynccontextmanager
    async def artifact(self, digest: str, offset: int) -> AsyncIterator[Download]:
        """The artifact's bytes from `offset` on. Raises as `poll` does, also while the bytes come."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with _translated():
            async with self._client.stream("GET", f"/v1/artifacts/{digest}", headers=headers) as response:
                if response.status_code >= HTTPStatus.BAD_REQUEST:
                    await response.aread()
                if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    _require(response, HTTPStatus.PARTIAL_CONTENT if offset else HTTPStatus.OK)
                yield Download(_whole_length(response), _chunks(response))


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever goes wrong on the way is the same to a mainframe: OMEGA is away."""
    try:
        yield
    except httpx.HTTPError as error:
        raise OmegaAwayError(f"OMEGA cannot be reached: {type(error).__name__} {error}".rstrip()) from error


def _require(response: httpx.Response, *expected: HTTPStatus) -> None:
    """Raises Refused where OMEGA says no, and OmegaAwayError for any other answer that was not `expected`."""
    if response.status_code in expected:
        return
    if HTTPStatus.BAD_REQUEST <= response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError as error:
            raise OmegaAwayError(f"what answers at OMEGA's address is no OMEGA: {response.status_code}") from error
        raise Refused(problem.kind, problem.problem)
    raise OmegaAwayError(f"OMEGA answered {response.status_code}")


def _whole_length(response: httpx.Response) -> int:
    """From `Content-Range: bytes 5-9/10` or `bytes */10`, or else the length of the whole answer."""
    found = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
    length = found[1] if found else response.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise OmegaAwayError("OMEGA did not say how long the artifact is")
    return int(length)


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body; none where all bytes were here already and only the check of their digest is missing."""
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return
    with _translated():
        async for chunk in response.aiter_raw():
            yield chunk


def _tls(url: str, ca_file: Path | None) -> ssl.SSLContext:
    """Verifies always, against `ca_file` or the system's authorities."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return ssl.create_default_context(cafile=ca_file)
    if not _is_loopback(parts.hostname or ""):
        raise ValueError(f"omega.url: {url} would carry this mainframe's token unencrypted; use https")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
