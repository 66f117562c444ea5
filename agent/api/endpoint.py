"""One row of the agent's route table: the routes and the OpenAPI document are both made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class Caller:
    """Who calls: the bot, a mainframe of the registry, or anyone (`name` is the mainframe's)."""

    kind: Literal["anyone", "bot", "mainframe"]
    name: str = ""


@dataclass(frozen=True)
class Call:
    """One authenticated request. `body` is already a valid instance of what the endpoint `takes`."""

    request: Request
    caller: Caller
    body: Any = None

    @property
    def params(self) -> Mapping[str, str]:
        """The named parts of the path."""
        return self.request.path_params

    def header(self, name: str) -> str | None:
        value = self.request.headers.get(name)
        return None if value is None else str(value)


@dataclass(frozen=True)
class Endpoint:
    """What one method of one path does, for whom, and with which bodies.

    `handle` answers a model (sent as JSON with status 200) or a whole response, and raises `agent.errors.Refused`.
    """

    method: Literal["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    handle: Callable[[Call], Awaitable[BaseModel | Response]]
    takes: type[BaseModel] | None = None
    """The model of the JSON body; None where there is no JSON body."""
    gives: type[BaseModel] | None = None
    """The model of the JSON answer; None where the answer is no JSON."""
    callers: frozenset[str] = field(default=frozenset({"bot"}))
    """Kinds of caller that are let in; `anyone` needs no token."""
    problems: tuple[int, ...] = ()
    """Further statuses whose body is a Problem, for the document; it adds those that every such endpoint may give."""
