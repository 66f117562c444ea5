"""What goes over the socket: one JSON object in a line each way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

LONGEST_LINE = 1 << 20
"""Bytes of one request or reply: far above the longest command and the longest answer."""

Outcome = Literal["done", "refused", "usage", "ignored", "failed"]


class BadLine(ValueError):
    """A line that is no request, or no reply. `str(error)` is one sentence."""


@dataclass(frozen=True, slots=True)
class Request:
    """`id` is new for each command and the same when it is sent again, so that it acts once."""

    id: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply as lines of text. `about` names the deployment, where there is one."""

    outcome: Outcome
    lines: tuple[str, ...]
    about: str | None = None


def encoded(message: Request | Answer) -> bytes:
    return json.dumps(asdict(message), ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def request_of(line: bytes) -> Request:
    """Raises BadLine."""
    match _object(line):
        case {"id": str(id_), "words": [*words]} if 8 <= len(id_) <= 64 and all(
            isinstance(word, str) for word in words
        ):
            return Request(id_, tuple(words))
    raise BadLine("expected a request with an id of 8 to 64 characters and words")


def answer_of(line: bytes) -> Answer:
    """Raises BadLine."""
    match _object(line):
        case {"outcome": str(outcome), "lines": [*lines], "about": str() | None as about} if outcome in get_args(
            Outcome
        ):
            return Answer(cast(Outcome, outcome), tuple(str(each) for each in lines), about)
    raise BadLine("the bot's answer cannot be read; is it of the same version?")


def _object(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadLine("expected one line of JSON") from error
