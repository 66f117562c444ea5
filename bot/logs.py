"""Structured logs: readable on a terminal, JSON lines elsewhere, and never with a secret in them.

`structlog.get_logger()` is how modules log. What libraries log by the standard library goes through the same pipe.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Literal, TextIO

import structlog
from pydantic import Secret, SecretBytes, SecretStr
from structlog.typing import EventDict, Processor

from bot.settings.values import names_a_secret

HIDDEN = "[hidden]"
_REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32 without 0 and 1, which people read as O and I."""
_SECRET_TEXTS = (
    (re.compile(r"(\b(?:bearer|basic)\s+)[^\s'\",]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"), rf"\1{HIDDEN}"),
    (
        re.compile(r"(\b(?:token|secret|password)['\"]?\s?[=:]\s?)(?:'[^']*'|\"[^\"]*\"|[^\s'\",;)&]+)", re.I),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bx(?:ox[a-z]|app)-[\w-]{6,}"), HIDDEN),
    (re.compile(r"(\bticket=)[^\s'\"&]+"), rf"\1{HIDDEN}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), HIDDEN),
)
_PLAIN = re.compile(r"[\w./#@+]*")
"""None of those looks: each has white space, `:`, `=` or `-` in it. Nearly all that is logged is as plain as this."""
_CHATTY = ("httpx", "httpcore", "apscheduler", "uvicorn.access", "asyncio", "alembic", "slack_bolt", "slack_sdk")
"""Libraries that log every request or tick at the level of information."""
_TELLTALE = {"discord": logging.WARNING, "discord.http": logging.ERROR}
"""Libraries that log whole addresses and messages, tokens and all, below these levels: never, if ever so wanted."""


def configure(
    log_format: Literal["auto", "text", "json"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up the process's logging, once at start. `stream` is standard error unless told; `auto` asks it for a tty."""
    out = stream or sys.stderr
    text = log_format == "text" or (log_format == "auto" and out.isatty())
    rendered = _rendered(text=text, colours=text and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(rendered))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _route_libraries(verbose=level == "debug")
    structlog.configure(
        processors=[*_shared(), *rendered],
        logger_factory=lambda *name: _Lines(handler, *name),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Our own lines are done when they come here: a record of the standard library for each would cost as much again as
    the line. They go where the libraries' go, one at a time."""

    def __init__(self, handler: logging.StreamHandler[TextIO], name: str = "") -> None:
        self.name = name
        self._handler = handler

    def msg(self, line: str) -> None:
        handler = self._handler
        with handler.lock or nullcontext():
            try:
                handler.stream.write(f"{line}\n")
                handler.flush()
            except Exception:  # noqa: BLE001 - as in the standard library: told where that is possible, and work goes on
                handler.handleError(logging.makeLogRecord({"name": self.name, "msg": line}))

    debug = info = warning = error = critical = exception = msg


def deployment(name: str) -> AbstractContextManager[None]:
    """Every line logged within, in this task and those it starts, carries the deployment (`<id>#<attempt>`)."""
    return structlog.contextvars.bound_contextvars(deployment=name)


def reference() -> str:
    """A short id that a person can read out, and that finds the line of an unexpected error in the log."""
    return "".join(secrets.choice(_REFERENCE_LETTERS) for _ in range(5))


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A processor that hides secrets: by type wherever they are, then by the key's name, then by their look."""
    return {
        key: HIDDEN if _is_secret(key) and value is not None else _without_secrets(value)
        for key, value in event.items()
    }


_is_secret = lru_cache(maxsize=1024)(names_a_secret)
"""The same few names on each line."""


def _without_secrets(value: Any) -> Any:
    match value:
        case str():
            return _masked(value)
        case SecretStr() | SecretBytes() | Secret():
            return HIDDEN
        case None | bool() | int() | float():
            return value
        case bytes() | bytearray():
            return f"<{len(value)} bytes>"
        case Mapping():
            return redact(None, "", {str(key): below for key, below in value.items()})
        case list() | tuple() | set() | frozenset():
            return [_without_secrets(each) for each in value]
        case _:
            return _masked(str(value))


def _masked(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _printable(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Servers and people write into logs: nothing of it may move the cursor, colour, or turn the text round."""
    return {key: _escaped(value, "\n\t" if key == "exception" else "") for key, value in event.items()}


def _escaped(value: Any, allowed: str) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        letter if letter.isprintable() or letter in allowed else letter.encode("unicode_escape").decode()
        for letter in value
    )


def _shared() -> list[Processor]:
    """What happens to every line, ours and the libraries'. Tracebacks are text before secrets are looked for."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendered(*, text: bool, colours: bool) -> list[Processor]:
    if text:
        plain = structlog.dev.plain_traceback  # others print local variables, and secrets with them
        return [_printable, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    return [_json_line]


_encode = json.JSONEncoder(sort_keys=True, default=repr).encode
"""Made once: to make it takes as long as the line."""


def _json_line(_logger: object, _method: str, event: EventDict) -> str:
    return _encode(event)


def _formatter(rendered: list[Processor]) -> logging.Formatter:
    """Of the libraries' lines."""
    final = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered]
    return structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=_shared())


def _route_libraries(*, verbose: bool) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if verbose else logging.WARNING)
    for name, level in _TELLTALE.items():
        logging.getLogger(name).setLevel(level)
