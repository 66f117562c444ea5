"""One server's HTTP: a request out, a checked model or a ServerFault back, and nothing of what else it said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from adapters.servers.failures import Declined, Garbled, Patience, fault_of
from adapters.servers.guard import HostRefused, is_loopback
from adapters.servers.texts import tidied
from core.ports import ServerFault
from core.release.wire import Problem
from core.text import clean

Model = TypeVar("Model", bound=BaseModel)

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer: a distribution to some ten thousand mainframes with their receipts."""
MAX_PROBLEM = 64 * 1024
"""Bytes of an error's body."""
PROBLEM_LENGTH = 300
"""Characters of a server's own sentence that are passed on."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What settings hold for one origin."""

    token: SecretStr
    public_key: str | None = None
    """The agent's Ed25519 key, 64 hexadecimal digits, where settings pin it."""


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`, one text for all ways to write them."""
    parsed = httpx.URL(url)
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    return f"{parsed.scheme}://{parsed.netloc.decode().rpartition('@')[2].removesuffix(f':{port}')}:{port}"


class Link:
    """Requests to one server. `name` begins every sentence about it."""

    def __init__(
        self, client: httpx.AsyncClient, name: str, url: str, credential: Credential | None, patience: Patience
    ) -> None:
        self._client = client
        self._base = url.rstrip("/")
        self._credential = credential
        self.name = clean(name, 80)
        self.patience = patience

    async def ask(
        self, method: str, path: str, answer: type[Model], body: BaseModel | None = None, *, anyone: bool = False
    ) -> Model:
        """Send `body` as JSON; the answer as an `answer`, its texts made safe to show. Raises ServerFault.

        What is not set in `body` is not sent: an agent of an earlier version refuses fields that it does not know.
        """
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = body.model_dump_json(exclude_unset=True).encode() if body is not None else None
        sent = self.request(method, path, headers, content, anyone=anyone)
        async with self.exchange(sent, self.patience.answer) as response:
            data = await self._read(response, MAX_ANSWER)
        try:
            return tidied(answer.model_validate_json(data))
        except ValidationError as error:
            raise Garbled(
                f"{self.name} answered {method} {path} with something else than version 1 of the agent's API gives; "
                "check that an agent of a matching version is at this address",
                temporary=False,
            ) from error

    async def tell(self, method: str, path: str) -> None:
        """A request without a body whose answer says nothing more than that it was done. Raises ServerFault."""
        async with self.exchange(self.request(method, path), self.patience.answer) as response:
            await self._read(response, MAX_PROBLEM)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        *,
        anyone: bool = False,
        timeouts: httpx.Timeout | None = None,
    ) -> httpx.Request:
        """A request to this server. Raises ServerFault where there is no token to send, unless `anyone` may ask."""
        return self._client.build_request(
            method,
            f"{self._base}{path}",
            headers={**(headers or {}), **self._authorization(anyone=anyone)},
            content=content,
            timeout=timeouts or self.patience.timeouts(),
        )

    @asynccontextmanager
    async def exchange(self, request: httpx.Request, deadline: float | None) -> AsyncIterator[httpx.Response]:
        """A successful response with its body still to be read.

        `deadline` is for all of it, in seconds; None for an upload, which takes as long as its bytes flow. Raises
        ServerFault for everything that goes wrong until the block ends.
        """
        try:
            async with asyncio.timeout(deadline):
                response = await self._client.send(request, stream=True)
                try:
                    if not response.is_success:
                        raise await self._declined(response)
                    yield response
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, HostRefused, OSError) as error:  # a TimeoutError is an OSError
            raise fault_of(error, self.name, self.patience) from error

    def _authorization(self, *, anyone: bool) -> dict[str, str]:
        """The token, where it may be sent. Raises ServerFault where there is none, or the way is not safe."""
        url = httpx.URL(self._base)
        is_safe = url.scheme == "https" or is_loopback(url.host)
        if self._credential is not None and is_safe:
            return {"Authorization": f"Bearer {self._credential.token.get_secret_value()}"}
        if anyone:
            return {}
        if self._credential is None:
            raise ServerFault(
                f"settings hold no token for {origin_of(self._base)}, so {self.name} was not asked; "
                "add an [[agents]] entry with this origin",
                temporary=False,
            )
        raise ServerFault(
            f"{self.name} is at a plain http address off this machine, and no token is sent there; "
            "give the agent a certificate and configure its https address",
            temporary=False,
        )

    async def _declined(self, response: httpx.Response) -> Declined:
        asked = f"{response.request.method} {response.request.url.path}"
        if response.is_redirect:
            sentence = (
                f"{self.name} redirects {asked} elsewhere, which is not followed; "
                "configure the address that the agent itself has"
            )
            return Declined(sentence, response.status_code, None, response.headers)
        try:
            problem = Problem.model_validate_json(await self._read(response, MAX_PROBLEM))
        except (ValidationError, Garbled):  # an error page of something in between: its text is nobody's word
            sentence = f"{self.name} answered {asked} with {response.status_code} and no reason"
            return Declined(sentence, response.status_code, None, response.headers)
        reason = clean(self._without_token(problem.problem), PROBLEM_LENGTH)
        reference = f" (reference {clean(problem.reference, 40)})" if problem.reference else ""
        sentence = f"{self.name}: {reason}{reference}"
        return Declined(sentence, response.status_code, problem.kind, response.headers)

    def _without_token(self, text: str) -> str:
        return text.replace(self._credential.token.get_secret_value(), "[token]") if self._credential else text

    async def _read(self, response: httpx.Response, limit: int) -> bytes:
        """The body as it was sent: compressed it could unpack to anything, and nobody asked for that."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Garbled(f"{self.name} compressed its answer, which was not asked for", temporary=False)
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > limit:
                raise Garbled(f"{self.name} answered with more than {limit} bytes", temporary=False)
        return bytes(body)
